// Number formats and row kernels of every instruction set against the scalar conversions of base/dtype.h and libm.
#include "backend/cpu/kernels.h"
#include "backend/support.h"

namespace glm5::backend_test {
namespace {

uint32_t bits(float value) {
    return std::bit_cast<uint32_t>(value);
}
// The sign of a NaN is not compared.
bool same(float a, float b) {
    return (a != a && b != b) || bits(a) == bits(b);
}

// Every float whose lower half is one of a few patterns: all exponents, ties and their neighbours, NaN, infinities.
std::vector<float> telling_floats() {
    std::vector<float> values;
    for (uint32_t upper = 0; upper < 0x10000; ++upper)
        for (uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
            values.push_back(std::bit_cast<float>(upper << 16 | lower));
    return values;
}

class Conversions : public testing::TestWithParam<InstructionSet> {
protected:
    const cpu::Kernels& kernels = cpu::kernels_for(GetParam());
};

TEST_P(Conversions, ExpandEveryE4m3Code) {
    std::vector<uint8_t> codes;
    for (int code = 0; code < 256; ++code) codes.push_back(static_cast<uint8_t>(code));
    for (int64_t n : {256, 255, 3}) {
        std::vector<float> values(n + 1, -1.0f);
        kernels.expand_e4m3(values.data(), codes.data() + 256 - n, 1.0f, n);
        for (int64_t i = 0; i < n; ++i) EXPECT_TRUE(same(values[i], e4m3_to_f32(codes[256 - n + i]))) << i;
        EXPECT_EQ(values[n], -1.0f);
    }
}

TEST_P(Conversions, ExpandEveryBf16) {
    std::vector<uint16_t> halves;
    for (int half = 0; half < 0x10000; ++half) halves.push_back(static_cast<uint16_t>(half));
    std::vector<float> values(halves.size());
    kernels.expand_bf16(values.data(), halves.data(), 0x10000);
    for (int half = 0; half < 0x10000; ++half) ASSERT_TRUE(same(values[half], bf16_to_f32(halves[half]))) << half;
}

TEST_P(Conversions, RoundToBf16) {
    std::vector<float> values = telling_floats();
    const auto n = static_cast<int64_t>(values.size());
    std::vector<uint16_t> halves(n);
    kernels.pack_bf16(halves.data(), values.data(), n);
    std::vector<float> in_place = values;
    kernels.round(in_place.data(), n);
    for (int64_t i = 0; i < n; ++i) {
        ASSERT_EQ(halves[i], f32_to_bf16(values[i])) << std::hex << bits(values[i]);
        ASSERT_EQ(bits(in_place[i]), bits(round_bf16(values[i]))) << std::hex << bits(values[i]);
    }
}

TEST_P(Conversions, QuantiseToE4m3) {
    std::vector<float> values = telling_floats();
    for (int code = 0; code < 0x7f; ++code) {  // ties between codes and what is next to them
        const float tie = (e4m3_to_f32(static_cast<uint8_t>(code)) + e4m3_to_f32(static_cast<uint8_t>(code + 1))) / 2;
        for (float value : {tie, std::nextafter(tie, 0.0f), std::nextafter(tie, 1e9f), -tie}) values.push_back(value);
    }
    const auto n = static_cast<int64_t>(values.size());
    for (float scale : {1.0f, 0.37f}) {
        std::vector<uint8_t> codes(n);
        kernels.quantise(codes.data(), values.data(), scale, n);
        for (int64_t i = 0; i < n; ++i) {
            const uint8_t expected = f32_to_e4m3(values[i] / scale);
            if (values[i] != values[i])
                ASSERT_EQ(codes[i] & 0x7f, 0x7f);
            else
                ASSERT_EQ(codes[i], expected) << values[i];
        }
    }
}

TEST_P(Conversions, SigmoidAndSiluKeepFloatPrecision) {
    std::vector<float> values;
    for (float value = -104.0f; value < 104.0f; value += 0.01171f) values.push_back(value);
    const auto n = static_cast<int64_t>(values.size());
    std::vector<float> sigmoid = values, silu = values;
    const std::vector<float> ones(n, 1.0f);
    kernels.sigmoid(sigmoid.data(), n);
    kernels.silu_multiply(silu.data(), ones.data(), n, false);
    for (int64_t i = 0; i < n; ++i) {
        const double x = values[i], expected = 1 / (1 + std::exp(-x));
        // e^-x overflows below -88: the result is then zero or the least of what is left of its precision.
        EXPECT_NEAR(sigmoid[i], expected, 4e-7 * expected + 2e-38) << x;
        EXPECT_NEAR(silu[i], x * expected, 4e-7 * std::fabs(x * expected) + 2e-36) << x;
    }
}

TEST_P(Conversions, SpecialValuesOfSigmoid) {
    float values[] = {INFINITY, -INFINITY, NAN, 0.0f, 1e30f, -1e30f};
    kernels.sigmoid(values, 6);
    EXPECT_EQ(values[0], 1.0f);
    EXPECT_EQ(values[1], 0.0f);
    EXPECT_TRUE(std::isnan(values[2]));
    EXPECT_EQ(values[3], 0.5f);
    EXPECT_EQ(values[4], 1.0f);
    EXPECT_EQ(values[5], 0.0f);
}

TEST_P(Conversions, LargestMagnitudeIgnoresNan) {
    for (int n = 1; n < 40; ++n) {
        std::vector<float> values(n, 1.0f);
        values[n - 1] = -7.0f;
        if (n > 1) values[0] = NAN;
        EXPECT_EQ(kernels.largest_magnitude(values.data(), n), 7.0f) << n;
    }
}

INSTANTIATE_TEST_SUITE_P(Sets, Conversions, testing::ValuesIn(machine_sets()), set_name);

}  // namespace
}  // namespace glm5::backend_test
