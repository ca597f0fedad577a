// add_norm (ops/add_norm.h) and quantise: the FP8 form of rows (ops/tensor.h, Activation).
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

struct AddNormParams {
    bf16* out = nullptr;            // [rows, width]
    uint8_t* codes = nullptr;       // its FP8 form in tiles; null: none
    float* scales = nullptr;
    bf16* residual = nullptr;       // in/out [rows, width]
    const bf16* delta = nullptr;    // [rows, width]; null: nothing is added
    const float* weight = nullptr;  // [width]
    int64_t rows = 0;
    int64_t width = 0;  // a multiple of 8, of 128 with an FP8 form, at most kMostNormWidth
    float eps = 0;
};
inline constexpr int64_t kMostNormWidth = 16384;
void add_norm(const Launch& launch, const AddNormParams& params);

struct QuantiseParams {
    uint8_t* codes = nullptr;      // in tiles
    float* scales = nullptr;
    const bf16* values = nullptr;  // [rows, width]
    int64_t rows = 0;
    int64_t width = 0;  // a multiple of 128
};
void quantise(const Launch& launch, const QuantiseParams& params);

}  // namespace glm5::cuda
