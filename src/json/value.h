// json::Value: a JSON document that keeps what a prompt or a tool call must not lose: the order of the keys and the
// text of the numbers. Values are plain owned data: copy, move, compare.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace glm5::json {

class Value;

using Array = std::vector<Value>;

// Members in the order of the text. Lookup is linear: the objects that are looked up by key are small.
class Object {
public:
    using Member = std::pair<std::string, Value>;

    Object() = default;
    explicit Object(std::vector<Member> members);

    // The member's value, or nullptr.
    const Value* find(std::string_view key) const;
    Value* find(std::string_view key);
    bool contains(std::string_view key) const { return find(key) != nullptr; }
    // Replaces the member's value in place, or appends a member.
    void set(std::string key, Value value);
    // Appends without looking for an equal key.
    void append(std::string key, Value value);
    bool erase(std::string_view key);

    size_t size() const;
    bool empty() const;
    std::vector<Member>::const_iterator begin() const;
    std::vector<Member>::const_iterator end() const;
    std::vector<Member>::iterator begin();
    std::vector<Member>::iterator end();

private:
    std::vector<Member> members_;
};

// A number as it was written. `text` is a valid JSON number; an integer has no fraction and no exponent.
struct Number {
    std::string text;

    bool is_integer() const { return text.find_first_of(".eE") == std::string::npos; }
};

class Value {
public:
    Value() = default;  // null
    Value(std::nullptr_t) {}
    template <std::same_as<bool> T>  // a template, so that no pointer becomes a bool
    Value(T value) : data_(value) {}
    template <std::integral T>
    requires(!std::same_as<T, bool>) Value(T value) : data_(Number{std::to_string(value)}) {}
    Value(double value);  // must be finite
    Value(Number value) : data_(std::move(value)) {}
    Value(const char* value) : data_(std::string(value)) {}
    Value(std::string_view value) : data_(std::string(value)) {}
    Value(std::string value) : data_(std::move(value)) {}
    Value(Array value) : data_(std::move(value)) {}
    Value(Object value) : data_(std::move(value)) {}
    // An object: Value::object({{"a", 1}, {"b", "x"}}).
    static Value object(std::initializer_list<std::pair<std::string_view, Value>> members);
    static Value array(std::initializer_list<Value> items) { return Value(Array(items)); }

    bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
    bool is_bool() const { return std::holds_alternative<bool>(data_); }
    bool is_number() const { return std::holds_alternative<Number>(data_); }
    bool is_integer() const { return is_number() && as_number().is_integer(); }
    bool is_string() const { return std::holds_alternative<std::string>(data_); }
    bool is_array() const { return std::holds_alternative<Array>(data_); }
    bool is_object() const { return std::holds_alternative<Object>(data_); }
    // "null", "boolean", "integer", "number", "string", "array" or "object", for messages.
    std::string_view type_name() const;

    // Each requires the type.
    bool as_bool() const { return std::get<bool>(data_); }
    const Number& as_number() const { return std::get<Number>(data_); }
    const std::string& as_string() const { return std::get<std::string>(data_); }
    std::string& as_string() { return std::get<std::string>(data_); }
    const Array& as_array() const { return std::get<Array>(data_); }
    Array& as_array() { return std::get<Array>(data_); }
    const Object& as_object() const { return std::get<Object>(data_); }
    Object& as_object() { return std::get<Object>(data_); }

    // The number as int64 when it is integral (5, 5.0, 5e0) and in range; none otherwise, also for other types.
    std::optional<int64_t> to_int64() const;
    // The nearest double; none for other types and for numbers beyond the range of double.
    std::optional<double> to_double() const;

    // The member of an object; nullptr when absent or when this is no object.
    const Value* find(std::string_view key) const;

    // Equal types and values; numbers by their value (1 equals 1.0), members in any order.
    bool operator==(const Value& other) const;

private:
    std::variant<std::monostate, bool, Number, std::string, Array, Object> data_;
};

// Here, where a Member is a complete type.
inline Object::Object(std::vector<Member> members) : members_(std::move(members)) {}
inline size_t Object::size() const {
    return members_.size();
}
inline bool Object::empty() const {
    return members_.empty();
}
inline std::vector<Object::Member>::const_iterator Object::begin() const {
    return members_.begin();
}
inline std::vector<Object::Member>::const_iterator Object::end() const {
    return members_.end();
}
inline std::vector<Object::Member>::iterator Object::begin() {
    return members_.begin();
}
inline std::vector<Object::Member>::iterator Object::end() {
    return members_.end();
}

}  // namespace glm5::json
