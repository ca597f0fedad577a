// Sums and maxima over the lanes of a warp; every lane gets the result. All 32 lanes take part. The order is fixed.
#pragma once

#include <cstdint>

#include "backend/cuda/device/convert.cuh"

namespace glm5::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;

// Over neighbouring groups of `lanes` lanes, a power of two.
template <int lanes = 32>
__device__ inline float sum_over(float value) {
#pragma unroll
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(kAllLanes, value, distance);
    return value;
}

// NaNs do not count.
template <int lanes = 32>
__device__ inline float max_over(float value) {
#pragma unroll
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, distance));
    return value;
}

__device__ inline float sum_of_squares(const float (&values)[kVector]) {
    float sum = 0;
#pragma unroll
    for (float value : values) sum = fmaf(value, value, sum);
    return sum;
}

__device__ inline float largest_magnitude(const float (&values)[kVector]) {
    float largest = 0;
#pragma unroll
    for (float value : values) largest = fmaxf(largest, fabsf(value));
    return largest;
}

}  // namespace glm5::cuda
