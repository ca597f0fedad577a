// The scalar conversions of base/dtype.h against their definitions, for every value of the small formats.
#include "base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace glm5 {
namespace {

// The value that sign, exponent and mantissa fields stand for, by the definition of a binary format.
double field_value(int sign, int exponent, int mantissa, int mantissa_bits, int bias) {
    const double fraction = mantissa * std::exp2(-mantissa_bits);
    const double magnitude = exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
    return sign ? -magnitude : magnitude;
}

TEST(DType, E4m3DecodesEveryCode) {
    for (int code = 0; code < 256; ++code) {
        const float value = e4m3_to_f32(static_cast<uint8_t>(code));
        if ((code & 0x7f) == 0x7f)
            EXPECT_TRUE(std::isnan(value)) << code;
        else
            EXPECT_EQ(value, field_value(code >> 7, code >> 3 & 15, code & 7, 3, 7)) << code;
    }
    EXPECT_EQ(e4m3_to_f32(0x7e), 448.0f);
    EXPECT_EQ(e4m3_to_f32(0x01), 0x1p-9f);
}

TEST(DType, F16DecodesEveryCode) {
    for (int code = 0; code < 65536; ++code) {
        const float value = f16_to_f32(static_cast<uint16_t>(code));
        const int exponent = code >> 10 & 31, mantissa = code & 1023;
        if (exponent == 31)
            EXPECT_TRUE(mantissa ? std::isnan(value) : std::isinf(value)) << code;
        else
            EXPECT_EQ(value, field_value(code >> 15, exponent, mantissa, 10, 15)) << code;
    }
}

TEST(DType, E4m3EncodesToTheNearestTiesToEven) {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> exponent(-12, 9.5f);
    for (int i = 0; i < 200000; ++i) {
        float value = std::exp2(exponent(random)) * (i % 2 ? -1 : 1);
        if (i % 3 == 0) {  // halfway between two codes
            const auto code = static_cast<uint8_t>(i % 125);
            value = (e4m3_to_f32(code) + e4m3_to_f32(code + 1)) / 2;
        }
        const uint8_t encoded = f32_to_e4m3(value);
        uint8_t nearest = 0;
        double best = std::numeric_limits<double>::infinity();
        for (int code = 0; code < 256; ++code) {
            if ((code & 0x7f) == 0x7f || (code >> 7) != std::signbit(value)) continue;
            const double distance = std::fabs(double{e4m3_to_f32(static_cast<uint8_t>(code))} - value);
            if (distance < best || (distance == best && code % 2 == 0)) best = distance, nearest = static_cast<uint8_t>(code);
        }
        ASSERT_EQ(encoded, nearest) << value;
    }
    EXPECT_EQ(f32_to_e4m3(1e9f), 0x7e);
    EXPECT_EQ(f32_to_e4m3(-std::numeric_limits<float>::infinity()), 0xfe);
    EXPECT_TRUE(std::isnan(e4m3_to_f32(f32_to_e4m3(std::nanf("")))));
}

TEST(DType, E4m3RoundTripsEveryCode) {
    for (int code = 0; code < 256; ++code) {
        if ((code & 0x7f) == 0x7f) continue;
        EXPECT_EQ(f32_to_e4m3(e4m3_to_f32(static_cast<uint8_t>(code))), code);
    }
}

TEST(DType, Bf16RoundsToNearestEven) {
    EXPECT_EQ(round_bf16(1.0f), 1.0f);
    EXPECT_EQ(round_bf16(1.0f + 0x1p-8f), 1.0f);                       // tie, to even
    EXPECT_EQ(round_bf16(1.0f + 0x1p-7f + 0x1p-8f), 1.0f + 0x1p-6f);   // tie, to even
    EXPECT_EQ(round_bf16(1.0f + 0x1p-8f + 0x1p-20f), 1.0f + 0x1p-7f);  // above the tie
    EXPECT_TRUE(std::isnan(round_bf16(std::nanf(""))));
    EXPECT_EQ(round_bf16(std::numeric_limits<float>::infinity()), std::numeric_limits<float>::infinity());
    for (int code = 0; code < 65536; ++code) {
        const float value = bf16_to_f32(static_cast<uint16_t>(code));
        if (std::isnan(value)) continue;
        EXPECT_EQ(f32_to_bf16(value), code);
    }
}

}  // namespace
}  // namespace glm5
