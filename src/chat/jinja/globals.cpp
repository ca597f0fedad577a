// The functions that a template can call by name.
#include "chat/jinja/builtin_helpers.h"

namespace glm5::chat::jinja {
namespace {

Value global_range(Evaluator& evaluator, const Value&, const Arguments& arguments) {
    const auto& given = arguments.positional;
    const int64_t first = integer(given[0], 0, "a bound of range()");
    const int64_t start = given[1].is_missing() ? 0 : first;
    const int64_t stop = given[1].is_missing() ? first : integer(given[1], 0, "a bound of range()");
    const int64_t step = integer(given[2], 1, "the step of range()");
    if (step == 0) fail("range() arg 3 must not be zero");
    const auto span = static_cast<__int128>(stop) - start;
    const __int128 count = step > 0 ? (span + step - 1) / step : (span + step + 1) / step;
    const int64_t limit = evaluator.budget().limits().range_items;
    if (count > limit) fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", limit);
    std::vector<Value> items;
    for (__int128 i = 0; i < count; ++i) items.push_back(Value(static_cast<int64_t>(start + i * step)));
    return evaluator.make_list(std::move(items), ListKind::range);
}

// Calls set(key, value) for every member that dict(…) or namespace(…) is given.
template <typename Set>
void visit_members(Evaluator& evaluator, const Arguments& arguments, std::string_view name, Set set) {
    if (arguments.positional.size() > 1)
        fail("{} expected at most 1 argument, got {}", name, arguments.positional.size());
    for (const Value& source : arguments.positional) {
        if (source.is_mapping()) {
            evaluator.budget().allocate(source.as_mapping().members().size(), 4 * sizeof(Value));
            for (const auto& [key, value] : source.as_mapping().members()) set(key, value);
            continue;
        }
        for (const Value& pair : iterate(source, evaluator.budget())) {
            const std::vector<Value> parts = iterate(pair, evaluator.budget());
            if (parts.size() != 2) fail("{} update sequence element has length {}; 2 is required", name, parts.size());
            set(parts[0], parts[1]);
        }
    }
    evaluator.budget().allocate(arguments.keyword.size(), 4 * sizeof(Value));
    for (const auto& [key, value] : arguments.keyword) set(Value(key), value);
}

Value global_dict(Evaluator& evaluator, const Value&, const Arguments& arguments) {
    auto mapping = std::make_shared<Mapping>();
    visit_members(evaluator, arguments, "dict",
                  [&](const Value& key, const Value& value) { mapping->set(key, value); });
    return Value(std::shared_ptr<const Mapping>(std::move(mapping)));
}

Value global_namespace(Evaluator& evaluator, const Value&, const Arguments& arguments) {
    Namespace* made = evaluator.make_namespace();
    visit_members(evaluator, arguments, "namespace", [&](const Value& key, const Value& value) {
        if (key.is_string()) made->set(key.as_string_pointer(), value);  // others could never be read
    });
    return Value(made);
}

Value global_raise_exception(Evaluator& evaluator, const Value&, const Arguments& arguments) {
    fail("{}", text_of(evaluator, arguments.positional[0]));
}

Value global_strftime_now(Evaluator&, const Value&, const Arguments&) {
    fail("strftime_now() is not supported: a prompt that holds the time is never found in the prefix cache");
}

constexpr Builtin kGlobals[] = {
    {"dict", global_dict, {}, 0, true},
    {"namespace", global_namespace, {}, 0, true},
    {"raise_exception", global_raise_exception, {"message"}, 1},
    {"range", global_range, {"start", "stop", "step"}, 1},
    {"strftime_now", global_strftime_now, {"format"}},
};

}  // namespace

const Builtin* find_global(std::string_view name) {
    return find_builtin(kGlobals, name);
}

}  // namespace glm5::chat::jinja
