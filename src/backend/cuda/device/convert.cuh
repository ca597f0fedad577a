// Eight neighbouring values at a time: 16 bytes of bf16, 8 of e4m3. And the roundings between them.
#pragma once

#include <cstdint>

namespace glm5::cuda {

inline constexpr int kVector = 8;

__device__ inline void load_bf16(float (&values)[kVector], const void* source) {
    const uint4 words = *static_cast<const uint4*>(source);
    const uint32_t word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        values[2 * i] = __uint_as_float(word[i] << 16);
        values[2 * i + 1] = __uint_as_float(word[i] & 0xffff0000u);
    }
}

__device__ inline void load_float(float (&values)[kVector], const float* source) {
    const float4 low = reinterpret_cast<const float4*>(source)[0], high = reinterpret_cast<const float4*>(source)[1];
    values[0] = low.x, values[1] = low.y, values[2] = low.z, values[3] = low.w;
    values[4] = high.x, values[5] = high.y, values[6] = high.z, values[7] = high.w;
}

// Two values as bf16, `low` in the lower half.
__device__ inline uint32_t bf16x2(float low, float high) {
    uint32_t word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
}

// The values become the bf16 values that are stored.
__device__ inline void round_bf16(float (&values)[kVector]) {
#pragma unroll
    for (int i = 0; i < kVector; i += 2) {
        const uint32_t word = bf16x2(values[i], values[i + 1]);
        values[i] = __uint_as_float(word << 16);
        values[i + 1] = __uint_as_float(word & 0xffff0000u);
    }
}

__device__ inline void store_bf16(void* out, const float (&values)[kVector]) {
    *static_cast<uint4*>(out) = make_uint4(bf16x2(values[0], values[1]), bf16x2(values[2], values[3]),
                                           bf16x2(values[4], values[5]), bf16x2(values[6], values[7]));
}

// Nearest even, saturating at ±448; NaN stays NaN. `a` in the lowest byte.
__device__ inline uint32_t e4m3x4(float a, float b, float c, float d) {
    uint16_t low, high;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(low) : "f"(b), "f"(a));
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(high) : "f"(d), "f"(c));
    return static_cast<uint32_t>(high) << 16 | low;
}

__device__ inline void store_e4m3(void* out, const float (&values)[kVector]) {
    *static_cast<uint2*>(out) = make_uint2(e4m3x4(values[0], values[1], values[2], values[3]),
                                           e4m3x4(values[4], values[5], values[6], values[7]));
}

}  // namespace glm5::cuda
