// embed, rope_table, add_norm: ops on single rows, against float64.
#include "backend/support.h"

namespace glm5::backend_test {
namespace {

std::vector<ops::Numerics> numerics() {
    return {{},
            {.activation = ActivationFormat::bf16},
            {.activation = ActivationFormat::bf16, .linear_input = LinearInput::fp8_1x128},
            {.linear_input = LinearInput::fp8_1x128}};
}

class Rows : public testing::TestWithParam<InstructionSet> {};

TEST_P(Rows, EmbedCopiesRows) {
    for (const ops::Numerics& values : numerics()) {
        Device device(GetParam(), values);
        const int64_t width = 99, vocabulary = 7;
        const ops::Tensor f32_table = device.random({vocabulary, width});
        const ops::Tensor bf16_table = device.tensor(DType::bf16, {vocabulary, width});
        for (int64_t i = 0; i < vocabulary * width; ++i)
            bf16_table.as<uint16_t>()[i] = f32_to_bf16(f32_table.as<float>()[i]);
        const std::vector<int32_t> ids = {6, 0, 3, 6};
        ops::Batch batch{.num_tokens = 4};
        batch.token_ids = device.integers(ids);
        for (const ops::Tensor& table : {f32_table, bf16_table}) {
            const ops::Tensor hidden = device.floats({4, width});
            device->embed({.hidden = hidden, .table = table, .batch = &batch});
            for (int64_t i = 0; i < 4 * width; ++i) {
                const float entry = f32_table.as<float>()[ids[i / width] * width + i % width];
                EXPECT_EQ(hidden.as<float>()[i],
                          table.dtype == DType::bf16 || device.rounds() ? round_bf16(entry) : entry);
            }
        }
    }
}

TEST_P(Rows, RopeTableReducesTheFullRange) {
    Device device(GetParam(), {});
    const std::vector<float> frequencies = {1.0f, 0.4121f, 1e-3f, 7.3e-7f};
    const std::vector<int32_t> positions = {0, 1, 63, 64, 8191, 202751, 1048575};
    ops::Batch batch{.num_tokens = static_cast<int>(positions.size())};
    batch.positions = device.integers(positions);
    const ops::Tensor table = device.floats({batch.num_tokens, 4, 2});
    device->rope_table({.cos_sin = table, .inverse_frequency = device.vector(frequencies), .batch = &batch});
    for (size_t t = 0; t < positions.size(); ++t)
        for (size_t i = 0; i < 4; ++i) {
            const float angle = static_cast<float>(positions[t]) * frequencies[i];
            EXPECT_NEAR(table.as<float>()[(t * 4 + i) * 2], std::cos(static_cast<double>(angle)), 1e-7);
            EXPECT_NEAR(table.as<float>()[(t * 4 + i) * 2 + 1], std::sin(static_cast<double>(angle)), 1e-7);
        }
}

TEST_P(Rows, AddNorm) {
    for (const ops::Numerics& values : numerics())
        for (int64_t width : {1, 96, 131, 256})
            for (bool with_delta : {true, false}) {
                Device device(GetParam(), values);
                const bool bf16 = device.rounds();
                const int64_t rows = 70;
                const float eps = 1e-5f;
                ops::AddNormArgs args{.out = device.activation(rows, width),
                                      .residual = device.random({rows, width}, 3),
                                      .delta = with_delta ? device.random({rows, width}) : ops::Tensor(),
                                      .weight = device.random({width}),
                                      .eps = eps};
                std::memset(args.residual.as<float>(), 0, width * sizeof(float));  // a row of zeros stays finite
                if (with_delta) std::memset(args.delta.as<float>(), 0, width * sizeof(float));
                std::vector<float> sums = values_of(args.residual);
                if (with_delta)
                    for (int64_t i = 0; i < rows * width; ++i) {
                        sums[i] += args.delta.as<float>()[i];
                        if (bf16) sums[i] = round_bf16(sums[i]);
                    }
                std::vector<double> norms;
                for (int64_t row = 0; row < rows; ++row) {
                    double squares = 0;
                    for (int64_t i = 0; i < width; ++i) squares += std::pow(sums[row * width + i], 2);
                    const double r = 1 / std::sqrt(squares / static_cast<double>(width) + eps);
                    for (int64_t i = 0; i < width; ++i)
                        norms.push_back(rounded_if(bf16, sums[row * width + i] * r * args.weight.as<float>()[i]));
                }
                device->add_norm(args);
                EXPECT_EQ(values_of(args.residual), sums);
                expect_close(args.out.values, norms, tolerance(bf16), bf16, fmt::format("width {}", width));
                if (args.out.quantised) expect_fp8_form(args.out, "add_norm");
            }
}

INSTANTIATE_TEST_SUITE_P(Sets, Rows, testing::ValuesIn(machine_sets()), set_name);

}  // namespace
}  // namespace glm5::backend_test
