// Filters over lists and mappings.
#include <algorithm>

#include "chat/jinja/builtin_helpers.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/text.h"

namespace glm5::chat::jinja {
namespace {

Value filter_length(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return Value(length(subject, evaluator.budget()));
}

Value filter_list(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_list(iterate(subject, evaluator.budget()));
}

Value filter_first(Evaluator& evaluator, const Value& subject, const Arguments&) {
    if (subject.is_list() && !subject.as_list().items.empty()) return subject.as_list().items.front();
    std::vector<Value> items = iterate(subject, evaluator.budget());
    return items.empty() ? undefined_message("No first item, sequence was empty.") : items.front();
}

Value filter_last(Evaluator& evaluator, const Value& subject, const Arguments&) {
    if (subject.is_list() && subject.as_list().kind == ListKind::generator)
        fail("'generator' object is not reversible");
    if (subject.is_list() && !subject.as_list().items.empty()) return subject.as_list().items.back();
    std::vector<Value> items = iterate(subject, evaluator.budget());
    return items.empty() ? undefined_message("No last item, sequence was empty.") : items.back();
}

Value filter_reverse(Evaluator& evaluator, const Value& subject, const Arguments&) {
    std::vector<Value> items = iterate(subject, evaluator.budget());
    std::reverse(items.begin(), items.end());
    if (!subject.is_string()) return evaluator.make_list(std::move(items), ListKind::generator);
    std::string text;
    for (const Value& item : items) text += item.as_string();
    return evaluator.make_string(std::move(text));
}

Value filter_join(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string separator =
        arguments.positional[0].is_missing() ? "" : text_of(evaluator, arguments.positional[0]);
    std::string text;
    bool is_first = true;
    for (const Value& item : iterate(subject, evaluator.budget())) {
        if (!is_first) text += separator;
        is_first = false;
        evaluator.budget().allocate(separator.size() + 1);
        text += text_of(evaluator, get_path(evaluator, item, arguments.positional[1]));
    }
    return evaluator.make_string(std::move(text));
}

Value filter_items(Evaluator& evaluator, const Value& subject, const Arguments&) {
    if (subject.is_undefined()) return evaluator.make_list({}, ListKind::generator);
    if (!subject.is_mapping()) fail("Can only get item pairs from a mapping.");
    const Value view = call_builtin(evaluator, *find_method(subject, "items"), subject, {});
    return evaluator.make_list(view.as_list().items, ListKind::generator);
}

Value filter_attr(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    if (subject.is_undefined()) fail("{}", subject.as_undefined().message());
    const Value name = evaluator.make_string(text_of(evaluator, arguments.positional[0]));
    // Attributes only: a key of a mapping is none.
    if (subject.is_mapping() && !find_method(subject, name.as_string())) return undefined_member(subject, name);
    return evaluator.get_attribute(subject, name);
}

Value filter_sum(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    Value total = arguments.positional[1].is_missing() ? Value(int64_t{0}) : arguments.positional[1];
    if (total.is_string()) fail("sum() can't sum strings [use ''.join(seq) instead]");
    for (const Value& item : iterate(subject, evaluator.budget()))
        total = calculate(BinaryOperator::add, total, get_path(evaluator, item, arguments.positional[0]),
                          evaluator.budget());
    return total;
}

// ---- order

struct Keyed {
    Value item;
    std::vector<Value> keys;
};

bool keys_less(const Keyed& left, const Keyed& right, Budget& budget) {
    for (size_t i = 0; i < left.keys.size(); ++i) {
        if (equal(left.keys[i], right.keys[i], budget)) continue;
        return order(left.keys[i], right.keys[i], "<", budget).value_or(1) < 0;
    }
    return false;
}

std::vector<Value> sort_items(std::vector<Keyed> keyed, bool reverse, Budget& budget) {
    std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& left, const Keyed& right) {
        return reverse ? keys_less(right, left, budget) : keys_less(left, right, budget);
    });
    std::vector<Value> items;
    for (Keyed& entry : keyed) items.push_back(std::move(entry.item));
    return items;
}

// "a,b.c" names several keys.
std::vector<Value> split_paths(const Value& attribute) {
    if (!attribute.is_string()) return {attribute};
    std::vector<Value> paths;
    std::string_view rest = attribute.as_string();
    while (true) {
        const size_t comma = rest.find(',');
        paths.push_back(Value::string(std::string(rest.substr(0, comma))));
        if (comma == std::string_view::npos) return paths;
        rest.remove_prefix(comma + 1);
    }
}

Value filter_sort(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const bool case_sensitive = flag(arguments.positional[1], false);
    const std::vector<Value> paths = split_paths(arguments.positional[2]);
    std::vector<Keyed> keyed;
    for (Value& item : iterate(subject, evaluator.budget())) {
        Keyed entry;
        for (const Value& path : paths) {
            Value key = get_path(evaluator, item, path);
            entry.keys.push_back(case_sensitive ? std::move(key) : ignore_case(evaluator, key));
        }
        evaluator.budget().allocate(sizeof(Keyed) + entry.keys.size() * sizeof(Value));
        entry.item = std::move(item);
        keyed.push_back(std::move(entry));
    }
    return evaluator.make_list(sort_items(std::move(keyed), flag(arguments.positional[0], false), evaluator.budget()));
}

Value filter_dictsort(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    if (!subject.is_mapping()) fail("dictsort(): '{}' object has no attribute 'items'", subject.type_name());
    const bool case_sensitive = flag(arguments.positional[0], false);
    const std::string by =
        arguments.positional[1].is_missing() ? "key" : string_argument(arguments.positional[1], "by");
    if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
    std::vector<Keyed> keyed;
    for (const auto& [key, value] : subject.as_mapping().members()) {
        const Value& sorted_by = by == "key" ? key : value;
        evaluator.budget().allocate(sizeof(Keyed) + sizeof(Value));
        keyed.push_back({evaluator.make_list({key, value}, ListKind::tuple),
                         {case_sensitive ? sorted_by : ignore_case(evaluator, sorted_by)}});
    }
    return evaluator.make_list(sort_items(std::move(keyed), flag(arguments.positional[2], false), evaluator.budget()));
}

Value find_extreme(Evaluator& evaluator, const Value& subject, const Arguments& arguments, bool wants_largest) {
    const bool case_sensitive = flag(arguments.positional[0], false);
    Value best, best_key;
    for (const Value& item : iterate(subject, evaluator.budget())) {
        Value key = get_path(evaluator, item, arguments.positional[1]);
        if (!case_sensitive) key = ignore_case(evaluator, key);
        const bool is_better =
            best.is_missing() || (wants_largest ? order(key, best_key, ">", evaluator.budget()).value_or(0) > 0
                                                : order(key, best_key, "<", evaluator.budget()).value_or(0) < 0);
        if (!is_better) continue;
        best = item;
        best_key = std::move(key);
    }
    return best.is_missing() ? undefined_message("No aggregated item, sequence was empty.") : best;
}

Value filter_min(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return find_extreme(evaluator, subject, arguments, false);
}
Value filter_max(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return find_extreme(evaluator, subject, arguments, true);
}

Value filter_unique(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const bool case_sensitive = flag(arguments.positional[0], false);
    Mapping seen;
    std::vector<Value> items;
    for (const Value& item : iterate(subject, evaluator.budget())) {
        Value key = get_path(evaluator, item, arguments.positional[1]);
        if (!case_sensitive) key = ignore_case(evaluator, key);
        evaluator.budget().allocate(4 * sizeof(Value));
        if (seen.find(key)) continue;
        seen.set(std::move(key), Value(true));
        items.push_back(item);
    }
    return evaluator.make_list(std::move(items), ListKind::generator);
}

// ---- map and select

// Jinja takes whatever is false (none, 0 …) for an empty list here.
std::vector<Value> iterate_if_true(Evaluator& evaluator, const Value& subject) {
    return is_true(subject) ? iterate(subject, evaluator.budget()) : std::vector<Value>();
}

Arguments without_first(const Arguments& arguments, size_t count) {
    Arguments rest = arguments;
    rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<ptrdiff_t>(count));
    return rest;
}

Value filter_map(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    std::vector<Value> items;
    const Value* attribute = arguments.positional.empty() ? arguments.find_keyword("attribute") : nullptr;
    if (!attribute && arguments.positional.empty()) fail("map requires a filter argument");
    const Value* otherwise = attribute ? arguments.find_keyword("default") : nullptr;
    for (const Value& item : iterate_if_true(evaluator, subject)) {
        evaluator.budget().step();
        if (attribute) {
            Value found = get_path(evaluator, item, *attribute);
            items.push_back(found.is_undefined() && otherwise && !otherwise->is_none() ? *otherwise : std::move(found));
        } else {
            items.push_back(evaluator.call_filter(string_argument(arguments.positional[0], "the name of a filter"),
                                                  item, without_first(arguments, 1)));
        }
    }
    return evaluator.make_list(std::move(items), ListKind::generator);
}

// Keeps the items whose test (their truth when none is named) gives `wanted`.
Value select_items(Evaluator& evaluator, const Value& subject, const Arguments& arguments, bool by_attribute,
                   bool wanted) {
    if (by_attribute && arguments.positional.empty()) fail("Missing parameter for attribute name");
    const size_t test = by_attribute ? 1 : 0;
    std::vector<Value> items;
    for (const Value& item : iterate_if_true(evaluator, subject)) {
        evaluator.budget().step();
        const Value tested = by_attribute ? get_path(evaluator, item, arguments.positional[0]) : item;
        const bool passes = arguments.positional.size() > test
                                ? evaluator.call_test(string_argument(arguments.positional[test], "the name of a test"),
                                                      tested, without_first(arguments, test + 1))
                                : is_true(tested);
        if (passes == wanted) items.push_back(item);
    }
    return evaluator.make_list(std::move(items), ListKind::generator);
}

Value filter_select(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return select_items(evaluator, subject, arguments, false, true);
}
Value filter_reject(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return select_items(evaluator, subject, arguments, false, false);
}
Value filter_selectattr(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return select_items(evaluator, subject, arguments, true, true);
}
Value filter_rejectattr(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return select_items(evaluator, subject, arguments, true, false);
}

constexpr Builtin kSequenceFilters[] = {
    {"attr", filter_attr, {"name"}, 1},
    {"count", filter_length},
    {"dictsort", filter_dictsort, {"case_sensitive", "by", "reverse"}},
    {"first", filter_first},
    {"items", filter_items},
    {"join", filter_join, {"d", "attribute"}},
    {"last", filter_last},
    {"length", filter_length},
    {"list", filter_list},
    {"map", filter_map, {}, 0, true},
    {"max", filter_max, {"case_sensitive", "attribute"}},
    {"min", filter_min, {"case_sensitive", "attribute"}},
    {"reject", filter_reject, {}, 0, true},
    {"rejectattr", filter_rejectattr, {}, 0, true},
    {"reverse", filter_reverse},
    {"select", filter_select, {}, 0, true},
    {"selectattr", filter_selectattr, {}, 0, true},
    {"sort", filter_sort, {"reverse", "case_sensitive", "attribute"}},
    {"sum", filter_sum, {"attribute", "start"}},
    {"unique", filter_unique, {"case_sensitive", "attribute"}},
};

}  // namespace

const Builtin* find_sequence_filter(std::string_view name) {
    return find_builtin(kSequenceFilters, name);
}

const Builtin* find_filter(std::string_view name) {
    const Builtin* builtin = find_text_filter(name);
    return builtin ? builtin : find_sequence_filter(name);
}

}  // namespace glm5::chat::jinja
