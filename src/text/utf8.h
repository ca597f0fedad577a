// UTF-8: decoding, validation, and the replacement of what is invalid by U+FFFD, one for each maximal invalid part
// (the WHATWG rule, which Rust's and Python's lossy decoders share).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace glm5::text {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

struct DecodedChar {
    uint32_t code_point;
    int length;  // bytes
};

// The character at `offset` of valid UTF-8.
inline DecodedChar decode_valid_utf8(std::string_view text, size_t offset) {
    const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[offset + i])); };
    const uint32_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
    if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
    return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

// Appends the character; `code_point` is a Unicode scalar value.
void append_utf8(std::string& out, uint32_t code_point);

// The length of the longest prefix that is whole, valid characters.
size_t valid_utf8_prefix(std::string_view text);

inline bool is_valid_utf8(std::string_view text) {
    return valid_utf8_prefix(text) == text.size();
}

// `text` with each maximal invalid part replaced by U+FFFD; an unfinished character at the end is one such part.
std::string replace_invalid_utf8(std::string_view text);

// replace_invalid_utf8 for text that comes in parts: every character leaves as soon as its last byte is there, every
// U+FFFD as soon as the bytes cannot become a character any more. At most three bytes are held back.
class Utf8Repairer {
public:
    // Appends to `out` what `bytes` completes.
    void append(std::string& out, std::string_view bytes);
    // The end of the text: a character that is unfinished becomes U+FFFD. Ready for another text then.
    void finish(std::string& out);

private:
    void append_byte(std::string& out, unsigned char byte);

    char held_[4] = {};  // the bytes of an unfinished character
    int num_held_ = 0;
    int num_missing_ = 0;                           // bytes that it still needs
    unsigned char lowest_ = 0x80, highest_ = 0xBF;  // what its next byte may be
};

}  // namespace glm5::text
