// The Python-compatible writer.
#include "json/write.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "json/number.h"

namespace glm5::json {
namespace {

constexpr char32_t kReplacement = 0xfffd;

struct Decoded {
    char32_t code_point;
    size_t length;
    bool valid;
};

// The code point at the start of `text` (not empty). An invalid byte is U+FFFD of length 1.
Decoded decode_utf8(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return {first, 1, true};
    const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return {kReplacement, 1, false};
    char32_t code_point = first & (0x7f >> length);
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {kReplacement, 1, false};
        code_point = code_point << 6 | (byte(i) & 0x3f);
    }
    const char32_t smallest = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
    const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
    if (code_point < smallest || code_point > 0x10ffff || surrogate) return {kReplacement, 1, false};
    return {code_point, length, true};
}

void write_escaped_unit(std::string& out, uint32_t unit) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit);
}

void write_escaped(std::string& out, char32_t code_point) {
    if (code_point < 0x10000) return write_escaped_unit(out, code_point);
    write_escaped_unit(out, 0xd800 + ((code_point - 0x10000) >> 10));
    write_escaped_unit(out, 0xdc00 + ((code_point - 0x10000) & 0x3ff));
}

void write_ascii_character(std::string& out, char c, bool ascii) {
    switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        default:
            if (static_cast<unsigned char>(c) < 0x20 || (ascii && c == 0x7f)) {
                write_escaped_unit(out, static_cast<unsigned char>(c));
            } else {
                out += c;
            }
    }
}

class Writer {
public:
    Writer(std::string& out, const WriteOptions& options) : out_(out), options_(options) {}

    void write(const Value& value) {
        if (value.is_null())
            out_ += "null";
        else if (value.is_bool())
            out_ += value.as_bool() ? "true" : "false";
        else if (value.is_number())
            out_ += number_text(value.as_number());
        else if (value.is_string())
            write_string(out_, value.as_string(), options_);
        else if (value.is_array())
            write_array(value.as_array());
        else
            write_object(value.as_object());
    }

private:
    void write_array(const Array& array) {
        if (array.empty()) {
            out_ += "[]";
            return;
        }
        out_ += '[';
        ++depth_;
        for (const Value& item : array) {
            separate(&item == &array.front());
            write(item);
        }
        close(']');
    }

    void write_object(const Object& object) {
        if (object.empty()) {
            out_ += "{}";
            return;
        }
        out_ += '{';
        ++depth_;
        bool first = true;
        for (const auto& [key, value] : object) {
            separate(first);
            first = false;
            write_string(out_, key, options_);
            out_ += options_.compact ? ":" : ": ";
            write(value);
        }
        close('}');
    }

    void separate(bool first) {
        const bool pretty = options_.indent >= 0;
        if (!first) out_ += options_.compact || pretty ? "," : ", ";
        if (pretty) break_line();
    }

    void close(char bracket) {
        --depth_;
        if (options_.indent >= 0) break_line();
        out_ += bracket;
    }

    void break_line() {
        out_ += '\n';
        out_.append(static_cast<size_t>(depth_) * static_cast<size_t>(options_.indent), ' ');
    }

    std::string& out_;
    const WriteOptions& options_;
    int depth_ = 0;
};

}  // namespace

void write_string(std::string& out, std::string_view text, const WriteOptions& options) {
    out += '"';
    while (!text.empty()) {
        const Decoded decoded = decode_utf8(text);
        if (decoded.code_point < 0x80)
            write_ascii_character(out, text[0], options.ascii);
        else if (options.ascii)
            write_escaped(out, decoded.code_point);
        else if (decoded.valid)
            out += text.substr(0, decoded.length);
        else
            out += "\xef\xbf\xbd";
        text.remove_prefix(decoded.length);
    }
    out += '"';
}

std::string number_text(const Number& number) {
    if (number.is_integer()) return number.text == "-0" ? "0" : number.text;
    const double value = parse_double(number.text);
    return std::isfinite(value) ? double_text(value) : number.text;
}

void write(std::string& out, const Value& value, const WriteOptions& options) {
    Writer(out, options).write(value);
}

std::string write(const Value& value, const WriteOptions& options) {
    std::string out;
    write(out, value, options);
    return out;
}

}  // namespace glm5::json
