// JSON number text ⇄ int64 and double, independent of the locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace glm5::json {

// `text` is a JSON integer; none when it is out of range.
std::optional<int64_t> parse_int64(std::string_view text);

// The double nearest to `text`, a JSON number: ±infinity beyond the range, ±0 below it.
double parse_double(std::string_view text);

// repr(value) of Python: the shortest text that reads back as `value`, always with a point or an exponent:
// 1.0, 0.0001, 1e-05, 1e+16. `value` is finite.
std::string double_text(double value);

}  // namespace glm5::json
