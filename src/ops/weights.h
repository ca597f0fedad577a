// Weights as a model holds them: views of memory that the backend filled, in the backend's own layout.
#pragma once

#include <cstdint>
#include <span>

#include "ops/tensor.h"

namespace glm5::ops {

enum class WeightFormat : uint8_t {
    f32,
    bf16,
    fp8_block128,  // e4m3 with one f32 factor per 128 × 128 block: value = e4m3 · scale (a product, in spite of "_inv")
};

// One matrix in host memory, row major [out_features, in_features]; valid during the call that takes it.
struct HostMatrixView {
    int64_t out_features = 0;
    int64_t in_features = 0;
    WeightFormat format = WeightFormat::bf16;
    const std::byte* weight = nullptr;
    const float* scales = nullptr;  // [ceil(out / 128), ceil(in / 128)], fp8_block128 only
};

// y = x · Wᵀ for `batch` matrices of one shape (heads of an absorbed projection, experts); 1 for a plain layer.
// `weight` and `scales` are in the backend's layout and opaque outside it.
struct Linear {
    int64_t batch = 0;
    int64_t out_features = 0;
    int64_t in_features = 0;
    WeightFormat format = WeightFormat::bf16;
    Tensor weight;
    Tensor scales;

    explicit operator bool() const { return batch != 0; }
};

// down · (silu(gate · x) ⊙ (up · x)), for `batch` experts of one shape.
struct GatedMlp {
    Linear gate, up;  // [width, hidden]
    Linear down;      // [hidden, width]
};

}  // namespace glm5::ops
