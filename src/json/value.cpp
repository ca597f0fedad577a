// json::Value and json::Object: construction, lookup, equality.
#include "json/value.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "json/number.h"

namespace glm5::json {
namespace {

bool equal_numbers(const Number& a, const Number& b) {
    if (a.is_integer() && b.is_integer()) {
        // JSON integers have no leading zeros: 0 is the only value with two spellings.
        return a.text == b.text || (std::min(a.text, b.text) == "-0" && std::max(a.text, b.text) == "0");
    }
    if (!a.is_integer() && !b.is_integer()) return parse_double(a.text) == parse_double(b.text);
    const std::string& integer = a.is_integer() ? a.text : b.text;
    const double other = parse_double(a.is_integer() ? b.text : a.text);
    if (!std::isfinite(other) || other != std::trunc(other)) return false;
    // Exact for any size: a double that is integral has a finite decimal expansion.
    return other == 0 ? integer == "0" || integer == "-0" : fmt::format("{:.0f}", other) == integer;
}

std::vector<const Object::Member*> sorted_members(const Object& object) {
    std::vector<const Object::Member*> members;
    members.reserve(object.size());
    for (const Object::Member& member : object) members.push_back(&member);
    std::stable_sort(members.begin(), members.end(), [](auto* a, auto* b) { return a->first < b->first; });
    return members;
}

bool equal_objects(const Object& a, const Object& b) {
    if (a.size() != b.size()) return false;
    const auto left = sorted_members(a), right = sorted_members(b);
    return std::equal(left.begin(), left.end(), right.begin(), [](auto* x, auto* y) { return *x == *y; });
}

}  // namespace

const Value* Object::find(std::string_view key) const {
    for (const Member& member : members_)
        if (member.first == key) return &member.second;
    return nullptr;
}

Value* Object::find(std::string_view key) {
    return const_cast<Value*>(std::as_const(*this).find(key));
}

void Object::set(std::string key, Value value) {
    if (Value* found = find(key)) {
        *found = std::move(value);
    } else {
        append(std::move(key), std::move(value));
    }
}

void Object::append(std::string key, Value value) {
    members_.emplace_back(std::move(key), std::move(value));
}

bool Object::erase(std::string_view key) {
    return std::erase_if(members_, [&](const Member& member) { return member.first == key; }) != 0;
}

Value::Value(double value) {
    GLM5_CHECK(std::isfinite(value), "JSON has no {}", value);
    data_ = Number{double_text(value)};
}

Value Value::object(std::initializer_list<std::pair<std::string_view, Value>> members) {
    Object object;
    for (const auto& [key, value] : members) object.append(std::string(key), value);
    return Value(std::move(object));
}

std::string_view Value::type_name() const {
    static constexpr std::string_view kNames[] = {"null", "boolean", "number", "string", "array", "object"};
    return is_integer() ? "integer" : kNames[data_.index()];
}

std::optional<int64_t> Value::to_int64() const {
    if (!is_number()) return std::nullopt;
    if (is_integer()) return parse_int64(as_number().text);
    const double value = parse_double(as_number().text);
    // 2^63 itself is out of range, and every comparison with NaN or infinity fails.
    if (!(value >= -0x1p63 && value < 0x1p63) || value != std::trunc(value)) return std::nullopt;
    return static_cast<int64_t>(value);
}

std::optional<double> Value::to_double() const {
    if (!is_number()) return std::nullopt;
    const double value = parse_double(as_number().text);
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

const Value* Value::find(std::string_view key) const {
    return is_object() ? as_object().find(key) : nullptr;
}

bool Value::operator==(const Value& other) const {
    if (data_.index() != other.data_.index()) return false;
    if (is_number()) return equal_numbers(as_number(), other.as_number());
    if (is_object()) return equal_objects(as_object(), other.as_object());
    if (is_array()) return as_array() == other.as_array();
    if (is_string()) return as_string() == other.as_string();
    return is_null() || as_bool() == other.as_bool();
}

}  // namespace glm5::json
