// The FP8 form of activations: e4m3 codes and one scale per 128 values, in the tiles of tiles.h.
#pragma once

#include "backend/cuda/device/convert.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {

inline constexpr int kBlockVectors = 128 / kVector;  // lanes that share one scale

// x / divisor as IEEE division rounds it, for a positive divisor that many share: with the correctly rounded reciprocal,
// one correction brings the quotient within one unit in the last place and a second one rounds it correctly (Markstein).
// Exact while no remainder underflows, |x| > 2^-100; below that the code is zero either way if divisor > 2^-80.
class SharedDivisor {
public:
    __device__ explicit SharedDivisor(float divisor) : divisor_(divisor), reciprocal_(1.0f / divisor) {}
    __device__ float divide(float x) const {
        float quotient = x * reciprocal_;
        quotient = fmaf(fmaf(-quotient, divisor_, x), reciprocal_, quotient);
        return copysignf(fmaf(fmaf(-quotient, divisor_, x), reciprocal_, quotient), x);  // -0 stays -0
    }

private:
    float divisor_, reciprocal_;
};

// Writes vector `vector` of row `row`. All lanes of a warp call it, with `vector` ascending by lane from a multiple of
// 16; those outside the row (`inside` false) write nothing. The values are what a reader of `values` reads, rounded.
__device__ inline void store_quantised(uint8_t* codes, float* scales, int64_t row, int vector, int k_tiles, bool inside,
                                       const float (&values)[kVector]) {
    const float largest = max_over<kBlockVectors>(inside ? largest_magnitude(values) : 0.0f);
    if (!inside) return;
    const float scale = fmaxf(largest, 1e-10f) / 448.0f;
    const SharedDivisor divisor(scale);
    float quotients[kVector];
#pragma unroll
    for (int i = 0; i < kVector; ++i) quotients[i] = divisor.divide(values[i]);
    store_e4m3(codes + tiled_offset(row, vector * kVector, k_tiles), quotients);
    if (vector % kBlockVectors == 0) scales[scale_index(row, vector / kBlockVectors, k_tiles)] = scale;
}

}  // namespace glm5::cuda
