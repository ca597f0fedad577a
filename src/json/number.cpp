// JSON number text ⇄ int64 and double.
#include "json/number.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace glm5::json {
namespace {

// Whether |text| is 1 or more: which side of the range of double a number that is outside lies on.
bool magnitude_is_large(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    const size_t exponent_at = std::min(text.find_first_of("eE"), text.size());
    const std::string_view mantissa = text.substr(0, exponent_at);
    int64_t exponent = 0;
    if (exponent_at < text.size()) {
        std::string_view digits = text.substr(exponent_at + 1);
        if (digits.starts_with('+')) digits.remove_prefix(1);
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
        if (parsed.ec != std::errc()) return !digits.starts_with('-');
    }
    const int64_t point = static_cast<int64_t>(std::min(mantissa.find('.'), mantissa.size()));
    const size_t first_digit = mantissa.find_first_of("123456789");
    if (first_digit == std::string_view::npos) return false;
    const auto place = static_cast<int64_t>(first_digit);
    return exponent >= (place < point ? place - point + 1 : place - point);
}

}  // namespace

std::optional<int64_t> parse_int64(std::string_view text) {
    int64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

double parse_double(std::string_view text) {
    double value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc::result_out_of_range) return value;
    const double magnitude = magnitude_is_large(text) ? std::numeric_limits<double>::infinity() : 0.0;
    return text.starts_with('-') ? -magnitude : magnitude;
}

std::string double_text(double value) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
    const std::string_view scientific(buffer, end - buffer);  // d.ddde±xx
    const size_t exponent_at = scientific.find('e');
    int exponent = 0;
    const char* exponent_begin = buffer + exponent_at + (buffer[exponent_at + 1] == '+' ? 2 : 1);
    std::from_chars(exponent_begin, end, exponent);
    if (exponent < -4 || exponent >= 16) return std::string(scientific);

    std::string digits;
    for (char c : scientific.substr(0, exponent_at))
        if (c >= '0' && c <= '9') digits += c;
    std::string text = scientific.starts_with('-') ? "-" : "";
    if (exponent < 0) return text + "0." + std::string(-exponent - 1, '0') + digits;
    const size_t integer_digits = static_cast<size_t>(exponent) + 1;
    if (digits.size() <= integer_digits) return text + digits + std::string(integer_digits - digits.size(), '0') + ".0";
    return text + digits.substr(0, integer_digits) + "." + digits.substr(integer_digits);
}

}  // namespace glm5::json
