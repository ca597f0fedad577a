// The character classes of the split pattern: \p{L}, \p{N}, \s and the rest, at the Unicode version of the Hugging Face
// tokenizers release that is our oracle (16.0). The tables are generated; U+180E, U+200B and U+FEFF are no spaces.
#pragma once

#include <cstdint>

namespace glm5::text {

enum class CharClass : uint8_t { other = 0, letter = 1, number = 2, space = 3 };

// Code points from kClassEnd on are all `other`.
inline constexpr uint32_t kClassEnd = 0x32400;
inline constexpr int kClassBlockBits = 7;

extern const uint8_t kClassBlockOf[kClassEnd >> kClassBlockBits];
extern const uint8_t kClassBlocks[];

inline CharClass char_class(uint32_t code_point) {
    if (code_point >= kClassEnd) return CharClass::other;
    const uint32_t block = kClassBlockOf[code_point >> kClassBlockBits];
    const uint32_t place = block << kClassBlockBits | (code_point & ((1u << kClassBlockBits) - 1));
    return static_cast<CharClass>(kClassBlocks[place >> 2] >> (2 * (place & 3)) & 3);
}

}  // namespace glm5::text
