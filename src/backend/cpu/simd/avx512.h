// The vector type of the AVX-512 twin: sixteen lanes (F, BW, DQ, VL).
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "backend/cpu/simd/inline.h"

namespace glm5::cpu::avx512 {

constexpr int kLanes = 16;
constexpr int kStripVecs = 4;
constexpr int kKeysPerTile = 6;
constexpr int kLatentVecs = 4;

using Vec = __m512;

GLM5_INLINE Vec set1(float value) {
    return _mm512_set1_ps(value);
}
GLM5_INLINE Vec zero() {
    return _mm512_setzero_ps();
}
GLM5_INLINE Vec load(const float* source) {
    return _mm512_loadu_ps(source);
}
GLM5_INLINE void store(float* out, Vec a) {
    _mm512_storeu_ps(out, a);
}
GLM5_INLINE Vec add(Vec a, Vec b) {
    return _mm512_add_ps(a, b);
}
GLM5_INLINE Vec sub(Vec a, Vec b) {
    return _mm512_sub_ps(a, b);
}
GLM5_INLINE Vec mul(Vec a, Vec b) {
    return _mm512_mul_ps(a, b);
}
GLM5_INLINE Vec div(Vec a, Vec b) {
    return _mm512_div_ps(a, b);
}
GLM5_INLINE Vec fma(Vec a, Vec b, Vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
GLM5_INLINE Vec max(Vec a, Vec b) {
    return _mm512_max_ps(a, b);
}
GLM5_INLINE Vec abs(Vec a) {
    return _mm512_abs_ps(a);
}

// e^a: a = n · ln 2 + r, the power series of e^r to the seventh degree, times 2^n. Relative error below 2e-7.
GLM5_INLINE Vec exp(Vec a) {
    a = _mm512_min_ps(set1(89.0f), _mm512_max_ps(set1(-105.0f), a));
    const Vec n = _mm512_roundscale_ps(mul(a, set1(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const Vec r = fma(n, set1(1.90465430e-9f), fma(n, set1(-0.693147182f), a));
    Vec power = fma(r, set1(1.0f / 5040), set1(1.0f / 720));
    power = fma(power, r, set1(1.0f / 120));
    power = fma(power, r, set1(1.0f / 24));
    power = fma(power, r, set1(1.0f / 6));
    power = fma(power, r, set1(0.5f));
    power = fma(power, r, set1(1.0f));
    power = fma(power, r, set1(1.0f));
    return _mm512_scalef_ps(power, n);
}

GLM5_INLINE __m128 halves_sum(__m256 a) {
    return _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
}
GLM5_INLINE __m256 halves_sum(Vec a) {
    return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
}

GLM5_INLINE void sum4(float* out, Vec a, Vec b, Vec c, Vec d) {
    const Vec ab = add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const Vec cd = add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const Vec abcd = add(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    _mm_storeu_ps(out, halves_sum(halves_sum(abcd)));
}
GLM5_INLINE float sum(Vec a) {
    return _mm512_reduce_add_ps(a);
}
GLM5_INLINE float largest(Vec a) {
    return _mm512_reduce_max_ps(a);
}
GLM5_INLINE Vec sum_mod4(Vec a) {
    return _mm512_broadcast_f32x4(halves_sum(halves_sum(a)));
}
GLM5_INLINE Vec max_mod4(Vec a) {
    a = max(a, _mm512_shuffle_f32x4(a, a, 0x4e));
    return max(a, _mm512_shuffle_f32x4(a, a, 0xb1));
}

GLM5_INLINE __m512i bf16_bits(Vec a) {  // in the upper halves
    const __m512i bits = _mm512_castps_si512(a);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    return _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), quiet);
}
GLM5_INLINE Vec load_bf16(const uint16_t* source) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(source)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
GLM5_INLINE void store_bf16(uint16_t* out, Vec a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi32_epi16(_mm512_srli_epi32(bf16_bits(a), 16)));
}
GLM5_INLINE Vec round_bf16(Vec a) {
    return _mm512_castsi512_ps(_mm512_and_si512(bf16_bits(a), _mm512_set1_epi32(static_cast<int>(0xffff0000))));
}

GLM5_INLINE Vec load_e4m3(const uint8_t* source) {
    const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
    const __m512i shifted = _mm512_srai_epi32(_mm512_slli_epi32(bytes, 24), 4);
    const __m512i fields = _mm512_and_si512(shifted, _mm512_set1_epi32(static_cast<int>(0x87f00000)));
    const __mmask16 nan =
        _mm512_cmpeq_epi32_mask(_mm512_and_si512(bytes, _mm512_set1_epi32(0x7f)), _mm512_set1_epi32(0x7f));
    const __m512i scaled = _mm512_castps_si512(mul(_mm512_castsi512_ps(fields), set1(0x1p120f)));
    return _mm512_castsi512_ps(_mm512_mask_or_epi32(scaled, nan, scaled, _mm512_set1_epi32(0x7fc00000)));
}
// The values times 2^-8, as halves read them when the fields are moved into place; not for NaN.
GLM5_INLINE Vec load_e4m3_weight(const uint8_t* source) {
    const __m256i words = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
    return _mm512_cvtph_ps(
        _mm256_and_si256(_mm256_slli_epi16(words, 7), _mm256_set1_epi16(static_cast<short>(0xbf80))));
}
GLM5_INLINE void store_e4m3(uint8_t* out, Vec a) {
    const __m512i bits = _mm512_castps_si512(a);
    const __m512i sign = _mm512_and_si512(_mm512_srli_epi32(bits, 24), _mm512_set1_epi32(0x80));
    const Vec magnitude = abs(a);
    const __m512i magnitude_bits = _mm512_castps_si512(magnitude);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(magnitude_bits, 20), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(magnitude_bits, _mm512_set1_epi32(0x7ffff)), odd);
    __m512i code = _mm512_sub_epi32(_mm512_srli_epi32(rounded, 20), _mm512_set1_epi32(120 << 3));
    const __mmask16 subnormal = _mm512_cmp_ps_mask(magnitude, set1(0x1p-6f), _CMP_LT_OQ);
    code = _mm512_mask_cvtps_epi32(code, subnormal, mul(magnitude, set1(0x1p9f)));
    const __mmask16 saturated = _mm512_cmp_ps_mask(magnitude, set1(448.0f), _CMP_GE_OQ);
    code = _mm512_mask_mov_epi32(code, saturated, _mm512_set1_epi32(0x7e));
    code = _mm512_mask_mov_epi32(code, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), _mm512_set1_epi32(0x7f));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(_mm512_or_si512(code, sign)));
}

}  // namespace glm5::cpu::avx512
