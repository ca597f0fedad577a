// The arithmetic of ops/sample.h: random numbers, logarithm, exponential, penalties, masses. Every backend computes
// with these functions, so that all choose the same token from the same logits.
//
// Only operations that IEEE 754 rounds in one way, and no product feeds a sum but through fma: compilers that contract
// expressions find nothing to contract. Denormals must not be flushed and division must be exact (nvcc's defaults).
#pragma once

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define GLM5_SAMPLING_FUNCTION __host__ __device__ inline
#else
#define GLM5_SAMPLING_FUNCTION inline
#endif

namespace glm5::ops {

// The bijective mix of splitmix64, with its increment.
GLM5_SAMPLING_FUNCTION uint64_t splitmix64(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// The seed of choice i of a request; distinct for distinct choices.
GLM5_SAMPLING_FUNCTION uint64_t choice_seed(uint64_t seed, uint32_t choice) {
    return splitmix64(splitmix64(seed) + choice);
}

struct PhiloxBlock {
    uint32_t word[4];
};

// Philox4x32 with 10 rounds (Salmon et al., Parallel random numbers: as easy as 1, 2, 3).
GLM5_SAMPLING_FUNCTION PhiloxBlock philox4x32_10(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
        const uint64_t product0 = uint64_t{0xd2511f53u} * counter.word[0];
        const uint64_t product1 = uint64_t{0xcd9e8d57u} * counter.word[2];
        counter = {{static_cast<uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(product1),
                    static_cast<uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(product0)}};
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
    return counter;
}

// The random bits of one token id at one position.
GLM5_SAMPLING_FUNCTION uint32_t random_word(uint64_t seed, uint32_t position, uint32_t id) {
    return philox4x32_10({{id, position, 0, 0}}, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32))
        .word[0];
}

// (word + 1/2) / 2^32 rounded to float, at most 1 - 2^-24: in (0, 1), and fine where it is small.
GLM5_SAMPLING_FUNCTION float uniform(uint32_t word) {
    const float value = std::fma(static_cast<float>(word), 0x1p-32f, 0x1p-33f);
    return value < 0x1.fffffep-1f ? value : 0x1.fffffep-1f;
}

// exponent · ln 2 + log(1 + f) for -0.3 < f < 0.42, from log(1 + f) = 2 atanh(s) = 2 (s + s³/3 + …), s = f / (2 + f).
GLM5_SAMPLING_FUNCTION float log_from(int exponent, float f) {
    const float s = f / (2.0f + f);
    const float s2 = s * s;
    float tail = std::fma(s2, 1.0f / 9, 1.0f / 7);
    tail = std::fma(s2, tail, 1.0f / 5);
    tail = std::fma(s2, tail, 1.0f / 3);
    const float twice = s + s;
    const float log1p = std::fma(twice * s2, tail, twice);
    return std::fma(static_cast<float>(exponent), 0x1.62e43p-1f, log1p);
}

// log x of a positive normal x; within 2.5 units in the last place, or 1e-7 where that is more.
GLM5_SAMPLING_FUNCTION float sampling_log(float x) {
    // x = 2^exponent · m with m in [sqrt 1/2, sqrt 2).
    constexpr uint32_t kSqrtHalf = 0x3f3504f3u;
    const uint32_t above = std::bit_cast<uint32_t>(x) - kSqrtHalf;
    const int exponent = static_cast<int32_t>(above) >> 23;
    return log_from(exponent, std::bit_cast<float>((above & 0x007fffffu) + kSqrtHalf) - 1.0f);
}

// e^x for x ≤ 0; within 2 units in the last place down to -87, 0 below that. exp(0) is 1.
GLM5_SAMPLING_FUNCTION float sampling_exp(float x) {
    if (!(x > -87.0f)) return 0.0f;
    constexpr float kShift = 0x1.8p23f;  // adding it rounds to an integer
    const float exponent = std::fma(x, 0x1.715476p0f, kShift) - kShift;
    float r = std::fma(exponent, -0x1.62e4p-1f, x);
    r = std::fma(exponent, -0x1.7f7d1cp-20f, r);
    float y = std::fma(r, 1.0f / 5040, 1.0f / 720);
    y = std::fma(r, y, 1.0f / 120);
    y = std::fma(r, y, 1.0f / 24);
    y = std::fma(r, y, 1.0f / 6);
    y = std::fma(r, y, 0.5f);
    y = std::fma(r, y, 1.0f);
    y = std::fma(r, y, 1.0f);
    return y * std::bit_cast<float>(static_cast<uint32_t>(static_cast<int>(exponent) + 127) << 23);
}

// -log(-log(1 - uniform)): uniform is finest near 0, where this is largest and a choice is decided.
GLM5_SAMPLING_FUNCTION float gumbel(uint32_t word) {
    const float u = uniform(word);
    return -sampling_log(-(u < 0.25f ? log_from(0, -u) : sampling_log(1.0f - u)));
}

// At least gumbel(word), cheaply: uniform ≥ 2^-(zeros + 1), and -log(1 - u) ≥ u.
GLM5_SAMPLING_FUNCTION float gumbel_bound(uint32_t word) {
    return static_cast<float>(std::countl_zero(word) + 1) * 0.6932f;
}

// Step 2 for an id in the history.
GLM5_SAMPLING_FUNCTION float penalised(float logit, float repetition, float presence, float frequency, int32_t count) {
    const float scaled = logit > 0 ? logit / repetition : logit * repetition;
    return scaled - std::fma(frequency, static_cast<float>(count), count > 0 ? presence : 0.0f);
}

// Step 3: NaN never counts, and no value is so large that differences are undefined.
GLM5_SAMPLING_FUNCTION float usable_logit(float logit) {
    if (!(logit >= -FLT_MAX)) return -INFINITY;
    return logit < FLT_MAX ? logit : FLT_MAX;
}

// What an id weighs in top_p: whole units of 2^-40, so that sums do not depend on their order. 2^18 ids fit.
GLM5_SAMPLING_FUNCTION uint64_t mass(float x) {
    return static_cast<uint64_t>(sampling_exp(x) * 0x1p40f);
}

// Step 7: whether an id stays when the mass before it is `before`.
GLM5_SAMPLING_FUNCTION bool within_top_p(uint64_t before, float top_p, uint64_t total) {
    return static_cast<double>(before) < static_cast<double>(top_p) * static_cast<double>(total);
}

}  // namespace glm5::ops
