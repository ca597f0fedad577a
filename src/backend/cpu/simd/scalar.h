// The vector type of the scalar twin: four lanes in plain C++, sums without fused multiply-add.
// Each header of this folder defines the same names in a namespace of its own; see kernels/table.h.
#pragma once

#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/inline.h"

namespace glm5::cpu::scalar {

constexpr int kLanes = 4;
constexpr int kStripVecs = 2;    // vectors of a GEMM strip with several rows
constexpr int kKeysPerTile = 2;  // keys of an attention score tile
constexpr int kLatentVecs = 2;   // vectors of an attention output strip

struct Vec {
    float lane[kLanes];
};

template <typename Function>
GLM5_INLINE Vec lanes(Function function) {
    Vec result;
    for (int i = 0; i < kLanes; ++i) result.lane[i] = function(i);
    return result;
}
GLM5_INLINE uint32_t bits(float value) {
    uint32_t result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}
GLM5_INLINE float from_bits(uint32_t value) {
    float result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}

GLM5_INLINE Vec set1(float value) {
    return lanes([&](int) { return value; });
}
GLM5_INLINE Vec zero() {
    return set1(0.0f);
}
GLM5_INLINE Vec load(const float* source) {
    return lanes([&](int i) { return source[i]; });
}
GLM5_INLINE void store(float* out, Vec a) {
    std::memcpy(out, a.lane, sizeof a.lane);
}
GLM5_INLINE Vec add(Vec a, Vec b) {
    return lanes([&](int i) { return a.lane[i] + b.lane[i]; });
}
GLM5_INLINE Vec sub(Vec a, Vec b) {
    return lanes([&](int i) { return a.lane[i] - b.lane[i]; });
}
GLM5_INLINE Vec mul(Vec a, Vec b) {
    return lanes([&](int i) { return a.lane[i] * b.lane[i]; });
}
GLM5_INLINE Vec div(Vec a, Vec b) {
    return lanes([&](int i) { return a.lane[i] / b.lane[i]; });
}
GLM5_INLINE Vec fma(Vec a, Vec b, Vec c) {
    return lanes([&](int i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
}
// b where either is NaN.
GLM5_INLINE Vec max(Vec a, Vec b) {
    return lanes([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
GLM5_INLINE Vec abs(Vec a) {
    return lanes([&](int i) { return __builtin_fabsf(a.lane[i]); });
}
GLM5_INLINE Vec exp(Vec a) {
    return lanes([&](int i) { return __builtin_expf(a.lane[i]); });
}

GLM5_INLINE float sum(Vec a) {
    return (a.lane[0] + a.lane[2]) + (a.lane[1] + a.lane[3]);
}
GLM5_INLINE float largest(Vec a) {
    float result = a.lane[0];
    for (int i = 1; i < kLanes; ++i) result = a.lane[i] > result ? a.lane[i] : result;
    return result;
}

// out[0 … 3] = sums of the lanes of a, b, c, d.
GLM5_INLINE void sum4(float* out, Vec a, Vec b, Vec c, Vec d) {
    out[0] = sum(a), out[1] = sum(b), out[2] = sum(c), out[3] = sum(d);
}
// Lanes i, i + 4, i + 8 … combined, for i = 0 … 3, and repeated over all lanes.
GLM5_INLINE Vec sum_mod4(Vec a) {
    return a;
}
GLM5_INLINE Vec max_mod4(Vec a) {
    return a;
}

GLM5_INLINE uint16_t bf16(float value) {
    if (value != value) return static_cast<uint16_t>((bits(value) >> 16) | 0x40);
    return static_cast<uint16_t>((bits(value) + 0x7fff + ((bits(value) >> 16) & 1)) >> 16);
}
GLM5_INLINE Vec load_bf16(const uint16_t* source) {
    return lanes([&](int i) { return from_bits(static_cast<uint32_t>(source[i]) << 16); });
}
GLM5_INLINE void store_bf16(uint16_t* out, Vec a) {
    for (int i = 0; i < kLanes; ++i) out[i] = bf16(a.lane[i]);
}
GLM5_INLINE Vec round_bf16(Vec a) {
    return lanes([&](int i) { return from_bits(static_cast<uint32_t>(bf16(a.lane[i])) << 16); });
}

GLM5_INLINE Vec load_e4m3(const uint8_t* source) {
    return lanes([&](int i) {
        const uint32_t sign = static_cast<uint32_t>(source[i] & 0x80) << 24, magnitude = source[i] & 0x7f;
        if (magnitude == 0x7f) return from_bits(sign | 0x7fc00000);
        return from_bits(sign | bits(from_bits(magnitude << 20) * 0x1p120f));
    });
}
// The values times 2^-8; not for NaN.
GLM5_INLINE Vec load_e4m3_weight(const uint8_t* source) {
    return mul(load_e4m3(source), set1(0x1p-8f));
}
GLM5_INLINE uint8_t e4m3(float value) {
    const auto sign = static_cast<uint8_t>(bits(value) >> 24 & 0x80);
    if (value != value) return sign | 0x7f;
    const float magnitude = __builtin_fabsf(value);
    if (magnitude >= 448.0f) return sign | 0x7e;
    if (magnitude < 0x1p-6f) return sign | static_cast<uint8_t>(__builtin_nearbyintf(magnitude * 0x1p9f));
    const uint32_t rounded = bits(magnitude) + 0x7ffff + ((bits(magnitude) >> 20) & 1);
    return sign | static_cast<uint8_t>((rounded >> 20) - (120u << 3));
}
GLM5_INLINE void store_e4m3(uint8_t* out, Vec a) {
    for (int i = 0; i < kLanes; ++i) out[i] = e4m3(a.lane[i]);
}

}  // namespace glm5::cpu::scalar
