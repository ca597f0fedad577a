// The values of a template: Python's, immutable and shared. Only a Namespace changes; it and the frames that macros
// keep belong to the render (evaluate.h), so no value ever owns itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "json/value.h"

namespace glm5::chat::jinja {

class Value;
class Mapping;
struct Callable;
struct List;
struct LoopState;
struct Macro;
struct Namespace;
struct UndefinedReason;

using StringPtr = std::shared_ptr<const std::string>;

struct None {};

// An integer beyond 64 bits: compared and printed, never calculated with.
struct BigInteger {
    StringPtr text;  // canonical decimal
};

class Value {
public:
    Value() = default;  // missing: no value at all, such as an argument that was not given
    Value(None) : data_(None{}) {}
    Value(bool value) : data_(value) {}
    Value(int64_t value) : data_(value) {}
    Value(double value) : data_(value) {}
    Value(BigInteger value) : data_(std::move(value)) {}
    Value(StringPtr value) : data_(std::move(value)) {}
    Value(std::shared_ptr<const UndefinedReason> value) : data_(std::move(value)) {}
    Value(std::shared_ptr<const List> value) : data_(std::move(value)) {}
    Value(std::shared_ptr<const Mapping> value) : data_(std::move(value)) {}
    Value(Namespace* value) : data_(value) {}
    Value(std::shared_ptr<const Macro> value) : data_(std::move(value)) {}
    Value(std::shared_ptr<LoopState> value) : data_(std::move(value)) {}
    Value(std::shared_ptr<const Callable> value) : data_(std::move(value)) {}
    // Anything else would silently become a bool.
    template <typename T>
    Value(T*) = delete;

    static Value string(std::string text) { return Value(std::make_shared<const std::string>(std::move(text))); }
    // The number that `decimal` (digits with an optional minus) spells.
    static Value integer(std::string_view decimal);

    bool is_missing() const { return is<std::monostate>(); }
    bool is_undefined() const { return is<std::shared_ptr<const UndefinedReason>>(); }
    bool is_none() const { return is<None>(); }
    bool is_bool() const { return is<bool>(); }
    bool is_int64() const { return is<int64_t>(); }
    bool is_big_integer() const { return is<BigInteger>(); }
    bool is_integer() const { return is_int64() || is_big_integer() || is_bool(); }  // as isinstance(x, int)
    bool is_real() const { return is<double>(); }
    bool is_number() const { return is_integer() || is_real(); }
    bool is_string() const { return is<StringPtr>(); }
    bool is_list() const { return is<std::shared_ptr<const List>>(); }  // any ListKind
    bool is_mapping() const { return is<std::shared_ptr<const Mapping>>(); }
    bool is_namespace() const { return is<Namespace*>(); }
    bool is_macro() const { return is<std::shared_ptr<const Macro>>(); }
    bool is_loop() const { return is<std::shared_ptr<LoopState>>(); }
    bool is_callable() const { return is<std::shared_ptr<const Callable>>() || is_macro(); }

    // Each requires the type.
    const UndefinedReason& as_undefined() const { return *std::get<std::shared_ptr<const UndefinedReason>>(data_); }
    bool as_bool() const { return std::get<bool>(data_); }
    int64_t as_int64() const { return is_bool() ? std::get<bool>(data_) : std::get<int64_t>(data_); }
    const std::string& as_big_integer() const { return *std::get<BigInteger>(data_).text; }
    double as_real() const { return std::get<double>(data_); }
    const std::string& as_string() const { return *std::get<StringPtr>(data_); }
    const StringPtr& as_string_pointer() const { return std::get<StringPtr>(data_); }
    const List& as_list() const { return *std::get<std::shared_ptr<const List>>(data_); }
    const Mapping& as_mapping() const { return *std::get<std::shared_ptr<const Mapping>>(data_); }
    Namespace& as_namespace() const { return *std::get<Namespace*>(data_); }
    const Macro& as_macro() const { return *std::get<std::shared_ptr<const Macro>>(data_); }
    LoopState& as_loop() const { return *std::get<std::shared_ptr<LoopState>>(data_); }
    const Callable& as_callable() const { return *std::get<std::shared_ptr<const Callable>>(data_); }

    // Python's name of the type: "str", "int", "dict" …
    std::string_view type_name() const;
    // Lists and mappings inside one another, itself included; 0 for plain values.
    int depth() const;
    // The address that tells two shared values apart (Python's `is`); nullptr for plain values.
    const void* identity() const;

private:
    template <typename T>
    bool is() const {
        return std::holds_alternative<T>(data_);
    }

    std::variant<std::monostate, None, bool, int64_t, double, BigInteger, StringPtr,
                 std::shared_ptr<const UndefinedReason>, std::shared_ptr<const List>, std::shared_ptr<const Mapping>,
                 Namespace*, std::shared_ptr<const Macro>, std::shared_ptr<LoopState>, std::shared_ptr<const Callable>>
        data_;
};

// Why a value is undefined; the text of the error when it is used.
struct UndefinedReason {
    enum class Kind { variable, attribute, element, message };
    Kind kind = Kind::message;
    std::string_view owner_type;  // attribute and element: the type that lacks it
    StringPtr name;               // the variable, attribute or element; or the whole message

    std::string message() const;
};

Value undefined_variable(StringPtr name);
// What `owner` has no attribute (a string key) or element (another key) of.
Value undefined_member(const Value& owner, const Value& key);
Value undefined_message(std::string message);

// What a list is to Python. Views (dict.items()) and generators (map, select) allow less than lists do.
enum class ListKind { list, tuple, range, view, generator };

struct List {
    std::vector<Value> items;
    ListKind kind;
    int depth;

    List(std::vector<Value> values, ListKind list_kind);  // throws Error beyond kMaxValueDepth
    bool is_subscriptable() const {
        return kind == ListKind::list || kind == ListKind::tuple || kind == ListKind::range;
    }
};

Value make_list(std::vector<Value> items, ListKind kind = ListKind::list);

// A dict: members in order of insertion, found by hash when there are many.
class Mapping {
public:
    using Member = std::pair<Value, Value>;

    // nullptr when absent. Throws Error for a key that Python cannot hash.
    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;
    void set(Value key, Value value);  // while it is being built; throws Error beyond kMaxValueDepth
    void reserve(size_t count) { members_.reserve(count); }

    const std::vector<Member>& members() const { return members_; }
    int depth() const { return depth_; }

private:
    template <typename Matches>
    size_t position_of(size_t key_hash, Matches matches) const;
    size_t position_of(const Value& key) const;

    std::vector<Member> members_;
    std::unordered_multimap<size_t, size_t> index_;  // hash → position; empty while a search is as fast
    int depth_ = 1;
};

// namespace(): attributes that a template may set anywhere.
struct Namespace {
    std::vector<std::pair<StringPtr, Value>> attributes;

    const Value* find(std::string_view name) const;
    void set(const StringPtr& name, Value value);
};

// The members of `json` as template values.
Value from_json(const json::Value& json);

}  // namespace glm5::chat::jinja
