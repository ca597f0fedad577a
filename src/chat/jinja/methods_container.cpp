// Methods of mappings, lists and the loop variable; and which members no template may reach.
#include <algorithm>

#include "chat/jinja/builtin_helpers.h"
#include "chat/jinja/methods.h"

namespace glm5::chat::jinja {
namespace {

Value mapping_items(Evaluator& evaluator, const Value& subject, const Arguments&) {
    std::vector<Value> items;
    items.reserve(subject.as_mapping().members().size());
    for (const auto& [key, value] : subject.as_mapping().members()) {
        evaluator.budget().step();
        items.push_back(evaluator.make_list({key, value}, ListKind::tuple));
    }
    return evaluator.make_list(std::move(items), ListKind::view);
}

Value mapping_keys(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_list(iterate(subject, evaluator.budget()), ListKind::view);
}

Value mapping_values(Evaluator& evaluator, const Value& subject, const Arguments&) {
    std::vector<Value> values;
    for (const auto& [key, value] : subject.as_mapping().members()) values.push_back(value);
    return evaluator.make_list(std::move(values), ListKind::view);
}

Value mapping_get(Evaluator&, const Value& subject, const Arguments& arguments) {
    if (const Value* held = subject.as_mapping().find(arguments.positional[0])) return *held;
    return arguments.positional[1].is_missing() ? Value(None{}) : arguments.positional[1];
}

// Values never change, so a copy is the value.
Value container_copy(Evaluator&, const Value& subject, const Arguments&) {
    return subject;
}

Value list_index(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::vector<Value>& items = subject.as_list().items;
    for (size_t i = 0; i < items.size(); ++i)
        if (equal(items[i], arguments.positional[0], evaluator.budget())) return Value(static_cast<int64_t>(i));
    fail("the value is not in the {}", subject.type_name());
}

Value list_count(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    int64_t count = 0;
    for (const Value& item : subject.as_list().items) count += equal(item, arguments.positional[0], evaluator.budget());
    return Value(count);
}

Value loop_cycle(Evaluator&, const Value& subject, const Arguments& arguments) {
    if (arguments.positional.empty()) fail("no items for cycling given");
    return arguments.positional[subject.as_loop().index % arguments.positional.size()];
}

Value loop_changed(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    LoopState& loop = subject.as_loop();
    if (!loop.is_running) fail("loop.changed() is called after its loop");
    const auto same = [&](const Value& left, const Value& right) { return equal(left, right, evaluator.budget()); };
    const std::vector<Value>& before = loop.last_changed.positional;
    const bool unchanged = loop.has_changed && std::equal(before.begin(), before.end(), arguments.positional.begin(),
                                                          arguments.positional.end(), same);
    if (unchanged) return Value(false);
    loop.has_changed = true;
    loop.last_changed = arguments;
    return Value(true);
}

constexpr Builtin kMappingMethods[] = {
    {"copy", container_copy},   {"get", mapping_get, {"key", "default"}, 1},
    {"items", mapping_items},   {"keys", mapping_keys},
    {"values", mapping_values},
};
constexpr Builtin kListMethods[] = {
    {"copy", container_copy},
    {"count", list_count, {"value"}, 1},
    {"index", list_index, {"value"}, 1},
};
constexpr Builtin kLoopMethods[] = {
    {"changed", loop_changed, {}, 0, true},
    {"cycle", loop_cycle, {}, 0, true},
};

template <size_t size>
bool is_one_of(std::string_view name, const std::string_view (&names)[size]) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

const Builtin* find_mapping_method(std::string_view name) {
    return find_builtin(kMappingMethods, name);
}
const Builtin* find_list_method(std::string_view name) {
    return find_builtin(kListMethods, name);
}
const Builtin* find_loop_method(std::string_view name) {
    return find_builtin(kLoopMethods, name);
}

const Builtin* find_method(const Value& subject, std::string_view name) {
    if (subject.is_mapping()) return find_mapping_method(name);
    if (subject.is_string()) return find_string_method(name);
    if (subject.is_loop()) return find_loop_method(name);
    if (!subject.is_list() || subject.as_list().kind > ListKind::range) return nullptr;
    const Builtin* method = find_list_method(name);
    return method && name == "copy" && subject.as_list().kind != ListKind::list ? nullptr : method;
}

bool is_unsafe_member(const Value& subject, std::string_view name) {
    static constexpr std::string_view kMappingMutators[] = {"clear",      "pop",    "popitem",
                                                            "setdefault", "update", "fromkeys"};
    static constexpr std::string_view kListMutators[] = {"append", "clear",  "extend",  "insert",
                                                         "pop",    "remove", "reverse", "sort"};
    if (name.size() > 4 && name.starts_with("__") && name.ends_with("__")) return true;
    if (subject.is_mapping()) return is_one_of(name, kMappingMutators);
    return subject.is_list() && subject.as_list().kind == ListKind::list && is_one_of(name, kListMutators);
}

}  // namespace glm5::chat::jinja
