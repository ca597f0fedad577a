// The linear layers against float64: formats, odd shapes, row counts around the tiles of the kernels, FP8 inputs, the
// projections by head, and the head of the model.
#include "backend/support.h"

namespace glm5::backend_test {
namespace {

class LinearLayers : public testing::TestWithParam<LinearCase> {
protected:
    Device device{GetParam().set, GetParam().numerics};
    const bool bf16 = device.rounds();

    bool fp8(const Matrix& matrix) const { return reads_fp8(GetParam().numerics, matrix); }
    // R(matrix · in) of all rows.
    std::vector<double> expected(const ops::Activation& in, const Matrix& matrix, bool round) const {
        std::vector<double> result;
        for (int64_t row = 0; row < in.values.rows(); ++row)
            for (int64_t n = 0; n < matrix.out; ++n)
                result.push_back(rounded_if(round, product(in, matrix, row, n, fp8(matrix))));
        return result;
    }
};

TEST_P(LinearLayers, EveryFormatAndShape) {
    struct Shape {
        int64_t rows, out, in;
    };
    for (WeightFormat format : {WeightFormat::f32, WeightFormat::bf16, WeightFormat::fp8_block128})
        for (auto [rows, out, in] : {Shape{1, 64, 128},
                                     {1, 132, 96},
                                     {2, 576, 256},
                                     {5, 96, 300},
                                     {6, 1, 1},
                                     {7, 200, 129},
                                     {13, 65, 24},
                                     {18, 63, 640},
                                     {19, 130, 257},
                                     {49, 100, 513},
                                     {200, 70, 130}}) {
            const Matrix matrix = device.matrix(out, in, format);
            const ops::Activation in_values = device.random_activation(rows, in);
            const ops::Tensor result = device.floats({rows, out});
            device->linear({.out = result, .in = in_values, .weight = device.linear(matrix)});
            expect_close(result, expected(in_values, matrix, bf16), tolerance(bf16), bf16,
                         fmt::format("format {}, {} × {} × {}", static_cast<int>(format), rows, out, in));
        }
}

TEST_P(LinearLayers, NanWeightsReachTheirOutputsOnly) {
    for (WeightFormat format : {WeightFormat::bf16, WeightFormat::fp8_block128}) {
        Matrix matrix = device.matrix(70, 130, format);
        if (format == WeightFormat::bf16)
            reinterpret_cast<uint16_t*>(matrix.stored.data())[69 * 130 + 129] = 0x7fc0;
        else
            matrix.stored[69 * 130 + 129] = std::byte{0xff};
        for (int64_t rows : {1, 30}) {
            const ops::Tensor result = device.floats({rows, 70});
            device->linear({.out = result, .in = device.random_activation(rows, 130), .weight = device.linear(matrix)});
            for (int64_t i = 0; i < rows * 70; ++i) EXPECT_EQ(std::isnan(result.as<float>()[i]), i % 70 == 69) << i;
        }
    }
}

TEST_P(LinearLayers, FusedA) {
    for (int64_t rows : {1, 9}) {
        const ops::Activation hidden = device.random_activation(rows, 96);
        const Matrix q_a = device.matrix(48, 96, WeightFormat::fp8_block128);
        const Matrix kv_a = device.matrix(132, 96, WeightFormat::fp8_block128);
        const Matrix wk = device.matrix(32, 96, WeightFormat::bf16), weights = device.matrix(4, 96, WeightFormat::bf16);
        ops::FusedAArgs args{.q_a = device.floats({rows, 48}),
                             .kv_a = device.floats({rows, 132}),
                             .index_k = device.floats({rows, 32}),
                             .index_weights = device.floats({rows, 4}),
                             .hidden = hidden,
                             .q_a_proj = device.linear(q_a),
                             .kv_a_proj = device.linear(kv_a),
                             .index_wk = device.linear(wk),
                             .index_weights_proj = device.linear(weights),
                             .index_weight_scale = 0.0883883476f};
        device->fused_a(args);
        expect_close(args.q_a, expected(hidden, q_a, bf16), tolerance(bf16), bf16, "q_a");
        expect_close(args.kv_a, expected(hidden, kv_a, bf16), tolerance(bf16), bf16, "kv_a");
        expect_close(args.index_k, expected(hidden, wk, bf16), tolerance(bf16), bf16, "index_k");
        std::vector<double> scaled = expected(hidden, weights, false);
        for (double& value : scaled) value *= args.index_weight_scale;
        expect_close(args.index_weights, scaled, kFloatTolerance, false, "index_weights");

        // A layer without an indexer.
        ops::FusedAArgs shared = args;
        shared.index_k = shared.index_weights = {};
        shared.index_wk = shared.index_weights_proj = {};
        shared.q_a = device.floats({rows, 48});
        device->fused_a(shared);
        EXPECT_EQ(values_of(shared.q_a), values_of(args.q_a));
    }
}

TEST_P(LinearLayers, QueryBAndValueUp) {
    const int64_t rows = 5, heads = 3, v_dim = 40, latent = 32;
    const ops::Activation q_norm = device.random_activation(rows, 48);
    const Matrix q_b = device.matrix(3 * 40, 48, WeightFormat::fp8_block128);
    const Matrix index_q = device.matrix(4 * 32, 48, WeightFormat::bf16);
    ops::QueryBArgs query_b{.q = device.floats({rows, heads, 40}),
                            .index_q = device.floats({rows, 4, 32}),
                            .q_norm = q_norm,
                            .q_b_proj = device.linear(q_b),
                            .index_wq_b = device.linear(index_q)};
    device->query_b(query_b);
    expect_close(query_b.q, expected(q_norm, q_b, bf16), tolerance(bf16), bf16, "q");
    expect_close(query_b.index_q, expected(q_norm, index_q, bf16), tolerance(bf16), bf16, "index_q");

    std::vector<Matrix> up;
    for (int64_t head = 0; head < heads; ++head) up.push_back(device.matrix(v_dim, latent, WeightFormat::bf16));
    const ops::ValueUpArgs value_up{.out = device.activation(rows, heads * v_dim),
                                    .latent = device.random({rows, heads, latent}),
                                    .v_up = device.linear(up)};
    device->value_up(value_up);
    std::vector<double> result;
    for (int64_t row = 0; row < rows * heads; ++row)
        for (int64_t n = 0; n < v_dim; ++n) {
            double sum = 0;
            for (int64_t k = 0; k < latent; ++k)
                sum += value_up.latent.as<float>()[row * latent + k] * up[row % heads].at(n, k);
            result.push_back(rounded_if(bf16, sum));
        }
    expect_close(value_up.out.values, result, tolerance(bf16), bf16, "value_up");
    if (value_up.out.quantised) expect_fp8_form(value_up.out, "value_up");
}

TEST_P(LinearLayers, HeadReadsTheWantedRowsUnquantised) {
    const int64_t tokens = 9, hidden = 96, vocabulary = 201;
    const ops::Activation in = device.random_activation(tokens, hidden);
    const Matrix head = device.matrix(vocabulary, hidden, WeightFormat::bf16);
    const std::vector<int32_t> wanted = {8, 0, 3, 3};
    ops::Batch batch{.num_tokens = tokens, .num_logit_rows = 4};
    batch.logit_rows = device.integers(wanted);
    const ops::Tensor logits = device.floats({4, vocabulary});
    device->lm_head({.logits = logits, .hidden = in, .head = device.linear(head), .batch = &batch});
    std::vector<double> result;
    for (int32_t row : wanted)
        for (int64_t n = 0; n < vocabulary; ++n) result.push_back(product(in, head, row, n, false));
    expect_close(logits, result, kFloatTolerance, false, "logits");
}

INSTANTIATE_TEST_SUITE_P(Cases, LinearLayers, testing::ValuesIn(linear_cases()));

}  // namespace
}  // namespace glm5::backend_test
