// Truth, equality, order, membership and iteration.
#include "chat/jinja/value_operations.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "chat/jinja/callable.h"
#include "chat/jinja/text.h"
#include "json/number.h"

namespace glm5::chat::jinja {
namespace {

[[noreturn]] void fail_undefined(const Value& value) {
    fail("{}", value.as_undefined().message());
}

double to_real(const Value& value) {
    if (value.is_real()) return value.as_real();
    if (!value.is_big_integer()) return static_cast<double>(value.as_int64());
    return json::parse_double(value.as_big_integer());
}

int sign(auto difference) {
    return difference < 0 ? -1 : difference > 0 ? 1 : 0;
}

int order_big_integers(const Value& left, const Value& right) {
    // At least one is beyond 64 bits, so its digits or its sign decide.
    const auto text = [](const Value& value) {
        return value.is_big_integer() ? value.as_big_integer() : std::to_string(value.as_int64());
    };
    const std::string a = text(left);
    const std::string b = text(right);
    const bool a_negative = a.front() == '-';
    if (a_negative != (b.front() == '-')) return a_negative ? -1 : 1;
    const int magnitude = a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : sign(a.compare(b));
    return a_negative ? -magnitude : magnitude;
}

std::optional<int> order_numbers(const Value& left, const Value& right) {
    if (left.is_integer() && right.is_integer()) {
        if (left.is_big_integer() || right.is_big_integer()) return order_big_integers(left, right);
        const int64_t a = left.as_int64();
        const int64_t b = right.as_int64();
        return a < b ? -1 : a > b ? 1 : 0;
    }
    // An int64 against a double: exact in long double, whose mantissa holds both.
    const auto wide = [](const Value& value) -> long double {
        return value.is_real() || value.is_big_integer() ? static_cast<long double>(to_real(value))
                                                         : static_cast<long double>(value.as_int64());
    };
    const long double a = wide(left);
    const long double b = wide(right);
    if (std::isnan(a) || std::isnan(b)) return std::nullopt;
    return a < b ? -1 : a > b ? 1 : 0;
}

bool equal_members(const Mapping& left, const Mapping& right, Budget& budget) {
    if (left.members().size() != right.members().size()) return false;
    for (const auto& [key, value] : left.members()) {
        const Value* other = right.find(key);
        if (!other || !equal(value, *other, budget)) return false;
    }
    return true;
}

// Python's lists, tuples and ranges equal only their own kind.
bool equal_lists(const List& left, const List& right, Budget& budget) {
    if (left.kind != right.kind || left.items.size() != right.items.size()) return false;
    for (size_t i = 0; i < left.items.size(); ++i)
        if (!equal(left.items[i], right.items[i], budget)) return false;
    return true;
}

}  // namespace

bool is_true(const Value& value) {
    if (value.is_bool()) return value.as_bool();
    if (value.is_string()) return !value.as_string().empty();
    if (value.is_undefined() || value.is_none() || value.is_missing()) return false;
    if (value.is_int64()) return value.as_int64() != 0;
    if (value.is_real()) return value.as_real() != 0;
    if (value.is_list()) return value.as_list().kind == ListKind::generator || !value.as_list().items.empty();
    if (value.is_mapping()) return !value.as_mapping().members().empty();
    return true;
}

bool equal(const Value& left, const Value& right, Budget& budget) {
    budget.step();
    if (left.is_string() && right.is_string()) {
        if (left.as_string().size() != right.as_string().size()) return false;
        budget.scan(left.as_string().size());
        return left.as_string() == right.as_string();
    }
    if (left.is_number() && right.is_number()) return order_numbers(left, right) == 0;
    if (left.is_undefined() || left.is_none()) return left.is_undefined() ? right.is_undefined() : right.is_none();
    if (left.is_list() && right.is_list()) return equal_lists(left.as_list(), right.as_list(), budget);
    if (left.is_mapping() && right.is_mapping()) return equal_members(left.as_mapping(), right.as_mapping(), budget);
    return left.identity() != nullptr && left.identity() == right.identity();
}

std::optional<int> order(const Value& left, const Value& right, std::string_view symbol, Budget& budget) {
    budget.step();
    if (left.is_undefined()) fail_undefined(left);
    if (right.is_undefined()) fail_undefined(right);
    if (left.is_number() && right.is_number()) return order_numbers(left, right);
    if (left.is_string() && right.is_string()) {
        // UTF-8 orders as code points do.
        budget.scan(std::min(left.as_string().size(), right.as_string().size()));
        return sign(left.as_string().compare(right.as_string()));
    }
    const bool same_kind = left.is_list() && right.is_list() && left.as_list().kind == right.as_list().kind;
    if (!same_kind || left.as_list().kind == ListKind::range || left.as_list().kind == ListKind::generator)
        fail("'{}' not supported between instances of '{}' and '{}'", symbol, left.type_name(), right.type_name());
    const std::vector<Value>& a = left.as_list().items;
    const std::vector<Value>& b = right.as_list().items;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        if (!equal(a[i], b[i], budget)) return order(a[i], b[i], symbol, budget);
    return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

bool compare(CompareOperator op, const Value& left, const Value& right, Budget& budget) {
    switch (op) {
        case CompareOperator::equal: return equal(left, right, budget);
        case CompareOperator::not_equal: return !equal(left, right, budget);
        case CompareOperator::in: return contains(right, left, budget);
        case CompareOperator::not_in: return !contains(right, left, budget);
        case CompareOperator::less: return order(left, right, "<", budget).value_or(1) < 0;
        case CompareOperator::less_equal: return order(left, right, "<=", budget).value_or(1) <= 0;
        case CompareOperator::greater: return order(left, right, ">", budget).value_or(-1) > 0;
        case CompareOperator::greater_equal: return order(left, right, ">=", budget).value_or(-1) >= 0;
    }
    return false;
}

bool contains(const Value& container, const Value& item, Budget& budget) {
    if (container.is_undefined()) return false;
    if (container.is_string()) {
        if (!item.is_string()) fail("'in <string>' requires string as left operand, not {}", item.type_name());
        budget.scan(container.as_string().size());
        return find_text(container.as_string(), item.as_string()) != std::string_view::npos;
    }
    if (container.is_mapping()) return container.as_mapping().find(item) != nullptr;
    if (!container.is_list()) fail("argument of type '{}' is not iterable", container.type_name());
    for (const Value& candidate : container.as_list().items)
        if ((item.identity() && item.identity() == candidate.identity()) || equal(candidate, item, budget)) return true;
    return false;
}

namespace {

// `items_left` bounds tuples that hold one another many times over.
size_t hash_within(const Value& value, int& items_left) {
    if (--items_left < 0) fail("a mapping key holds too many values");
    if (value.is_string()) return std::hash<std::string_view>()(value.as_string());
    if (value.is_number()) return std::hash<double>()(to_real(value));
    if (value.is_list() && value.as_list().kind != ListKind::list) {
        size_t combined = 0x345678;
        for (const Value& item : value.as_list().items) combined = combined * 1000003 ^ hash_within(item, items_left);
        return combined;
    }
    if (value.is_list() || value.is_mapping()) fail("unhashable type: '{}'", value.type_name());
    return std::hash<const void*>()(value.identity());
}

}  // namespace

size_t hash(const Value& value) {
    int items_left = 10'000;
    return hash_within(value, items_left);
}

int64_t length(const Value& value, Budget& budget) {
    if (value.is_string()) {
        budget.scan(value.as_string().size());
        return static_cast<int64_t>(count_code_points(value.as_string()));
    }
    if (value.is_mapping()) return static_cast<int64_t>(value.as_mapping().members().size());
    if (value.is_undefined()) return 0;
    if (value.is_loop()) return static_cast<int64_t>(value.as_loop().items.size());
    if (!value.is_list() || value.as_list().kind == ListKind::generator)
        fail("object of type '{}' has no len()", value.type_name());
    return static_cast<int64_t>(value.as_list().items.size());
}

bool is_iterable(const Value& value) {
    return value.is_string() || value.is_list() || value.is_mapping() || value.is_undefined() || value.is_loop();
}

std::vector<Value> iterate(const Value& value, Budget& budget) {
    std::vector<Value> items;
    if (value.is_undefined()) return items;
    if (value.is_list()) {
        budget.allocate(value.as_list().items.size(), sizeof(Value));
        return value.as_list().items;
    }
    if (value.is_mapping()) {
        budget.allocate(value.as_mapping().members().size(), sizeof(Value));
        for (const auto& [key, held] : value.as_mapping().members()) items.push_back(key);
        return items;
    }
    if (!value.is_string()) fail("'{}' object is not iterable", value.type_name());
    const std::string& text = value.as_string();
    for (size_t position = 0; position < text.size();) {
        const size_t start = position;
        decode_code_point(text, position);
        items.push_back(new_string(text.substr(start, position - start), budget));
    }
    return items;
}

Value new_string(std::string text, Budget& budget) {
    budget.allocate(text.size() + sizeof(std::string) + sizeof(Value));
    return Value::string(std::move(text));
}

Value new_list(std::vector<Value> items, ListKind kind, Budget& budget) {
    budget.allocate(items.size() + 2, sizeof(Value));
    return make_list(std::move(items), kind);
}

namespace {

// The index that counts from the front, or -1 when there is no such item.
int64_t resolve_index(int64_t index, int64_t size) {
    if (index < 0) index += size;
    return index >= 0 && index < size ? index : -1;
}

Value character_at(const std::string& text, int64_t index, Budget& budget) {
    budget.scan(text.size());
    index = resolve_index(index, static_cast<int64_t>(count_code_points(text)));
    if (index < 0) return Value();
    const size_t start = byte_offset(text, static_cast<size_t>(index));
    size_t end = start;
    decode_code_point(text, end);
    return new_string(text.substr(start, end - start), budget);
}

struct SliceBounds {
    int64_t start, stop, step;
};

bool is_slice_bound(const Value& value) {
    return value.is_none() || (value.is_integer() && !value.is_big_integer());
}

std::optional<int64_t> slice_bound(const Value& value) {
    return value.is_none() ? std::nullopt : std::optional<int64_t>(value.as_int64());
}

// As Python's slice.indices(size).
SliceBounds resolve_slice(const Value& start, const Value& stop, const Value& step, int64_t size) {
    SliceBounds bounds{0, 0, slice_bound(step).value_or(1)};
    if (bounds.step == 0) fail("slice step cannot be zero");
    const bool forwards = bounds.step > 0;
    const int64_t lowest = forwards ? 0 : -1;
    const int64_t highest = forwards ? size : size - 1;
    const auto clamp = [&](std::optional<int64_t> bound, int64_t otherwise) {
        if (!bound) return otherwise;
        return std::clamp(*bound < 0 ? *bound + size : *bound, lowest, highest);
    };
    bounds.start = clamp(slice_bound(start), forwards ? lowest : highest);
    bounds.stop = clamp(slice_bound(stop), forwards ? highest : lowest);
    return bounds;
}

template <typename Visit>
void visit_slice(const SliceBounds& bounds, Visit visit) {
    int64_t index = bounds.start;
    while (bounds.step > 0 ? index < bounds.stop : index > bounds.stop) {
        visit(static_cast<size_t>(index));
        if (__builtin_add_overflow(index, bounds.step, &index)) return;
    }
}

std::string slice_text(const std::string& text, const SliceBounds& bounds) {
    if (bounds.step == 1) {
        if (bounds.start >= bounds.stop) return {};
        const size_t start = byte_offset(text, static_cast<size_t>(bounds.start));
        const std::string_view rest = std::string_view(text).substr(start);
        return std::string(rest.substr(0, byte_offset(rest, static_cast<size_t>(bounds.stop - bounds.start))));
    }
    std::u32string code_points;
    for (size_t position = 0; position < text.size();) code_points += decode_code_point(text, position);
    std::string out;
    visit_slice(bounds, [&](size_t index) { append_code_point(out, code_points[index]); });
    return out;
}

}  // namespace

Value find_item(const Value& container, const Value& key, Budget& budget) {
    if (container.is_mapping()) {
        const bool is_hashable = !key.is_mapping() && !(key.is_list() && key.as_list().kind == ListKind::list);
        const Value* held = is_hashable ? container.as_mapping().find(key) : nullptr;
        return held ? *held : Value();
    }
    if (!key.is_integer() || key.is_big_integer()) return Value();
    if (container.is_string()) return character_at(container.as_string(), key.as_int64(), budget);
    if (!container.is_list() || !container.as_list().is_subscriptable()) return Value();
    const std::vector<Value>& items = container.as_list().items;
    const int64_t index = resolve_index(key.as_int64(), static_cast<int64_t>(items.size()));
    return index < 0 ? Value() : items[static_cast<size_t>(index)];
}

Value slice(const Value& container, const Value& start, const Value& stop, const Value& step, Budget& budget) {
    if (container.is_undefined()) fail("{}", container.as_undefined().message());
    if (!is_slice_bound(start) || !is_slice_bound(stop) || !is_slice_bound(step))
        fail("slice indices must be integers or None or have an __index__ method");
    if (container.is_string()) {
        const std::string& text = container.as_string();
        budget.scan(text.size());
        const auto bounds = resolve_slice(start, stop, step, static_cast<int64_t>(count_code_points(text)));
        if (bounds.step != 1) budget.allocate(text.size(), sizeof(char32_t));
        return new_string(slice_text(text, bounds), budget);
    }
    if (!container.is_list() || !container.as_list().is_subscriptable())
        fail("'{}' object is not subscriptable", container.type_name());
    const List& list = container.as_list();
    std::vector<Value> items;
    visit_slice(resolve_slice(start, stop, step, static_cast<int64_t>(list.items.size())),
                [&](size_t index) { items.push_back(list.items[index]); });
    return new_list(std::move(items), list.kind, budget);
}

}  // namespace glm5::chat::jinja
