// The vector type of the AVX2 twin: eight lanes, with FMA and F16C.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "backend/cpu/simd/inline.h"

namespace glm5::cpu::avx2 {

constexpr int kLanes = 8;
constexpr int kStripVecs = 2;
constexpr int kKeysPerTile = 2;
constexpr int kLatentVecs = 2;

using Vec = __m256;

GLM5_INLINE Vec set1(float value) {
    return _mm256_set1_ps(value);
}
GLM5_INLINE Vec zero() {
    return _mm256_setzero_ps();
}
GLM5_INLINE Vec load(const float* source) {
    return _mm256_loadu_ps(source);
}
GLM5_INLINE void store(float* out, Vec a) {
    _mm256_storeu_ps(out, a);
}
GLM5_INLINE Vec add(Vec a, Vec b) {
    return _mm256_add_ps(a, b);
}
GLM5_INLINE Vec sub(Vec a, Vec b) {
    return _mm256_sub_ps(a, b);
}
GLM5_INLINE Vec mul(Vec a, Vec b) {
    return _mm256_mul_ps(a, b);
}
GLM5_INLINE Vec div(Vec a, Vec b) {
    return _mm256_div_ps(a, b);
}
GLM5_INLINE Vec fma(Vec a, Vec b, Vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
GLM5_INLINE Vec max(Vec a, Vec b) {
    return _mm256_max_ps(a, b);
}
GLM5_INLINE Vec abs(Vec a) {
    return _mm256_andnot_ps(set1(-0.0f), a);
}

GLM5_INLINE Vec power_of_two(__m256i n) {  // -126 ≤ n ≤ 127
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

// e^a: a = n · ln 2 + r, the power series of e^r to the seventh degree, times 2^n. Relative error below 2e-7.
GLM5_INLINE Vec exp(Vec a) {
    a = _mm256_min_ps(set1(89.0f), _mm256_max_ps(set1(-105.0f), a));
    const Vec n = _mm256_round_ps(mul(a, set1(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const Vec r = fma(n, set1(1.90465430e-9f), fma(n, set1(-0.693147182f), a));
    Vec power = fma(r, set1(1.0f / 5040), set1(1.0f / 720));
    power = fma(power, r, set1(1.0f / 120));
    power = fma(power, r, set1(1.0f / 24));
    power = fma(power, r, set1(1.0f / 6));
    power = fma(power, r, set1(0.5f));
    power = fma(power, r, set1(1.0f));
    power = fma(power, r, set1(1.0f));
    const __m256i exponent = _mm256_cvtps_epi32(n);
    const __m256i half = _mm256_srai_epi32(exponent, 1);  // two factors: 2^n itself may overflow or be subnormal
    return mul(mul(power, power_of_two(half)), power_of_two(_mm256_sub_epi32(exponent, half)));
}

GLM5_INLINE __m128 halves_sum(Vec a) {
    return _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
}

GLM5_INLINE void sum4(float* out, Vec a, Vec b, Vec c, Vec d) {
    const Vec ab = add(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    const Vec cd = add(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    _mm_storeu_ps(out, halves_sum(add(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee))));
}
GLM5_INLINE float sum(Vec a) {
    const __m128 quarters = halves_sum(a);
    const __m128 pairs = _mm_add_ps(quarters, _mm_movehl_ps(quarters, quarters));
    return _mm_cvtss_f32(_mm_add_ss(pairs, _mm_movehdup_ps(pairs)));
}
GLM5_INLINE float largest(Vec a) {
    const __m128 quarters = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 pairs = _mm_max_ps(quarters, _mm_movehl_ps(quarters, quarters));
    return _mm_cvtss_f32(_mm_max_ss(pairs, _mm_movehdup_ps(pairs)));
}
GLM5_INLINE Vec sum_mod4(Vec a) {
    return _mm256_set_m128(halves_sum(a), halves_sum(a));
}
GLM5_INLINE Vec max_mod4(Vec a) {
    return max(a, _mm256_permute2f128_ps(a, a, 1));
}

GLM5_INLINE __m256i select(__m256i otherwise, __m256i mask, __m256i chosen) {
    return _mm256_blendv_epi8(otherwise, chosen, mask);
}
GLM5_INLINE __m256i is_nan(Vec a) {
    return _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}

GLM5_INLINE __m256i bf16_bits(Vec a) {  // in the upper halves
    const __m256i bits = _mm256_castps_si256(a);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    return select(rounded, is_nan(a), _mm256_or_si256(bits, _mm256_set1_epi32(0x400000)));
}
GLM5_INLINE Vec load_bf16(const uint16_t* source) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
GLM5_INLINE void store_bf16(uint16_t* out, Vec a) {
    const __m256i bits = _mm256_srli_epi32(bf16_bits(a), 16);
    const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), packed);
}
GLM5_INLINE Vec round_bf16(Vec a) {
    return _mm256_castsi256_ps(_mm256_and_si256(bf16_bits(a), _mm256_set1_epi32(static_cast<int>(0xffff0000))));
}

GLM5_INLINE Vec load_e4m3(const uint8_t* source) {
    const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source)));
    const __m256i shifted = _mm256_srai_epi32(_mm256_slli_epi32(bytes, 24), 4);
    const __m256i fields = _mm256_and_si256(shifted, _mm256_set1_epi32(static_cast<int>(0x87f00000)));
    const __m256i nan = _mm256_cmpeq_epi32(_mm256_and_si256(bytes, _mm256_set1_epi32(0x7f)), _mm256_set1_epi32(0x7f));
    const __m256i scaled = _mm256_castps_si256(mul(_mm256_castsi256_ps(fields), set1(0x1p120f)));
    return _mm256_castsi256_ps(_mm256_or_si256(scaled, _mm256_and_si256(nan, _mm256_set1_epi32(0x7fc00000))));
}
// The values times 2^-8, as halves read them when the fields are moved into place; not for NaN.
GLM5_INLINE Vec load_e4m3_weight(const uint8_t* source) {
    const __m128i words = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source)));
    return _mm256_cvtph_ps(_mm_and_si128(_mm_slli_epi16(words, 7), _mm_set1_epi16(static_cast<short>(0xbf80))));
}
GLM5_INLINE void store_e4m3(uint8_t* out, Vec a) {
    const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(a), 24), _mm256_set1_epi32(0x80));
    const Vec magnitude = abs(a);
    const __m256i bits = _mm256_castps_si256(magnitude);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 20), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7ffff)), odd);
    __m256i code = _mm256_sub_epi32(_mm256_srli_epi32(rounded, 20), _mm256_set1_epi32(120 << 3));
    const Vec subnormal = _mm256_cmp_ps(magnitude, set1(0x1p-6f), _CMP_LT_OQ);
    code = select(code, _mm256_castps_si256(subnormal), _mm256_cvtps_epi32(mul(magnitude, set1(0x1p9f))));
    const Vec saturated = _mm256_cmp_ps(magnitude, set1(448.0f), _CMP_GE_OQ);
    code = select(code, _mm256_castps_si256(saturated), _mm256_set1_epi32(0x7e));
    code = _mm256_or_si256(select(code, is_nan(a), _mm256_set1_epi32(0x7f)), sign);
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(words, words));
}

}  // namespace glm5::cpu::avx2
