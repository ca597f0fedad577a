// dense_mlp, route and moe against float64.
#include <algorithm>

#include "backend/support.h"

namespace glm5::backend_test {
namespace {

struct Mlp {
    Matrix gate, up, down;
};

class MlpOps : public testing::TestWithParam<LinearCase> {
protected:
    Device device{GetParam().set, GetParam().numerics};
    const bool bf16 = device.rounds();

    Mlp mlp(int64_t width, int64_t hidden, WeightFormat format) {
        return {device.matrix(width, hidden, format), device.matrix(width, hidden, format),
                device.matrix(hidden, width, format)};
    }
    ops::GatedMlp upload(const std::vector<Mlp>& mlps) {
        std::vector<Matrix> gates, ups, downs;
        for (const Mlp& each : mlps) gates.push_back(each.gate), ups.push_back(each.up), downs.push_back(each.down);
        return {device.linear(gates), device.linear(ups), device.linear(downs)};
    }
    // down · (FP8 form of) R(silu(R(gate · x)) ⊙ R(up · x)), not rounded.
    std::vector<double> apply(const Mlp& mlp, const ops::Activation& in, int64_t row) const {
        const bool fp8_in = reads_fp8(GetParam().numerics, mlp.gate),
                   fp8_down = reads_fp8(GetParam().numerics, mlp.down);
        std::vector<double> middle, out;
        for (int64_t n = 0; n < mlp.gate.out; ++n) {
            const double gate = rounded_if(bf16, product(in, mlp.gate, row, n, fp8_in));
            const double up = rounded_if(bf16, product(in, mlp.up, row, n, fp8_in));
            middle.push_back(rounded_if(bf16, gate / (1 + std::exp(-gate)) * up));
        }
        for (size_t begin = 0; fp8_down && begin < middle.size(); begin += 128) {
            const size_t end = std::min(middle.size(), begin + 128);
            double largest = 1e-10;
            for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::fabs(middle[i]));
            const float scale = static_cast<float>(largest) / 448.0f;
            for (size_t i = begin; i < end; ++i)
                middle[i] =
                    static_cast<double>(e4m3_to_f32(f32_to_e4m3(static_cast<float>(middle[i]) / scale))) * scale;
        }
        for (int64_t n = 0; n < mlp.down.out; ++n) {
            double sum = 0;
            for (int64_t k = 0; k < mlp.down.in; ++k) sum += middle[k] * mlp.down.at(n, k);
            out.push_back(sum);
        }
        return out;
    }
    // An intermediate value next to a tie may round either way, to bf16 or to e4m3.
    double mlp_tolerance(WeightFormat format) const {
        if (GetParam().numerics.linear_input == LinearInput::fp8_1x128 && format == WeightFormat::fp8_block128)
            return 6e-3;
        return tolerance(bf16);
    }
};

TEST_P(MlpOps, DenseMlp) {
    for (WeightFormat format : {WeightFormat::f32, WeightFormat::bf16, WeightFormat::fp8_block128})
        for (int64_t rows : {1, 3, 50}) {
            const Mlp weights = mlp(200, 96, format);
            const ops::DenseMlpArgs args{.out = device.floats({rows, 96}),
                                         .in = device.random_activation(rows, 96),
                                         .weights = upload({weights})};
            std::vector<double> expected;
            for (int64_t row = 0; row < rows; ++row)
                for (double value : apply(weights, args.in, row)) expected.push_back(rounded_if(bf16, value));
            device->dense_mlp(args);
            expect_close(args.out, expected, mlp_tolerance(format), bf16, fmt::format("{} rows", rows));
        }
}

TEST_P(MlpOps, Moe) {
    const int64_t hidden = 96, experts = 6, slots = 3;
    for (WeightFormat format : {WeightFormat::bf16, WeightFormat::fp8_block128})
        for (int64_t rows : {1, 2, 40}) {
            std::vector<Mlp> routed;
            for (int64_t i = 0; i < experts; ++i) routed.push_back(mlp(72, hidden, format));
            const Mlp shared = mlp(130, hidden, format);
            const ops::MoeArgs args{.out = device.floats({rows, hidden}),
                                    .in = device.random_activation(rows, hidden),
                                    .expert_ids = device.tensor(DType::i32, {rows, slots}),
                                    .expert_weights = device.floats({rows, slots}),
                                    .experts = upload(routed),
                                    .shared = upload({shared})};
            std::vector<double> expected;
            for (int64_t row = 0; row < rows; ++row) {
                std::vector<double> sum(hidden);
                for (int64_t slot = 0; slot < slots; ++slot) {
                    const auto expert =
                        static_cast<int32_t>((row * row + 2 * slot) % (experts - 1));  // the last one gets none
                    const float weight = std::uniform_real_distribution<float>(0, 1)(device.generator());
                    args.expert_ids.as<int32_t>()[row * slots + slot] = expert;
                    args.expert_weights.as<float>()[row * slots + slot] = weight;
                    const std::vector<double> out = apply(routed[expert], args.in, row);
                    for (int64_t i = 0; i < hidden; ++i) sum[i] += weight * out[i];
                }
                const std::vector<double> out = apply(shared, args.in, row);
                for (int64_t i = 0; i < hidden; ++i) expected.push_back(rounded_if(bf16, sum[i] + out[i]));
            }
            device->moe(args);
            expect_close(args.out, expected, mlp_tolerance(format), bf16, fmt::format("{} rows", rows));
        }
}

TEST_P(MlpOps, Route) {
    const int64_t hidden = 96;
    for (int64_t rows : {1, 33})
        for (auto [experts, top_k] : {std::pair<int64_t, int64_t>{16, 4}, {256, 8}, {5, 5}, {3, 1}})
            for (bool normalise : {true, false}) {
                const Matrix gate = device.matrix(experts, hidden, WeightFormat::bf16);
                const ops::RouteArgs args{.expert_ids = device.tensor(DType::i32, {rows, top_k}),
                                          .expert_weights = device.floats({rows, top_k}),
                                          .in = device.random_activation(rows, hidden),
                                          .gate = device.linear(gate),
                                          .bias = device.random({experts}, 0.2f),
                                          .scaling = 2.5f,
                                          .normalise = normalise};
                device->route(args);
                for (int64_t row = 0; row < rows; ++row) {
                    std::vector<double> g, biased;
                    for (int64_t n = 0; n < experts; ++n) {
                        g.push_back(1 / (1 + std::exp(-product(args.in, gate, row, n, false))));
                        biased.push_back(g[n] + args.bias.as<float>()[n]);
                    }
                    std::vector<int32_t> order(experts);
                    for (int32_t i = 0; i < experts; ++i) order[i] = i;
                    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return biased[a] > biased[b]; });
                    double total = 0;
                    for (int64_t slot = 0; slot < top_k; ++slot) total += g[order[slot]];
                    for (int64_t slot = 0; slot < top_k; ++slot) {
                        ASSERT_EQ(args.expert_ids.as<int32_t>()[row * top_k + slot], order[slot]);
                        const double weight = g[order[slot]] / (normalise ? total : 1) * 2.5;
                        ASSERT_NEAR(args.expert_weights.as<float>()[row * top_k + slot], weight, 2e-6 * weight);
                    }
                }
            }
}

TEST_P(MlpOps, RouteTiesGoToTheLowerExpertAndNanToNone) {
    const int64_t experts = 8, hidden = 4;
    Matrix gate = device.matrix(experts, hidden, WeightFormat::bf16);
    std::fill(gate.stored.begin(), gate.stored.end(), std::byte{0});  // every gate is one half
    ops::RouteArgs args{.expert_ids = device.tensor(DType::i32, {1, 4}),
                        .expert_weights = device.floats({1, 4}),
                        .in = device.random_activation(1, hidden),
                        .gate = device.linear(gate),
                        .bias = device.vector({0, 1, 0, NAN, 1, 0, 1, 0}),
                        .scaling = 1.0f,
                        .normalise = true};
    device->route(args);
    const std::vector<int32_t> ids(args.expert_ids.as<int32_t>(), args.expert_ids.as<int32_t>() + 4);
    EXPECT_EQ(ids, (std::vector<int32_t>{1, 4, 6, 0}));
    for (float weight : values_of(args.expert_weights)) EXPECT_EQ(weight, 0.25f);

    std::fill_n(args.bias.as<float>(), experts, NAN);  // nothing to compare: still four experts
    device->route(args);
    const std::vector<int32_t> any(args.expert_ids.as<int32_t>(), args.expert_ids.as<int32_t>() + 4);
    EXPECT_EQ(any, (std::vector<int32_t>{0, 1, 2, 3}));
}

INSTANTIATE_TEST_SUITE_P(Cases, MlpOps, testing::ValuesIn(linear_cases()));

}  // namespace
}  // namespace glm5::backend_test
