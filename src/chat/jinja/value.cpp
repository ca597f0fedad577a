// Construction and lookup of values.
#include "chat/jinja/value.h"

#include <algorithm>
#include <charconv>

#include "chat/jinja/budget.h"
#include "chat/jinja/callable.h"
#include "chat/jinja/value_operations.h"
#include "json/number.h"

namespace glm5::chat::jinja {
namespace {

// Up to here a search from the front is as fast as hashing.
constexpr size_t kSearchedMembers = 8;

int checked_depth(int depth) {
    if (depth > kMaxValueDepth) fail("a value is nested deeper than {} levels", kMaxValueDepth);
    return depth;
}

// A namespace is searched from the front.
constexpr size_t kMaxAttributes = 1000;

// A tuple as a key may hold tuples; one that is shared many times over looks large.
constexpr Limits kKeyLimits{.steps = 100'000};

// Keys of different types that Python calls equal (1, 1.0, True) have equal hashes, so this needs no budget.
bool same_key(const Value& left, const Value& right) {
    Budget budget(kKeyLimits);
    return equal(left, right, budget);
}

}  // namespace

Value Value::integer(std::string_view decimal) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(decimal.data(), decimal.data() + decimal.size(), number);
    if (error == std::errc() && end == decimal.data() + decimal.size()) return Value(number);
    return Value(BigInteger{std::make_shared<const std::string>(decimal)});
}

std::string_view Value::type_name() const {
    if (is_undefined()) return "Undefined";
    if (is_none()) return "NoneType";
    if (is_bool()) return "bool";
    if (is_integer()) return "int";
    if (is_real()) return "float";
    if (is_string()) return "str";
    if (is_mapping()) return "dict";
    if (is_namespace()) return "Namespace";
    if (is_macro()) return "Macro";
    if (is_loop()) return "LoopContext";
    if (is_callable()) return "builtin_function_or_method";
    if (is_missing()) return "missing";
    switch (as_list().kind) {
        case ListKind::list: return "list";
        case ListKind::tuple: return "tuple";
        case ListKind::range: return "range";
        case ListKind::view: return "dict_items";
        case ListKind::generator: return "generator";
    }
    return "list";
}

int Value::depth() const {
    if (is_list()) return as_list().depth;
    if (is_mapping()) return as_mapping().depth();
    if (is_loop()) return as_loop().depth;
    if (is<std::shared_ptr<const Callable>>()) return as_callable().depth;
    return 0;
}

const void* Value::identity() const {
    return std::visit(
        [](const auto& held) -> const void* {
            using T = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<T, Namespace*>)
                return held;
            else if constexpr (requires { held.get(); })
                return held.get();
            else
                return nullptr;
        },
        data_);
}

std::string UndefinedReason::message() const {
    switch (kind) {
        case Kind::variable: return fmt::format("'{}' is undefined", *name);
        case Kind::attribute: return fmt::format("'{}' has no attribute '{}'", owner_type, *name);
        case Kind::element: return fmt::format("{} has no element {}", owner_type, *name);
        case Kind::message: break;
    }
    return *name;
}

Value undefined_variable(StringPtr name) {
    return Value(
        std::make_shared<const UndefinedReason>(UndefinedReason{UndefinedReason::Kind::variable, {}, std::move(name)}));
}

Value undefined_message(std::string message) {
    return Value(std::make_shared<const UndefinedReason>(
        UndefinedReason{UndefinedReason::Kind::message, {}, std::make_shared<const std::string>(std::move(message))}));
}

namespace {

// As jinja2.utils.object_type_repr.
std::string_view described_type(const Value& value) {
    if (value.is_none()) return "None";
    if (value.is_string()) return "str object";
    if (value.is_bool()) return "bool object";
    if (value.is_integer()) return "int object";
    if (value.is_real()) return "float object";
    if (value.is_mapping()) return "dict object";
    if (value.is_namespace()) return "jinja2.utils.Namespace object";
    if (value.is_macro()) return "jinja2.runtime.Macro object";
    if (value.is_loop()) return "jinja2.runtime.LoopContext object";
    if (!value.is_list()) return "builtin_function_or_method object";
    switch (value.as_list().kind) {
        case ListKind::tuple: return "tuple object";
        case ListKind::range: return "range object";
        case ListKind::view: return "dict_items object";
        case ListKind::generator: return "generator object";
        case ListKind::list: break;
    }
    return "list object";
}

}  // namespace

Value undefined_member(const Value& owner, const Value& key) {
    UndefinedReason reason{UndefinedReason::Kind::attribute, described_type(owner), {}};
    if (key.is_string()) {
        reason.name = key.as_string_pointer();
    } else {
        reason.kind = UndefinedReason::Kind::element;
        Budget budget(kKeyLimits);
        std::string text;
        if (key.depth() == 0)
            append_repr(text, key, budget);
        else
            text = key.type_name();
        reason.name = std::make_shared<const std::string>(std::move(text));
    }
    return Value(std::make_shared<const UndefinedReason>(std::move(reason)));
}

List::List(std::vector<Value> values, ListKind list_kind) : items(std::move(values)), kind(list_kind), depth(1) {
    for (const Value& item : items) depth = std::max(depth, item.depth() + 1);
    checked_depth(depth);
}

Value make_list(std::vector<Value> items, ListKind kind) {
    return Value(std::make_shared<const List>(std::move(items), kind));
}

// The position of the member whose key matches; the number of members when there is none.
template <typename Matches>
size_t Mapping::position_of(size_t key_hash, Matches matches) const {
    if (index_.empty()) {
        size_t i = 0;
        while (i < members_.size() && !matches(members_[i].first)) ++i;
        return i;
    }
    const auto [first, last] = index_.equal_range(key_hash);
    for (auto it = first; it != last; ++it)
        if (matches(members_[it->second].first)) return it->second;
    return members_.size();
}

size_t Mapping::position_of(const Value& key) const {
    return position_of(hash(key), [&](const Value& candidate) { return same_key(candidate, key); });
}

const Value* Mapping::find(const Value& key) const {
    const size_t position = position_of(key);
    return position < members_.size() ? &members_[position].second : nullptr;
}

const Value* Mapping::find(std::string_view key) const {
    const auto matches = [&](const Value& candidate) { return candidate.is_string() && candidate.as_string() == key; };
    const size_t position = position_of(index_.empty() ? 0 : std::hash<std::string_view>()(key), matches);
    return position < members_.size() ? &members_[position].second : nullptr;
}

void Mapping::set(Value key, Value value) {
    depth_ = checked_depth(std::max({depth_, key.depth() + 1, value.depth() + 1}));
    const size_t key_hash = hash(key);
    const size_t position = position_of(key);
    if (position < members_.size()) {
        members_[position].second = std::move(value);
        return;
    }
    members_.emplace_back(std::move(key), std::move(value));
    if (!index_.empty()) {
        index_.emplace(key_hash, position);
    } else if (members_.size() > kSearchedMembers) {
        for (size_t i = 0; i < members_.size(); ++i) index_.emplace(hash(members_[i].first), i);
    }
}

const Value* Namespace::find(std::string_view name) const {
    for (const auto& [key, value] : attributes)
        if (*key == name) return &value;
    return nullptr;
}

void Namespace::set(const StringPtr& name, Value value) {
    for (auto& [key, held] : attributes) {
        if (*key == *name) {
            held = std::move(value);
            return;
        }
    }
    if (attributes.size() >= kMaxAttributes) fail("a namespace has more than {} attributes", kMaxAttributes);
    attributes.emplace_back(name, std::move(value));
}

namespace {

Value number_from_json(const json::Value& json) {
    const std::string& text = json.as_number().text;
    if (json.is_integer()) return text == "-0" ? Value(int64_t{0}) : Value::integer(text);
    return Value(json::parse_double(text));
}

}  // namespace

Value from_json(const json::Value& json) {
    if (json.is_null()) return Value(None{});
    if (json.is_bool()) return Value(json.as_bool());
    if (json.is_number()) return number_from_json(json);
    if (json.is_string()) return Value::string(json.as_string());
    if (json.is_array()) {
        std::vector<Value> items;
        items.reserve(json.as_array().size());
        for (const json::Value& item : json.as_array()) items.push_back(from_json(item));
        return make_list(std::move(items));
    }
    auto mapping = std::make_shared<Mapping>();
    mapping->reserve(json.as_object().size());
    for (const auto& [key, value] : json.as_object()) mapping->set(Value::string(key), from_json(value));
    return Value(std::shared_ptr<const Mapping>(std::move(mapping)));
}

}  // namespace glm5::chat::jinja
