// ops/sampling_math.h: published vectors of the generators, and the errors of logarithm and exponential.
#include "ops/sampling_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace glm5::ops {
namespace {

void expect_philox(PhiloxBlock counter, uint32_t key0, uint32_t key1, PhiloxBlock expected) {
    const PhiloxBlock block = philox4x32_10(counter, key0, key1);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(block.word[i], expected.word[i]) << i;
}

// kat_vectors of Random123.
TEST(SamplingMath, PhiloxKnownAnswers) {
    expect_philox({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
    constexpr uint32_t kOnes = 0xffffffff;
    expect_philox({{kOnes, kOnes, kOnes, kOnes}}, kOnes, kOnes, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
    expect_philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
                  {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST(SamplingMath, TheKeyIsTheSeedAndTheCounterIdAndPosition) {
    EXPECT_EQ(random_word(0x299f31d0a4093822u, 0, 0),
              philox4x32_10({{0, 0, 0, 0}}, 0xa4093822, 0x299f31d0).word[0]);
    EXPECT_EQ(random_word(7, 11, 13), philox4x32_10({{13, 11, 0, 0}}, 7, 0).word[0]);
}

TEST(SamplingMath, Splitmix64KnownAnswers) {  // of the published generator with seed 1234567
    EXPECT_EQ(splitmix64(1234567), 6457827717110365317u);
    EXPECT_EQ(splitmix64(1234567 + 0x9e3779b97f4a7c15u), 3203168211198807973u);
}

double unit_in_last_place(double exact) {
    const float near = std::fabs(static_cast<float>(exact));
    return static_cast<double>(std::nextafter(near, INFINITY)) - near;
}

TEST(SamplingMath, LogarithmIsWithinItsBound) {
    double largest_units = 0, largest_near_one = 0;
    for (uint32_t bits = 0x00800000; bits < 0x7f800000; bits += 257) {
        const float x = std::bit_cast<float>(bits);
        const double exact = std::log(static_cast<double>(x)), error = std::fabs(sampling_log(x) - exact);
        if (std::fabs(exact) < 0.35) largest_near_one = std::max(largest_near_one, error);
        if (error > 1e-7) largest_units = std::max(largest_units, error / unit_in_last_place(exact));
    }
    EXPECT_LE(largest_units, 2.5);
    EXPECT_LE(largest_near_one, 1e-7);
    RecordProperty("largest_units", std::to_string(largest_units));
    EXPECT_EQ(sampling_log(1.0f), 0.0f);
}

TEST(SamplingMath, ExponentialIsWithinItsBound) {
    double largest = 0;
    for (uint32_t bits = 0x80000000; std::bit_cast<float>(bits) > -87.0f; bits += 257) {
        const float x = std::bit_cast<float>(bits);
        const double exact = std::exp(static_cast<double>(x));
        largest = std::max(largest, std::fabs(sampling_exp(x) - exact) / unit_in_last_place(exact));
    }
    EXPECT_LE(largest, 2.0);
    RecordProperty("largest_units", std::to_string(largest));
    EXPECT_EQ(sampling_exp(0.0f), 1.0f);
    EXPECT_EQ(sampling_exp(-0.0f), 1.0f);
    EXPECT_EQ(sampling_exp(-200.0f), 0.0f);
    EXPECT_EQ(sampling_exp(-INFINITY), 0.0f);
}

TEST(SamplingMath, UniformStaysInsideAndGumbelBelowItsBound) {
    EXPECT_EQ(uniform(0), 0x1p-33f);
    EXPECT_EQ(uniform(0xffffffff), 1 - 0x1p-24f);
    const auto check = [](uint32_t word) {
        const double u = std::min((word + 0.5) * 0x1p-32, 1 - 0x1p-24);
        EXPECT_NEAR(uniform(word), u, u * 1e-7);
        const double exact = -std::log(-std::log1p(-static_cast<double>(uniform(word))));
        ASSERT_NEAR(gumbel(word), exact, 1e-6 + 1e-6 * std::fabs(exact)) << word;
        ASSERT_LE(gumbel(word), gumbel_bound(word)) << word;
    };
    for (uint64_t word = 0; word <= 0xffffffff; word += 65521) check(static_cast<uint32_t>(word));
    for (int bit = 0; bit < 32; ++bit)
        for (int offset = -3; offset <= 3; ++offset) check((uint32_t{1} << bit) + offset);
    check(0xffffffff);
}

TEST(SamplingMath, ChoicesHaveDistinctSeeds) {
    std::vector<uint64_t> seeds;
    for (uint64_t seed : {0ull, 1ull, 2ull, ~0ull})
        for (uint32_t choice = 0; choice < 128; ++choice) seeds.push_back(choice_seed(seed, choice));
    std::sort(seeds.begin(), seeds.end());
    EXPECT_EQ(std::adjacent_find(seeds.begin(), seeds.end()), seeds.end());
}

}  // namespace
}  // namespace glm5::ops
