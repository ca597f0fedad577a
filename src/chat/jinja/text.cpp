// UTF-8 walking, Python's white space, stripping and case mapping.
#include "chat/jinja/text.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "chat/jinja/unicode_tables.h"

namespace glm5::chat::jinja {
namespace {

bool is_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// Number of bytes among the eight of `word` that begin a code point.
int count_starts(uint64_t word) {
    constexpr uint64_t kHighBits = 0x8080808080808080;
    const uint64_t continuation = word & ~(word << 1) & kHighBits;  // 10xxxxxx
    return 8 - std::popcount(continuation);
}

char32_t find_case_range(std::span<const CaseRange> ranges, char32_t code_point) {
    const auto after = std::upper_bound(ranges.begin(), ranges.end(), code_point,
                                        [](char32_t value, const CaseRange& range) { return value < range.first; });
    if (after == ranges.begin()) return code_point;
    const CaseRange& range = *(after - 1);
    if (code_point > range.last || (code_point - range.first) % range.stride != 0) return code_point;
    return code_point + static_cast<char32_t>(range.delta);
}

const SpecialCase* find_special(std::span<const SpecialCase> cases, char32_t code_point) {
    const auto found =
        std::lower_bound(cases.begin(), cases.end(), code_point,
                         [](const SpecialCase& entry, char32_t value) { return entry.code_point < value; });
    return found != cases.end() && found->code_point == code_point ? &*found : nullptr;
}

void append_special(std::string& out, const SpecialCase& entry) {
    for (const uint32_t mapped : entry.mapped)
        if (mapped != 0) append_code_point(out, mapped);
}

void append_lower(std::string& out, char32_t code_point) {
    if (code_point < 0x80) {
        out += static_cast<char>(code_point >= 'A' && code_point <= 'Z' ? code_point + 32 : code_point);
    } else if (const SpecialCase* special = find_special(kSpecialLower, code_point)) {
        append_special(out, *special);
    } else {
        append_code_point(out, find_case_range(kLowerRanges, code_point));
    }
}

void append_upper(std::string& out, char32_t code_point) {
    if (code_point < 0x80) {
        out += static_cast<char>(code_point >= 'a' && code_point <= 'z' ? code_point - 32 : code_point);
    } else if (const SpecialCase* special = find_special(kSpecialUpper, code_point)) {
        append_special(out, *special);
    } else {
        append_code_point(out, find_case_range(kUpperRanges, code_point));
    }
}

void append_title(std::string& out, char32_t code_point) {
    if (const SpecialCase* special = find_special(kSpecialTitle, code_point)) return append_special(out, *special);
    append_upper(out, code_point);
}

bool has_lower(char32_t c) {
    return find_case_range(kLowerRanges, c) != c || find_special(kSpecialLower, c);
}
bool has_upper(char32_t c) {
    return find_case_range(kUpperRanges, c) != c || find_special(kSpecialUpper, c);
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    const auto* end = p + text.size();
    while (p != end) {
        if (*p < 0x80) {
            ++p;
            continue;
        }
        const int length = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
        if (*p < 0xc2 || *p > 0xf4 || end - p < length) return false;
        for (int i = 1; i < length; ++i)
            if ((p[i] & 0xc0) != 0x80) return false;
        // Overlong forms, surrogates, and beyond U+10FFFF.
        if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
            (*p == 0xf4 && p[1] > 0x8f))
            return false;
        p += length;
    }
    return true;
}

char32_t decode_code_point(std::string_view text, size_t& position) {
    const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[position + i])); };
    const char32_t first = byte(0);
    const size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    char32_t code_point = length == 1 ? first : first & (0x7f >> length);
    for (size_t i = 1; i < length; ++i) code_point = code_point << 6 | (byte(i) & 0x3f);
    position += length;
    return code_point;
}

void append_code_point(std::string& out, char32_t c) {
    const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
        put(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            put(0xe0 | c >> 12);
        } else {
            put(0xf0 | c >> 18);
            put(0x80 | (c >> 12 & 0x3f));
        }
        put(0x80 | (c >> 6 & 0x3f));
    }
    put(0x80 | (c & 0x3f));
}

size_t count_code_points(std::string_view text) {
    size_t count = 0;
    size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        uint64_t word;
        std::memcpy(&word, text.data() + i, 8);
        count += static_cast<size_t>(count_starts(word));
    }
    for (; i < text.size(); ++i) count += !is_continuation(text[i]);
    return count;
}

size_t byte_offset(std::string_view text, size_t index) {
    size_t i = 0;
    while (i + 8 <= text.size()) {
        uint64_t word;
        std::memcpy(&word, text.data() + i, 8);
        const auto starts = static_cast<size_t>(count_starts(word));
        if (starts > index) break;
        index -= starts;
        i += 8;
    }
    // The word may have ended within a code point.
    while (i < text.size() && is_continuation(text[i])) ++i;
    for (; i < text.size() && index > 0; --index) {
        ++i;
        while (i < text.size() && is_continuation(text[i])) ++i;
    }
    return i;
}

size_t find_text(std::string_view text, std::string_view wanted, size_t from) {
    if (from > text.size()) return std::string_view::npos;
    if (wanted.empty()) return from;
    const void* found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
    return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

bool is_space(char32_t c) {
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_printable(char32_t c) {
    if (c < 0x7f) return c >= 0x20;
    const auto after =
        std::upper_bound(kNotPrintable.begin(), kNotPrintable.end(), c,
                         [](char32_t value, const CodePointRange& range) { return value < range.first; });
    return after == kNotPrintable.begin() || c > (after - 1)->last;
}

namespace {

template <typename Predicate>
std::string_view strip_left_if(std::string_view text, Predicate strips) {
    size_t position = 0;
    while (position < text.size()) {
        size_t next = position;
        if (!strips(decode_code_point(text, next))) break;
        position = next;
    }
    return text.substr(position);
}

template <typename Predicate>
std::string_view strip_right_if(std::string_view text, Predicate strips) {
    size_t end = text.size();
    while (end > 0) {
        size_t start = end - 1;
        while (is_continuation(text[start])) --start;
        size_t position = start;
        if (!strips(decode_code_point(text, position))) break;
        end = start;
    }
    return text.substr(0, end);
}

auto occurs_in(std::string_view characters) {
    return [characters](char32_t code_point) {
        for (size_t position = 0; position < characters.size();)
            if (decode_code_point(characters, position) == code_point) return true;
        return false;
    };
}

}  // namespace

std::string_view strip_left(std::string_view text) {
    return strip_left_if(text, is_space);
}
std::string_view strip_right(std::string_view text) {
    return strip_right_if(text, is_space);
}
std::string_view strip_left(std::string_view text, std::string_view characters) {
    return strip_left_if(text, occurs_in(characters));
}
std::string_view strip_right(std::string_view text, std::string_view characters) {
    return strip_right_if(text, occurs_in(characters));
}

std::string to_lower(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t position = 0; position < text.size();) append_lower(out, decode_code_point(text, position));
    return out;
}

std::string to_upper(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t position = 0; position < text.size();) append_upper(out, decode_code_point(text, position));
    return out;
}

std::string to_capitalized(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    size_t position = 0;
    if (!text.empty()) append_title(out, decode_code_point(text, position));
    while (position < text.size()) append_lower(out, decode_code_point(text, position));
    return out;
}

std::string to_title(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    bool after_letter = false;
    for (size_t position = 0; position < text.size();) {
        const char32_t code_point = decode_code_point(text, position);
        if (after_letter)
            append_lower(out, code_point);
        else
            append_title(out, code_point);
        after_letter = has_lower(code_point) || has_upper(code_point);
    }
    return out;
}

bool is_lower(std::string_view text) {
    bool found = false;
    for (size_t position = 0; position < text.size();) {
        const char32_t code_point = decode_code_point(text, position);
        if (has_lower(code_point)) return false;
        found = found || has_upper(code_point);
    }
    return found;
}

bool is_upper(std::string_view text) {
    bool found = false;
    for (size_t position = 0; position < text.size();) {
        const char32_t code_point = decode_code_point(text, position);
        if (has_upper(code_point)) return false;
        found = found || has_lower(code_point);
    }
    return found;
}

}  // namespace glm5::chat::jinja
