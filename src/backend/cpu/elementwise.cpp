// embed, rope_table, add_norm, and the FP8 form of rows.
#include <cmath>
#include <cstring>

#include "backend/cpu/backend.h"

namespace glm5::cpu {

void CpuBackend::embed(const ops::EmbedArgs& args) {
    const int64_t width = args.table.shape[1], vocabulary = args.table.shape[0];
    const int32_t* ids = args.batch->token_ids.as<int32_t>();
    for_rows(args.batch->num_tokens, width, [&](int64_t token, int) {
        const int64_t id = ids[token];
        GLM5_CHECK(id >= 0 && id < vocabulary, "token id {}, vocabulary {}", id, vocabulary);
        float* out = args.hidden.as<float>() + token * width;
        if (args.table.dtype == DType::bf16) {
            kernels_.expand_bf16(out, args.table.as<uint16_t>() + id * width, width);
        } else {
            GLM5_CHECK(args.table.dtype == DType::f32, "{}", dtype_name(args.table.dtype));
            std::memcpy(out, args.table.as<float>() + id * width, width * sizeof(float));
            if (rounds()) kernels_.round(out, width);
        }
    });
}

void CpuBackend::rope_table(const ops::RopeTableArgs& args) {
    const int64_t pairs = args.inverse_frequency.shape[0];
    const float* inverse_frequency = args.inverse_frequency.as<float>();
    const int32_t* positions = args.batch->positions.as<int32_t>();
    constexpr int64_t kPairCost = 32;
    for_rows(args.batch->num_tokens, pairs * kPairCost, [&](int64_t token, int) {
        float* out = args.cos_sin.as<float>() + token * pairs * 2;
        const auto position = static_cast<float>(positions[token]);
        for (int64_t i = 0; i < pairs; ++i) {
            const float angle = position * inverse_frequency[i];
            out[2 * i] = std::cos(angle);
            out[2 * i + 1] = std::sin(angle);
        }
    });
}

void CpuBackend::add_norm(const ops::AddNormArgs& args) {
    const int64_t rows = args.residual.rows(), width = args.residual.shape[1];
    for_rows(rows, 3 * width, [&](int64_t row, int) {
        float* residual = args.residual.as<float>() + row * width;
        if (args.delta) kernels_.add(residual, args.delta.as<float>() + row * width, width, rounds());
        kernels_.rms_norm(args.out.values.as<float>() + row * width, residual, args.weight.as<float>(), args.eps, width,
                          rounds());
        quantise_row(args.out, row);
    });
}

namespace {

// The scale of one block of 128 values in FP8 (docs/model.md, FP8 checkpoints).
float block_scale(float largest_magnitude) {
    return std::max(largest_magnitude, 1e-10f) / 448.0f;
}

}  // namespace

// Nothing when Numerics has no FP8 form.
void CpuBackend::quantise_row(const ops::Activation& activation, int64_t row) {
    if (numerics_.linear_input == ops::LinearInput::unquantised) return;
    GLM5_CHECK(activation.quantised && activation.scales);
    const int64_t width = activation.values.columns(), blocks = num_blocks(width);
    const float* values = activation.values.as<float>() + row * width;
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t begin = block * kBlock, count = std::min<int64_t>(kBlock, width - begin);
        const float scale = block_scale(kernels_.largest_magnitude(values + begin, count));
        activation.scales.as<float>()[row * blocks + block] = scale;
        kernels_.quantise(activation.quantised.as<uint8_t>() + row * width + begin, values + begin, scale, count);
    }
}

// row becomes e4m3(row / scale), in f32.
void CpuBackend::round_to_e4m3(float* row, float scale, int64_t n) {
    uint8_t codes[kBlock];
    for (int64_t begin = 0; begin < n; begin += kBlock) {
        const int64_t count = std::min<int64_t>(kBlock, n - begin);
        kernels_.quantise(codes, row + begin, scale, count);
        kernels_.expand_e4m3(row + begin, codes, 1.0f, count);
    }
}

// The FP8 form of a row that only the next product reads: the row becomes the values of its codes.
void CpuBackend::quantise_in_place(float* row, int64_t width, float* scales) {
    for (int64_t begin = 0; begin < width; begin += kBlock) {
        const int64_t count = std::min<int64_t>(kBlock, width - begin);
        const float scale = block_scale(kernels_.largest_magnitude(row + begin, count));
        round_to_e4m3(row + begin, scale, count);
        scales[begin / kBlock] = scale;
    }
}

}  // namespace glm5::cpu
