// What may stand behind `is`.
#include "chat/jinja/builtin_helpers.h"
#include "chat/jinja/text.h"

namespace glm5::chat::jinja {
namespace {

Value test_defined(Evaluator&, const Value& subject, const Arguments&) {
    return Value(!subject.is_undefined());
}
Value test_undefined(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_undefined());
}
Value test_none(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_none());
}
Value test_boolean(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_bool());
}
Value test_true(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_bool() && subject.as_bool());
}
Value test_false(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_bool() && !subject.as_bool());
}
Value test_integer(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_integer() && !subject.is_bool());
}
Value test_float(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_real());
}
Value test_number(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_number());
}
Value test_string(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_string());
}
Value test_mapping(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_mapping());
}
Value test_iterable(Evaluator&, const Value& subject, const Arguments&) {
    return Value(is_iterable(subject));
}
Value test_callable(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_callable());
}

Value test_sequence(Evaluator&, const Value& subject, const Arguments&) {
    if (subject.is_list()) return Value(subject.as_list().is_subscriptable());
    return Value(subject.is_string() || subject.is_mapping() || subject.is_undefined());
}

Value test_lower(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return Value(is_lower(text_of(evaluator, subject)));
}
Value test_upper(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return Value(is_upper(text_of(evaluator, subject)));
}

bool leaves_remainder(Evaluator& evaluator, const Value& subject, const Value& divisor, int64_t wanted) {
    const Value remainder = calculate(BinaryOperator::modulo, subject, divisor, evaluator.budget());
    return equal(remainder, Value(wanted), evaluator.budget());
}
Value test_even(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return Value(leaves_remainder(evaluator, subject, Value(int64_t{2}), 0));
}
Value test_odd(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return Value(leaves_remainder(evaluator, subject, Value(int64_t{2}), 1));
}
Value test_divisibleby(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return Value(leaves_remainder(evaluator, subject, arguments.positional[0], 0));
}

// Python's `is`. Equal numbers and strings of one type count as the same object.
Value test_sameas(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const Value& other = arguments.positional[0];
    if (subject.is_list() || subject.is_mapping() || subject.is_namespace() || subject.is_callable())
        return Value(subject.identity() == other.identity());
    return Value(subject.type_name() == other.type_name() && equal(subject, other, evaluator.budget()));
}

Value test_filter(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_string() && find_filter(subject.as_string()) != nullptr);
}
Value test_test(Evaluator&, const Value& subject, const Arguments&) {
    return Value(subject.is_string() && find_test(subject.as_string()) != nullptr);
}

template <CompareOperator op>
Value test_compare(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return Value(compare(op, subject, arguments.positional[0], evaluator.budget()));
}

constexpr Builtin kTests[] = {
    {"!=", test_compare<CompareOperator::not_equal>, {"other"}, 1},
    {"<", test_compare<CompareOperator::less>, {"other"}, 1},
    {"<=", test_compare<CompareOperator::less_equal>, {"other"}, 1},
    {"==", test_compare<CompareOperator::equal>, {"other"}, 1},
    {">", test_compare<CompareOperator::greater>, {"other"}, 1},
    {">=", test_compare<CompareOperator::greater_equal>, {"other"}, 1},
    {"boolean", test_boolean},
    {"callable", test_callable},
    {"defined", test_defined},
    {"divisibleby", test_divisibleby, {"num"}, 1},
    {"eq", test_compare<CompareOperator::equal>, {"other"}, 1},
    {"equalto", test_compare<CompareOperator::equal>, {"other"}, 1},
    {"even", test_even},
    {"false", test_false},
    {"filter", test_filter},
    {"float", test_float},
    {"ge", test_compare<CompareOperator::greater_equal>, {"other"}, 1},
    {"greaterthan", test_compare<CompareOperator::greater>, {"other"}, 1},
    {"gt", test_compare<CompareOperator::greater>, {"other"}, 1},
    {"in", test_compare<CompareOperator::in>, {"seq"}, 1},
    {"integer", test_integer},
    {"iterable", test_iterable},
    {"le", test_compare<CompareOperator::less_equal>, {"other"}, 1},
    {"lessthan", test_compare<CompareOperator::less>, {"other"}, 1},
    {"lower", test_lower},
    {"lt", test_compare<CompareOperator::less>, {"other"}, 1},
    {"mapping", test_mapping},
    {"ne", test_compare<CompareOperator::not_equal>, {"other"}, 1},
    {"none", test_none},
    {"number", test_number},
    {"odd", test_odd},
    {"sameas", test_sameas, {"other"}, 1},
    {"sequence", test_sequence},
    {"string", test_string},
    {"test", test_test},
    {"true", test_true},
    {"undefined", test_undefined},
    {"upper", test_upper},
};

}  // namespace

const Builtin* find_test(std::string_view name) {
    return find_builtin(kTests, name);
}

}  // namespace glm5::chat::jinja
