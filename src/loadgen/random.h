// The random numbers of numpy and Python, bit for bit, so that the same seed gives the same load as `vllm bench serve`:
// numpy.random.default_rng, the legacy numpy.random, and Python's random.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/check.h"

namespace glm5::loadgen {

// numpy.random.default_rng(seed) for seeds below 2^32: SeedSequence → PCG64 (XSL-RR).
class NumpyGenerator {
public:
    explicit NumpyGenerator(uint32_t seed);

    uint64_t next64();
    // The halves of next64(), the low one first.
    uint32_t next32();
    // integers(low, high): uniform in [low, high), by Lemire's method on next32(); 1 ≤ high - low ≤ 2^32. A span of 1
    // draws nothing.
    int64_t integers(int64_t low, int64_t high);

private:
    unsigned __int128 state_ = 0, increment_ = 0;
    std::optional<uint32_t> spare_;  // the high half
};

// MT19937.
class MersenneTwister {
public:
    explicit MersenneTwister(uint32_t seed);                  // init_genrand
    explicit MersenneTwister(std::span<const uint32_t> key);  // init_by_array

    uint32_t next();
    // [0, 1) with 53 bits, from two draws.
    double next_double();

private:
    void generate();

    static constexpr size_t kSize = 624;
    std::array<uint32_t, kSize> state_{};
    size_t position_ = kSize;
};

// numpy.random after numpy.random.seed(seed). Its streams are frozen.
class NumpyLegacyRandom {
public:
    explicit NumpyLegacyRandom(uint32_t seed) : twister_(seed) {}

    double exponential();  // scale 1
    double gamma(double shape, double scale);
    // randint(0, high), 1 ≤ high ≤ 2^32: the low bits of draws until one is in range; a span of 1 draws nothing.
    int64_t integer(int64_t high);

private:
    double normal();
    double standard_gamma(double shape);

    MersenneTwister twister_;
    std::optional<double> spare_normal_;
};

// Python's random after random.seed(seed).
class PythonRandom {
public:
    explicit PythonRandom(uint32_t seed) : twister_(std::span(&seed, 1)) {}

    // _randbelow(high), 1 ≤ high < 2^32; choice(list) is list[below(len(list))].
    uint32_t below(uint32_t high);

    // random.shuffle(items)
    template <typename Items>
    void shuffle(Items& items) {
        GLM5_CHECK(items.size() < UINT32_MAX);
        for (size_t i = items.size(); i-- > 1;) std::swap(items[i], items[below(static_cast<uint32_t>(i + 1))]);
    }

private:
    MersenneTwister twister_;
};

}  // namespace glm5::loadgen
