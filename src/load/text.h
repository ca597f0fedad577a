// Words for messages about checkpoints. File and tensor names are input: control characters are escaped, long ones cut.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace glm5::load {

// The name in quotes.
std::string in_quotes(std::string_view name);

// The first five names, quoted, and how many more: "a", "b" and 7 more.
std::string first_names(std::span<const std::string> names);

// [6144, 2048]
std::string shape_text(std::span<const int64_t> shape);

// What errno says.
std::string error_text(int error_number);

}  // namespace glm5::load
