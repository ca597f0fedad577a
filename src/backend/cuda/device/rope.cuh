// Rotation of neighbouring pairs, and the scale of index queries and keys.
#pragma once

#include <cstdint>

#include "backend/cuda/device/convert.cuh"

namespace glm5::cuda {

// `cos_sin`: (cos, sin) of the four pairs.
__device__ inline void rotate(float (&values)[kVector], const float* cos_sin) {
    float turn[kVector];
    load_float(turn, cos_sin);
#pragma unroll
    for (int i = 0; i < kVector; i += 2) {
        const float even = values[i], odd = values[i + 1], cos = turn[i], sin = turn[i + 1];
        values[i] = even * cos - odd * sin;
        values[i + 1] = odd * cos + even * sin;
    }
}

// 2^ceil(log2(max(largest, 1e-4) / 448)).
__device__ inline float index_scale(float largest) {
    const float wanted = fmaxf(largest, 1e-4f) / 448.0f;
    return __uint_as_float((__float_as_uint(wanted) + 0x7fffffu) & 0x7f800000u);
}

// 1 / scale of a power of two, exactly.
__device__ inline float inverse_power_of_two(float scale) {
    return __uint_as_float(0x7f000000u - __float_as_uint(scale));
}

}  // namespace glm5::cuda
