// The lexer. Two modes: text between tags, and expressions inside them.
#include "chat/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "chat/jinja/error.h"
#include "chat/jinja/text.h"

namespace glm5::chat::jinja {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_part(char c) {
    return is_name_start(c) || is_digit(c);
}

// Line ends become \n, and one at the end of the template is dropped.
std::string normalize_newlines(std::string_view source) {
    std::string out;
    out.reserve(source.size());
    for (size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') {
            out += source[i];
        } else {
            out += '\n';
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
        }
    }
    if (out.ends_with('\n')) out.pop_back();
    return out;
}

class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(source) {}

    std::vector<Token> run() {
        try {
            while (position_ < source_.size()) lex_text();
            add(TokenType::end, {});
        } catch (const Error& error) {
            tokens_.push_back({TokenType::error, error.message, error.line});
        }
        return std::move(tokens_);
    }

private:
    enum class Tag { variable, block, comment };

    // One stretch of text and the tag that ends it.
    void lex_text() {
        const size_t tag = find_tag(position_);
        std::string_view text = source_.substr(position_, tag - position_);
        if (tag == source_.size()) {
            add_data(text);
            return advance_to(tag);
        }
        const char sign = sign_at(tag + 2);
        const Tag kind = source_[tag + 1] == '{' ? Tag::variable : source_[tag + 1] == '%' ? Tag::block : Tag::comment;
        add_data(strip_before_tag(text, sign, kind != Tag::variable));
        advance_to(tag);
        const size_t inside = tag + 2 + (sign != 0);
        if (kind == Tag::comment) return skip_comment(inside);
        if (kind == Tag::block) {
            if (const std::optional<size_t> after = match_keyword_tag(tag, "raw", false)) return lex_raw(*after);
        }
        add(kind == Tag::block ? TokenType::block_begin : TokenType::variable_begin, {});
        advance_to(inside);
        lex_expression(kind == Tag::block ? "%}" : "}}");
    }

    size_t find_tag(size_t from) const {
        while (true) {
            const size_t brace = source_.find('{', from);
            if (brace == std::string_view::npos || brace + 1 >= source_.size()) return source_.size();
            const char next = source_[brace + 1];
            if (next == '{' || next == '%' || next == '#') return brace;
            from = brace + 1;
        }
    }

    // '-', '+' or 0.
    char sign_at(size_t position) const {
        if (position >= source_.size()) return 0;
        return source_[position] == '-' || source_[position] == '+' ? source_[position] : '\0';
    }

    // `-` strips all white space; without a sign, blanks between the start of the line and a block or comment go.
    std::string_view strip_before_tag(std::string_view text, char sign, bool strips_line) const {
        if (sign == '-') return strip_right(text);
        if (sign == '+' || !strips_line) return text;
        const size_t line_start = text.rfind('\n') + 1;  // 0 when the text holds no line end
        if (line_start == 0 && !line_starting_) return text;
        return strip_left(text.substr(line_start)).empty() ? text.substr(0, line_start) : text;
    }

    // Moves behind a tag's end at `end` (two characters): `-` strips white space, trim_blocks one line end.
    void finish_tag(size_t end, char sign, bool trims_newline) {
        size_t after = end + 2;
        if (sign == '-') {
            after = source_.size() - strip_left(source_.substr(after)).size();
        } else if (sign != '+' && trims_newline && after < source_.size() && source_[after] == '\n') {
            ++after;
        }
        line_starting_ = source_[after - 1] == '\n';
        advance_to(after);
    }

    void skip_comment(size_t from) {
        const size_t end = source_.find("#}", from);
        if (end == std::string_view::npos) fail_at(line_, "Missing end of comment tag");
        finish_tag(end, end > from ? sign_at(end - 1) : '\0', true);
    }

    // Behind `{%- keyword -%}` at `tag`; none when another tag stands there. A `raw` tag takes no + and trims no line
    // end.
    std::optional<size_t> match_keyword_tag(size_t tag, std::string_view keyword, bool is_end) const {
        size_t at = tag + 2;
        if (sign_at(at) != 0) ++at;
        at = skip_spaces(at);
        if (source_.substr(at, keyword.size()) != keyword) return std::nullopt;
        at = skip_spaces(at + keyword.size());
        const char sign = sign_at(at);
        if (sign == '+' && !is_end) return std::nullopt;
        if (sign != 0) ++at;
        if (source_.substr(at, 2) != "%}") return std::nullopt;
        at += 2;
        if (sign == '-') return skip_spaces(at);
        if (sign != '+' && is_end && at < source_.size() && source_[at] == '\n') ++at;
        return at;
    }

    void lex_raw(size_t start) {
        const int raw_line = line_;
        advance_to(start);
        for (size_t from = start;;) {
            const size_t tag = source_.find("{%", from);
            if (tag == std::string_view::npos) fail_at(raw_line, "Missing end of raw directive");
            if (const std::optional<size_t> after = match_keyword_tag(tag, "endraw", true)) {
                line_starting_ = source_[start - 1] == '\n';
                add_data(strip_before_tag(source_.substr(start, tag - start), sign_at(tag + 2), true));
                line_starting_ = source_[*after - 1] == '\n';
                return advance_to(*after);
            }
            from = tag + 2;
        }
    }

    size_t skip_spaces(size_t from) const {
        if (from >= source_.size()) return source_.size();
        return source_.size() - strip_left(source_.substr(from)).size();
    }

    void lex_expression(std::string_view closing) {
        brackets_.clear();
        while (true) {
            advance_to(skip_spaces(position_));
            if (position_ >= source_.size()) return;  // the parser names what is missing
            if (brackets_.empty()) {
                const char sign = sign_at(position_);
                // `+%}` keeps the line end of a block; a variable's end takes only `-`.
                const bool has_sign = sign == '-' || (sign == '+' && closing == "%}");
                if (source_.substr(position_ + has_sign, 2) == closing) {
                    add(closing == "%}" ? TokenType::block_end : TokenType::variable_end, {});
                    return finish_tag(position_ + has_sign, has_sign ? sign : '\0', closing == "%}");
                }
            }
            lex_token();
        }
    }

    void lex_token() {
        const char c = source_[position_];
        if (is_digit(c)) return lex_number();
        if (is_name_start(c)) return lex_name();
        if (c == '\'' || c == '"') return lex_string(c);
        lex_symbol();
    }

    void lex_name() {
        size_t end = position_;
        while (end < source_.size() && is_name_part(source_[end])) ++end;
        add(TokenType::name, std::string(source_.substr(position_, end - position_)));
        advance_to(end);
    }

    // The end of digits (of `base`) that single underscores may separate.
    size_t skip_digits(size_t from, int base) const {
        const auto is_base_digit = [base](char c) {
            const int value = is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
            return value < base;
        };
        size_t end = from;
        while (end < source_.size()) {
            if (is_base_digit(source_[end]))
                ++end;
            else if (source_[end] == '_' && end + 1 < source_.size() && is_base_digit(source_[end + 1]))
                end += 2;
            else
                break;
        }
        return end;
    }

    bool digit_at(size_t position) const { return position < source_.size() && is_digit(source_[position]); }
    char lower_at(size_t position) const {
        return position < source_.size() ? static_cast<char>(source_[position] | 32) : '\0';
    }

    void lex_number() {
        if (const size_t end = match_real(); end != 0) return add_number(TokenType::real, end);
        if (source_[position_] != '0') return add_number(TokenType::integer, skip_digits(position_, 10));
        const char prefix = lower_at(position_ + 1);
        const int base = prefix == 'b' ? 2 : prefix == 'o' ? 8 : prefix == 'x' ? 16 : 0;
        if (base != 0) {
            const size_t end = skip_digits(position_ + 2, base);
            if (end > position_ + 2) return add_based_integer(position_ + 2, end, base);
        }
        size_t end = position_ + 1;
        while (end < source_.size() &&
               (source_[end] == '0' || (source_[end] == '_' && end + 1 < source_.size() && source_[end + 1] == '0')))
            end += source_[end] == '0' ? 1 : 2;
        add_number(TokenType::integer, end);
    }

    // The end of a float at the position, or 0. `x.0.5` holds none: a number behind a dot is an index.
    size_t match_real() const {
        if (position_ > 0 && source_[position_ - 1] == '.') return 0;
        const size_t whole = skip_digits(position_, 10);
        size_t end = whole;
        if (end < source_.size() && source_[end] == '.' && digit_at(end + 1)) end = skip_digits(end + 1, 10);
        size_t exponent = end;
        if (lower_at(exponent) == 'e') {
            ++exponent;
            if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
            if (digit_at(exponent)) return skip_digits(exponent, 10);
        }
        return end > whole ? end : 0;
    }

    void add_number(TokenType type, size_t end) {
        std::string text(source_.substr(position_, end - position_));
        std::erase(text, '_');
        if (type == TokenType::integer && text.front() == '0') text.resize(1);
        add(type, std::move(text));
        advance_to(end);
    }

    void add_based_integer(size_t digits, size_t end, int base) {
        std::string text(source_.substr(digits, end - digits));
        std::erase(text, '_');
        int64_t value = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), value, base).ec != std::errc())
            fail_at(line_, "the integer {} is beyond 64 bits", source_.substr(position_, end - position_));
        add(TokenType::integer, std::to_string(value));
        advance_to(end);
    }

    void lex_string(char quote) {
        size_t end = position_ + 1;
        while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
        if (end >= source_.size()) fail_at(line_, "unexpected char {} (a string that does not end)", quote);
        add(TokenType::string, unescape(source_.substr(position_ + 1, end - position_ - 1)));
        advance_to(end + 1);
    }

    std::string unescape(std::string_view text) const;
    void append_escape(std::string& out, std::string_view text, size_t& position) const;

    void lex_symbol() {
        static constexpr std::array<std::string_view, 25> kSymbols = {"//", "**", "==", "!=", "<=", ">=", "+", "-", "*",
                                                                      "/",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                                      ">",  "<",  "=",  ".",  ":",  "|",  ","};
        for (const std::string_view symbol : kSymbols) {
            if (source_.substr(position_, symbol.size()) != symbol) continue;
            balance(symbol.front());
            add(TokenType::symbol, std::string(symbol));
            return advance_to(position_ + symbol.size());
        }
        fail_at(line_, "unexpected char '{}'", source_[position_] < 0x20 ? '?' : source_[position_]);
    }

    void balance(char c) {
        if (c == '{' || c == '(' || c == '[') brackets_ += c == '{' ? '}' : c == '(' ? ')' : ']';
        if (c != '}' && c != ')' && c != ']') return;
        if (brackets_.empty()) fail_at(line_, "unexpected '{}'", c);
        if (brackets_.back() != c) fail_at(line_, "unexpected '{}', expected '{}'", c, brackets_.back());
        brackets_.pop_back();
    }

    void add_data(std::string_view text) {
        if (!text.empty()) add(TokenType::data, std::string(text));
    }
    void add(TokenType type, std::string text) { tokens_.push_back({type, std::move(text), line_}); }
    void advance_to(size_t position) {
        line_ += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(position_),
                                             source_.begin() + static_cast<ptrdiff_t>(position), '\n'));
        position_ = position;
    }

    std::string_view source_;
    size_t position_ = 0;
    int line_ = 1;
    bool line_starting_ = true;
    std::string brackets_;  // the closers expected, innermost last
    std::vector<Token> tokens_;
};

// Python's escapes; an unknown one stays as it is.
std::string Lexer::unescape(std::string_view text) const {
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size();) {
        if (text[i] != '\\')
            out += text[i++];
        else
            append_escape(out, text, i);
    }
    return out;
}

void Lexer::append_escape(std::string& out, std::string_view text, size_t& position) const {
    const char c = text[position + 1];
    const std::string_view plain = "abfnrtv\\'\"\n";
    if (const size_t index = plain.find(c); index != std::string_view::npos) {
        constexpr std::string_view kMeaning = "\a\b\f\n\r\t\v\\'\"";
        if (c != '\n') out += kMeaning[index];
        position += 2;
        return;
    }
    if (c == 'N') fail_at(line_, "the escape \\N in a string is not supported");
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    const bool is_octal = c >= '0' && c <= '7';
    if (digits == 0 && !is_octal) {
        out += '\\';
        ++position;
        return;
    }
    const size_t start = position + (is_octal ? 1 : 2);
    const std::string_view number = text.substr(start, is_octal ? 3 : digits);
    uint32_t code_point = 0;
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), code_point, is_octal ? 8 : 16);
    const auto length = static_cast<size_t>(end - number.data());
    if (error != std::errc() || (!is_octal && length != digits)) fail_at(line_, "truncated \\{} escape in a string", c);
    if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point < 0xe000))
        fail_at(line_, "the escape \\{}{} in a string is no character", c, number);
    append_code_point(out, code_point);
    position = start + length;
}

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
    if (!is_valid_utf8(source)) return {{TokenType::error, "the template is not UTF-8", 1}};
    const std::string text = normalize_newlines(source);
    return Lexer(text).run();
}

}  // namespace glm5::chat::jinja
