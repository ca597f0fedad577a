// Python's operators over values. Each throws Error with Python's or Jinja's wording where they raise.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chat/jinja/budget.h"
#include "chat/jinja/value.h"

namespace glm5::chat::jinja {

enum class BinaryOperator { add, subtract, multiply, divide, floor_divide, modulo, power };
enum class CompareOperator { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };

bool is_true(const Value& value);
bool equal(const Value& left, const Value& right, Budget& budget);
// Negative, zero or positive; `symbol` is the operator that an error names. Unordered (a NaN) is none.
std::optional<int> order(const Value& left, const Value& right, std::string_view symbol, Budget& budget);
bool compare(CompareOperator op, const Value& left, const Value& right, Budget& budget);
bool contains(const Value& container, const Value& item, Budget& budget);
size_t hash(const Value& value);

Value calculate(BinaryOperator op, const Value& left, const Value& right, Budget& budget);
Value negate(const Value& value);
Value plus(const Value& value);

// len(): throws for what has none.
int64_t length(const Value& value, Budget& budget);
// What a for loop sees: items, keys, or characters. Throws "'NoneType' object is not iterable".
std::vector<Value> iterate(const Value& value, Budget& budget);
bool is_iterable(const Value& value);

// container[key] as Jinja does it for lists, strings and mappings: missing when there is none.
Value find_item(const Value& container, const Value& key, Budget& budget);
// container[start:stop:step]; each bound may be none.
Value slice(const Value& container, const Value& start, const Value& stop, const Value& step, Budget& budget);

// str(value) and repr(value).
void append_string(std::string& out, const Value& value, Budget& budget);
std::string to_string(const Value& value, Budget& budget);
void append_repr(std::string& out, const Value& value, Budget& budget);
// repr(float).
std::string real_text(double value);

struct JsonStyle {
    bool ascii = false;
    std::optional<std::string> indent;  // of one level
    std::string item_separator = ", ";
    std::string key_separator = ": ";
    bool sort_keys = false;
};
// json.dumps(value).
std::string to_json(const Value& value, const JsonStyle& style, Budget& budget);

// A new string, list … counted against the budget.
Value new_string(std::string text, Budget& budget);
Value new_list(std::vector<Value> items, ListKind kind, Budget& budget);

}  // namespace glm5::chat::jinja
