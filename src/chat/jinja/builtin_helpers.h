// What the tables of builtins share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/jinja/evaluator.h"

namespace glm5::chat::jinja {

// The entry of that name in a table, or nullptr.
template <typename Table>
const Builtin* find_builtin(const Table& table, std::string_view name) {
    for (const Builtin& builtin : table)
        if (builtin.name == name) return &builtin;
    return nullptr;
}

// Optional arguments: `otherwise` when the value is missing.
bool flag(const Value& value, bool otherwise);
// Throws Error unless the value is an integer within 64 bits.
int64_t integer(const Value& value, int64_t otherwise, std::string_view what);
// Throws Error unless the value is a string.
const std::string& string_argument(const Value& value, std::string_view what);

// str(value).
std::string text_of(Evaluator& evaluator, const Value& value);

// item[part][part]… for "a.b.0"; the item itself when the path is none or missing.
Value get_path(Evaluator& evaluator, const Value& item, const Value& path);

// The lines of text without their ends, as str.splitlines.
std::vector<std::string_view> split_lines(std::string_view text);

// Strings lowered, anything else as it is: how filters compare unless case_sensitive.
Value ignore_case(Evaluator& evaluator, const Value& value);

}  // namespace glm5::chat::jinja
