// The generators. Arithmetic is modulo the width of the types; constants are those of the algorithms' authors.
#include "loadgen/random.h"

#include <bit>
#include <cmath>

namespace glm5::loadgen {
namespace {

using Wide = unsigned __int128;

constexpr Wide kPcgMultiplier = (Wide{0x2360ED051FC65DA4} << 64) | 0x4385DF649FCCF645;

// SeedSequence(seed).generate_state(8, uint32).
std::array<uint32_t, 8> seed_sequence(uint32_t seed) {
    uint32_t hash = 0x43b0d7e5;
    const auto hashmix = [&](uint32_t value) {
        value ^= hash;
        hash *= 0x931e8875;
        value *= hash;
        return value ^ (value >> 16);
    };
    const auto mix = [](uint32_t x, uint32_t y) {
        const uint32_t result = 0xca01f9dd * x - 0x4973f715 * y;
        return result ^ (result >> 16);
    };
    std::array<uint32_t, 4> pool{};
    for (size_t i = 0; i < pool.size(); ++i) pool[i] = hashmix(i == 0 ? seed : 0);
    for (size_t source = 0; source < pool.size(); ++source)
        for (size_t target = 0; target < pool.size(); ++target)
            if (source != target) pool[target] = mix(pool[target], hashmix(pool[source]));
    std::array<uint32_t, 8> words{};
    uint32_t output_hash = 0x8b51f9dd;
    for (size_t i = 0; i < words.size(); ++i) {
        uint32_t value = pool[i % pool.size()] ^ output_hash;
        output_hash *= 0x58f38ded;
        value *= output_hash;
        words[i] = value ^ (value >> 16);
    }
    return words;
}

}  // namespace

NumpyGenerator::NumpyGenerator(uint32_t seed) {
    const auto words = seed_sequence(seed);
    const auto word64 = [&](size_t i) { return uint64_t{words[2 * i + 1]} << 32 | words[2 * i]; };
    const Wide initial_state = Wide{word64(0)} << 64 | word64(1);
    const Wide sequence = Wide{word64(2)} << 64 | word64(3);
    increment_ = sequence << 1 | 1;
    state_ = increment_ + initial_state;  // a step from zero, then the sum
    state_ = state_ * kPcgMultiplier + increment_;
}

uint64_t NumpyGenerator::next64() {
    state_ = state_ * kPcgMultiplier + increment_;
    const auto high = static_cast<uint64_t>(state_ >> 64), low = static_cast<uint64_t>(state_);
    return std::rotr(high ^ low, static_cast<int>(high >> 58));
}

uint32_t NumpyGenerator::next32() {
    if (spare_) return *std::exchange(spare_, std::nullopt);
    const uint64_t value = next64();
    spare_ = static_cast<uint32_t>(value >> 32);
    return static_cast<uint32_t>(value);
}

int64_t NumpyGenerator::integers(int64_t low, int64_t high) {
    const auto span = static_cast<uint64_t>(high - low);
    GLM5_CHECK(low < high && span <= uint64_t{1} << 32, "{} … {}", low, high);
    if (span == 1) return low;
    uint64_t product = next32() * span;
    const uint64_t threshold = ((uint64_t{1} << 32) - span) % span;
    while (static_cast<uint32_t>(product) < threshold) product = next32() * span;
    return low + static_cast<int64_t>(product >> 32);
}

MersenneTwister::MersenneTwister(uint32_t seed) {
    state_[0] = seed;
    for (uint32_t i = 1; i < kSize; ++i) state_[i] = 1812433253 * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
}

MersenneTwister::MersenneTwister(std::span<const uint32_t> key) : MersenneTwister(19650218) {
    size_t i = 1, j = 0;
    const auto wrap = [&] {
        if (++i < kSize) return;
        state_[0] = state_[kSize - 1];
        i = 1;
    };
    const auto scrambled = [&] { return state_[i - 1] ^ (state_[i - 1] >> 30); };
    for (size_t n = std::max(kSize, key.size()); n > 0; --n) {
        state_[i] = (state_[i] ^ (scrambled() * 1664525)) + key[j] + static_cast<uint32_t>(j);
        wrap();
        j = (j + 1) % key.size();
    }
    for (size_t n = kSize - 1; n > 0; --n) {
        state_[i] = (state_[i] ^ (scrambled() * 1566083941)) - static_cast<uint32_t>(i);
        wrap();
    }
    state_[0] = 0x80000000;
}

void MersenneTwister::generate() {
    for (size_t i = 0; i < kSize; ++i) {
        const uint32_t bits = (state_[i] & 0x80000000) | (state_[(i + 1) % kSize] & 0x7fffffff);
        state_[i] = state_[(i + 397) % kSize] ^ (bits >> 1) ^ (bits & 1 ? 0x9908b0df : 0);
    }
    position_ = 0;
}

uint32_t MersenneTwister::next() {
    if (position_ == kSize) generate();
    uint32_t value = state_[position_++];
    value ^= value >> 11;
    value ^= (value << 7) & 0x9d2c5680;
    value ^= (value << 15) & 0xefc60000;
    return value ^ (value >> 18);
}

double MersenneTwister::next_double() {
    const uint32_t a = next() >> 5, b = next() >> 6;
    return (a * 67108864.0 + b) / 9007199254740992.0;
}

double NumpyLegacyRandom::exponential() {
    return -std::log(1.0 - twister_.next_double());
}

// Marsaglia's polar method; of the two values of a round the second comes first.
double NumpyLegacyRandom::normal() {
    if (spare_normal_) return *std::exchange(spare_normal_, std::nullopt);
    double x, y, square;
    do {
        x = 2.0 * twister_.next_double() - 1.0;
        y = 2.0 * twister_.next_double() - 1.0;
        square = x * x + y * y;
    } while (square >= 1.0 || square == 0.0);
    const double factor = std::sqrt(-2.0 * std::log(square) / square);
    spare_normal_ = factor * x;
    return factor * y;
}

// Exponential for shape 1, Ahrens and Dieter below, Marsaglia and Tsang above.
double NumpyLegacyRandom::standard_gamma(double shape) {
    if (shape == 1.0) return exponential();
    if (shape < 1.0) {
        for (;;) {
            const double u = twister_.next_double();
            const double v = exponential();
            if (u <= 1.0 - shape) {
                const double x = std::pow(u, 1.0 / shape);
                if (x <= v) return x;
            } else {
                const double y = -std::log((1.0 - u) / shape);
                const double x = std::pow(1.0 - shape + shape * y, 1.0 / shape);
                if (x <= v + y) return x;
            }
        }
    }
    const double b = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * b);
    for (;;) {
        double x, v;
        do {
            x = normal();
            v = 1.0 + c * x;
        } while (v <= 0.0);
        v = v * v * v;
        const double u = twister_.next_double();
        if (u < 1.0 - 0.0331 * (x * x) * (x * x)) return b * v;
        if (std::log(u) < 0.5 * x * x + b * (1.0 - v + std::log(v))) return b * v;
    }
}

double NumpyLegacyRandom::gamma(double shape, double scale) {
    return scale * standard_gamma(shape);
}

int64_t NumpyLegacyRandom::integer(int64_t high) {
    GLM5_CHECK(high >= 1 && high <= int64_t{1} << 32, "{}", high);
    const auto largest = static_cast<uint32_t>(high - 1);
    if (largest == 0) return 0;
    const uint32_t mask = UINT32_MAX >> std::countl_zero(largest);
    uint32_t value;
    do value = twister_.next() & mask;
    while (value > largest);
    return value;
}

uint32_t PythonRandom::below(uint32_t high) {
    const int unused_bits = std::countl_zero(high);
    uint32_t value;
    do value = twister_.next() >> unused_bits;
    while (value >= high);
    return value;
}

}  // namespace glm5::loadgen
