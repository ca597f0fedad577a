// Element types of tensors, and their exact conversions to and from float32 (scalar; backends have vector twins).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace glm5 {

enum class DType : uint8_t { f32, bf16, f16, f8_e4m3, u8, i32, i64 };

constexpr int dtype_bytes(DType dtype) {
    switch (dtype) {
        case DType::f32: case DType::i32: return 4;
        case DType::bf16: case DType::f16: return 2;
        case DType::f8_e4m3: case DType::u8: return 1;
        case DType::i64: return 8;
    }
    return 0;
}

// The safetensors name: F32, BF16, F16, F8_E4M3, U8, I32, I64.
constexpr std::string_view dtype_name(DType dtype) {
    switch (dtype) {
        case DType::f32: return "F32";
        case DType::bf16: return "BF16";
        case DType::f16: return "F16";
        case DType::f8_e4m3: return "F8_E4M3";
        case DType::u8: return "U8";
        case DType::i32: return "I32";
        case DType::i64: return "I64";
    }
    return "?";
}

// bf16: the upper half of a float32.
inline float bf16_to_f32(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

// Rounds to nearest, ties to even; NaN stays NaN.
inline uint16_t f32_to_bf16(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    if (value != value) return static_cast<uint16_t>((bits >> 16) | 0x40);
    return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// R(x) of docs/model.md: rounded to bf16, kept as float32.
inline float round_bf16(float value) { return bf16_to_f32(f32_to_bf16(value)); }

// IEEE half.
inline float f16_to_f32(uint16_t value) {
    const uint32_t sign = static_cast<uint32_t>(value & 0x8000) << 16;
    const uint32_t magnitude = value & 0x7fff;
    if (magnitude >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    // Shifting the fields into place leaves the exponent 112 too low; the product mends it, subnormals included.
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f));
}

// E4M3FN: bias 7, largest value 448, no infinities, NaN = 0x7f and 0xff, smallest subnormal 2^-9.
inline float e4m3_to_f32(uint8_t value) {
    const uint32_t sign = static_cast<uint32_t>(value & 0x80) << 24;
    const uint32_t magnitude = value & 0x7f;
    if (magnitude == 0x7f) return std::bit_cast<float>(sign | 0x7fc00000);
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 20) * 0x1p120f));
}

// Rounds to nearest, ties to even; saturates at ±448; NaN stays NaN.
inline uint8_t f32_to_e4m3(float value) {
    const auto sign = static_cast<uint8_t>(std::bit_cast<uint32_t>(value) >> 24 & 0x80);
    if (value != value) return sign | 0x7f;
    const float magnitude = std::fabs(value);
    if (magnitude >= 448.0f) return sign | 0x7e;
    if (magnitude < 0x1p-6f) return sign | static_cast<uint8_t>(std::nearbyint(magnitude * 0x1p9f));  // subnormal
    const auto bits = std::bit_cast<uint32_t>(magnitude);
    const uint32_t rounded = bits + 0x7ffff + ((bits >> 20) & 1);
    return sign | static_cast<uint8_t>((rounded >> 20) - (120u << 3));
}

// Tokens in a cache page, in every format.
inline constexpr int kPageTokens = 64;

// How one token's latent and its rotated key are stored in a cache page (docs/kv_cache.md).
enum class LatentFormat : uint8_t { f32, bf16, fp8_ds_mla };

// As --kv-cache-dtype spells it.
constexpr std::string_view latent_format_name(LatentFormat format) {
    switch (format) {
        case LatentFormat::f32: return "float32";
        case LatentFormat::bf16: return "bfloat16";
        case LatentFormat::fp8_ds_mla: return "fp8_ds_mla";
    }
    return "?";
}

// How one token's index key is stored.
enum class IndexKeyFormat : uint8_t { f32, e4m3 };

}  // namespace glm5
