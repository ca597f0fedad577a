// UTF-8 validation and repair. One table of lead bytes decides for both: see `expectation`.
#include "text/utf8.h"

#include <cstring>

namespace glm5::text {
namespace {

// What a lead byte asks for: how many bytes follow, and the range of the first of them (the others are 80..BF). The
// narrowed ranges keep out overlong forms, surrogates and what lies beyond U+10FFFF.
struct Expectation {
    int num_following;  // 0: not a lead byte of a longer character
    unsigned char lowest, highest;
};

Expectation expectation(unsigned char lead) {
    if (lead >= 0xC2 && lead <= 0xDF) return {1, 0x80, 0xBF};
    if (lead == 0xE0) return {2, 0xA0, 0xBF};
    if (lead == 0xED) return {2, 0x80, 0x9F};
    if (lead >= 0xE1 && lead <= 0xEF) return {2, 0x80, 0xBF};
    if (lead == 0xF0) return {3, 0x90, 0xBF};
    if (lead >= 0xF1 && lead <= 0xF3) return {3, 0x80, 0xBF};
    if (lead == 0xF4) return {3, 0x80, 0x8F};
    return {0, 0, 0};
}

// The length of the ASCII at the front of `text`.
size_t ascii_prefix(std::string_view text) {
    size_t length = 0;
    for (; text.size() - length >= 8; length += 8) {
        uint64_t word;
        std::memcpy(&word, text.data() + length, 8);
        if (word & 0x8080808080808080u) break;
    }
    while (length < text.size() && static_cast<unsigned char>(text[length]) < 0x80) ++length;
    return length;
}

}  // namespace

void append_utf8(std::string& out, uint32_t code_point) {
    const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code_point < 0x80) {
        put(code_point);
    } else if (code_point < 0x800) {
        put(0xC0 | code_point >> 6);
        put(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        put(0xE0 | code_point >> 12);
        put(0x80 | (code_point >> 6 & 0x3F));
        put(0x80 | (code_point & 0x3F));
    } else {
        put(0xF0 | code_point >> 18);
        put(0x80 | (code_point >> 12 & 0x3F));
        put(0x80 | (code_point >> 6 & 0x3F));
        put(0x80 | (code_point & 0x3F));
    }
}

size_t valid_utf8_prefix(std::string_view text) {
    size_t length = 0;
    while (true) {
        length += ascii_prefix(text.substr(length));
        if (length == text.size()) return length;
        const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[length + i]); };
        const Expectation expected = expectation(byte(0));
        const auto num_following = static_cast<size_t>(expected.num_following);
        if (num_following == 0 || text.size() - length <= num_following) return length;
        if (byte(1) < expected.lowest || byte(1) > expected.highest) return length;
        for (size_t i = 2; i <= num_following; ++i) {
            if ((byte(i) & 0xC0) != 0x80) return length;
        }
        length += 1 + num_following;
    }
}

std::string replace_invalid_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    Utf8Repairer repairer;
    repairer.append(out, text);
    repairer.finish(out);
    return out;
}

void Utf8Repairer::append(std::string& out, std::string_view bytes) {
    while (!bytes.empty()) {
        if (num_held_ == 0) {
            const size_t length = valid_utf8_prefix(bytes);
            out.append(bytes.substr(0, length));
            bytes.remove_prefix(length);
            if (bytes.empty()) return;
        }
        append_byte(out, static_cast<unsigned char>(bytes.front()));
        bytes.remove_prefix(1);
    }
}

void Utf8Repairer::append_byte(std::string& out, unsigned char byte) {
    if (num_held_ > 0 && (byte < lowest_ || byte > highest_)) finish(out);  // `byte` then starts anew
    if (num_held_ == 0) {
        const Expectation expected = expectation(byte);
        if (expected.num_following == 0) {
            if (byte < 0x80) {
                out.push_back(static_cast<char>(byte));
            } else {
                out.append(kReplacementCharacter);
            }
            return;
        }
        num_missing_ = expected.num_following;
        lowest_ = expected.lowest;
        highest_ = expected.highest;
    } else {
        --num_missing_;
        lowest_ = 0x80;
        highest_ = 0xBF;
    }
    held_[num_held_++] = static_cast<char>(byte);
    if (num_missing_ == 0) {
        out.append(held_, static_cast<size_t>(num_held_));
        num_held_ = 0;
    }
}

void Utf8Repairer::finish(std::string& out) {
    if (num_held_ > 0) out.append(kReplacementCharacter);
    num_held_ = 0;
}

}  // namespace glm5::text
