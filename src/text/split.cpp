// The scanner for GLM's split pattern, and the choice between it and PCRE2.
#include "text/split.h"

#include <array>

#include "text/regex_split.h"
#include "text/unicode_classes.h"
#include "text/utf8.h"

namespace glm5::text {

const std::string_view kGlmSplitPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::array<CharClass, 128> kAsciiClass = [] {
    std::array<CharClass, 128> classes{};
    for (int c = 'a'; c <= 'z'; ++c) classes[c] = classes[c - 'a' + 'A'] = CharClass::letter;
    for (int c = '0'; c <= '9'; ++c) classes[c] = CharClass::number;
    for (char c : {'\t', '\n', '\v', '\f', '\r', ' '}) classes[c] = CharClass::space;
    return classes;
}();

bool is_newline(char c) {
    return c == '\r' || c == '\n';
}

class GlmScanner {
public:
    explicit GlmScanner(std::string_view text) : text_(text) {}

    // The end of the piece that starts at `start`, which is before the end of the text. The alternatives of the pattern
    // in its order; each is decided by the classes of the first two characters.
    size_t piece_end(size_t start) const {
        if (text_[start] == '\'') {
            const size_t length = contraction_length(start);
            if (length > 0) return start + length;
        }
        const Char first = at(start);
        if (first.char_class == CharClass::letter) return run_end(first.end, CharClass::letter);
        if (first.char_class == CharClass::number) return digits_end(first.end);
        const bool newline = is_newline(text_[start]);
        const bool at_end = first.end == text_.size();
        const Char second = at_end ? Char{CharClass::space, first.end} : at(first.end);
        // [^\r\n\p{L}\p{N}]?\p{L}+
        if (!newline && second.char_class == CharClass::letter) return run_end(second.end, CharClass::letter);
        //  ?[^\s\p{L}\p{N}]+[\r\n]*
        if (first.char_class == CharClass::other) return newlines_end(run_end(first.end, CharClass::other));
        if (text_[start] == ' ' && second.char_class == CharClass::other) {
            return newlines_end(run_end(second.end, CharClass::other));
        }
        return spaces_end(start);
    }

private:
    struct Char {
        CharClass char_class;
        size_t end;
    };

    Char at(size_t offset) const {
        const auto byte = static_cast<unsigned char>(text_[offset]);
        if (byte < 0x80) return {kAsciiClass[byte], offset + 1};
        const DecodedChar decoded = decode_valid_utf8(text_, offset);
        return {char_class(decoded.code_point), offset + static_cast<size_t>(decoded.length)};
    }

    // The end of the characters of `wanted` that start at `offset`.
    size_t run_end(size_t offset, CharClass wanted) const {
        while (offset < text_.size()) {
            const Char next = at(offset);
            if (next.char_class != wanted) break;
            offset = next.end;
        }
        return offset;
    }

    // \p{N}{1,3}, one of which ends at `offset`.
    size_t digits_end(size_t offset) const {
        for (int i = 0; i < 2 && offset < text_.size(); ++i) {
            const Char next = at(offset);
            if (next.char_class != CharClass::number) break;
            offset = next.end;
        }
        return offset;
    }

    size_t newlines_end(size_t offset) const {
        while (offset < text_.size() && is_newline(text_[offset])) ++offset;
        return offset;
    }

    // \s*[\r\n]+|\s+(?!\S)|\s+: up to the last newline of the run of spaces; else, where a character follows the run,
    // all but its last space; else the run.
    size_t spaces_end(size_t start) const {
        size_t last_newline_end = start, last_start = start, end = start;
        while (end < text_.size()) {
            const Char next = at(end);
            if (next.char_class != CharClass::space) break;
            if (is_newline(text_[end])) last_newline_end = next.end;
            last_start = end;
            end = next.end;
        }
        if (last_newline_end > start) return last_newline_end;
        return end < text_.size() && last_start > start ? last_start : end;
    }

    // The bytes of the contraction at the apostrophe at `start`, or 0. The long s (U+017F) counts as an s: it is the
    // only letter beyond ASCII that folds to one of these.
    size_t contraction_length(size_t start) const {
        const auto lower = [&](size_t i) { return start + i < text_.size() ? text_[start + i] | 0x20 : 0; };
        switch (lower(1)) {
            case 's':
            case 't':
            case 'm':
            case 'd': return 2;
            case 'r':
            case 'v': return lower(2) == 'e' ? 3 : 0;
            case 'l': return lower(2) == 'l' ? 3 : 0;
            default: return text_.substr(start + 1, 2) == "\xC5\xBF" ? 3 : 0;
        }
    }

    std::string_view text_;
};

}  // namespace

void split_glm(std::string_view text, std::vector<uint32_t>& ends) {
    const GlmScanner scanner(text);
    for (size_t offset = 0; offset < text.size();) {
        offset = scanner.piece_end(offset);
        ends.push_back(static_cast<uint32_t>(offset));
    }
}

Splitter::Splitter(std::unique_ptr<RegexSplitter> regex) : regex_(std::move(regex)) {}
Splitter::Splitter(Splitter&&) noexcept = default;
Splitter& Splitter::operator=(Splitter&&) noexcept = default;
Splitter::~Splitter() = default;

Result<Splitter> Splitter::from_pattern(std::string_view pattern) {
    if (pattern == kGlmSplitPattern) return Splitter(nullptr);
    GLM5_ASSIGN_OR_RETURN(std::unique_ptr<RegexSplitter> regex, RegexSplitter::compile(pattern));
    return Splitter(std::move(regex));
}

void Splitter::split(std::string_view text, std::vector<uint32_t>& ends) const {
    if (regex_ != nullptr) return regex_->split(text, ends);
    split_glm(text, ends);
}

}  // namespace glm5::text
