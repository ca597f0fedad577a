// + - * / // % ** by Python's rules. Integers are exact up to 64 bits; beyond them calculation is an error.
#include <cmath>

#include "chat/jinja/value_operations.h"
#include "json/number.h"

namespace glm5::chat::jinja {
namespace {

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

[[noreturn]] void fail_types(BinaryOperator op, const Value& left, const Value& right) {
    if (op == BinaryOperator::add && left.is_string())
        fail("can only concatenate str (not \"{}\") to str", right.type_name());
    if (op == BinaryOperator::add && left.is_list() && left.as_list().kind <= ListKind::tuple)
        fail("can only concatenate {0} (not \"{1}\") to {0}", left.type_name(), right.type_name());
    fail("unsupported operand type(s) for {}: '{}' and '{}'", kSymbols[static_cast<int>(op)], left.type_name(),
         right.type_name());
}

[[noreturn]] void fail_range() {
    fail("an integer is beyond 64 bits: the template engine does not calculate with it");
}

int64_t add(int64_t a, int64_t b) {
    int64_t result = 0;
    if (__builtin_add_overflow(a, b, &result)) fail_range();
    return result;
}
int64_t subtract(int64_t a, int64_t b) {
    int64_t result = 0;
    if (__builtin_sub_overflow(a, b, &result)) fail_range();
    return result;
}
int64_t multiply(int64_t a, int64_t b) {
    int64_t result = 0;
    if (__builtin_mul_overflow(a, b, &result)) fail_range();
    return result;
}

// exponent ≥ 0; a base of -1, 0 or 1 ends at once whatever the exponent.
int64_t power(int64_t base, int64_t exponent) {
    if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
    if (base == -1) return exponent % 2 == 0 ? 1 : -1;
    int64_t result = 1;
    while (true) {
        if (exponent & 1) result = multiply(result, base);
        exponent >>= 1;
        if (exponent == 0) return result;
        base = multiply(base, base);
    }
}

Value calculate_integers(BinaryOperator op, int64_t a, int64_t b) {
    switch (op) {
        case BinaryOperator::add: return Value(add(a, b));
        case BinaryOperator::subtract: return Value(subtract(a, b));
        case BinaryOperator::multiply: return Value(multiply(a, b));
        case BinaryOperator::divide:
            if (b == 0) fail("division by zero");
            return Value(static_cast<double>(a) / static_cast<double>(b));
        case BinaryOperator::floor_divide:
        case BinaryOperator::modulo: {
            if (b == 0) fail("integer division or modulo by zero");
            if (b == -1) return Value(op == BinaryOperator::modulo ? int64_t{0} : subtract(0, a));
            const bool rounds_up = a % b != 0 && (a % b < 0) != (b < 0);  // C++ cut towards zero
            if (op == BinaryOperator::modulo) return Value(a % b + (rounds_up ? b : 0));
            return Value(a / b - rounds_up);
        }
        case BinaryOperator::power:
            if (b >= 0) return Value(power(a, b));
            if (a == 0) fail("0.0 cannot be raised to a negative power");
            return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
    }
    return Value();
}

double floor_modulo(double a, double b) {
    const double remainder = std::fmod(a, b);
    if (remainder == 0) return std::copysign(0.0, b);
    return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

// As CPython's float_floor_div.
double floor_divide(double a, double b) {
    const double quotient = (a - floor_modulo(a, b)) / b;
    if (quotient == 0) return std::copysign(0.0, a / b);
    const double floored = std::floor(quotient);
    return quotient - floored > 0.5 ? floored + 1 : floored;
}

Value calculate_reals(BinaryOperator op, double a, double b) {
    switch (op) {
        case BinaryOperator::add: return Value(a + b);
        case BinaryOperator::subtract: return Value(a - b);
        case BinaryOperator::multiply: return Value(a * b);
        case BinaryOperator::divide:
            if (b == 0) fail("float division by zero");
            return Value(a / b);
        case BinaryOperator::floor_divide:
            if (b == 0) fail("float floor division by zero");
            return Value(floor_divide(a, b));
        case BinaryOperator::modulo:
            if (b == 0) fail("float modulo");
            return Value(floor_modulo(a, b));
        case BinaryOperator::power: {
            if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
            const double result = std::pow(a, b);
            if (std::isnan(result) && !std::isnan(a) && !std::isnan(b)) fail("a power of a negative number is complex");
            if (std::isinf(result) && std::isfinite(a) && std::isfinite(b))
                fail("(34, 'Numerical result out of range')");
            return Value(result);
        }
    }
    return Value();
}

double real_of(const Value& value) {
    if (value.is_real()) return value.as_real();
    return value.is_big_integer() ? json::parse_double(value.as_big_integer()) : static_cast<double>(value.as_int64());
}

Value repeat(const Value& sequence, const Value& times, Budget& budget) {
    if (times.is_big_integer()) fail_range();
    const auto count = static_cast<size_t>(std::max<int64_t>(times.as_int64(), 0));
    if (sequence.is_string()) {
        const std::string& text = sequence.as_string();
        budget.allocate(text.empty() ? 0 : count, text.size());
        std::string repeated;
        repeated.reserve(text.size() * count);
        for (size_t i = 0; i < count && !text.empty(); ++i) repeated += text;
        return Value::string(std::move(repeated));
    }
    const List& list = sequence.as_list();
    budget.allocate(list.items.empty() ? 0 : count, list.items.size() * sizeof(Value));
    std::vector<Value> repeated;
    for (size_t i = 0; i < count && !list.items.empty(); ++i)
        repeated.insert(repeated.end(), list.items.begin(), list.items.end());
    return make_list(std::move(repeated), list.kind);
}

bool is_repeatable(const Value& value) {
    return value.is_string() || (value.is_list() && value.as_list().kind <= ListKind::tuple);
}

Value concatenate_lists(const List& left, const List& right, Budget& budget) {
    budget.allocate(left.items.size() + right.items.size(), sizeof(Value));
    std::vector<Value> items = left.items;
    items.insert(items.end(), right.items.begin(), right.items.end());
    return new_list(std::move(items), left.kind, budget);
}

}  // namespace

Value calculate(BinaryOperator op, const Value& left, const Value& right, Budget& budget) {
    if (left.is_undefined()) fail("{}", left.as_undefined().message());
    if (right.is_undefined()) fail("{}", right.as_undefined().message());
    if (left.is_number() && right.is_number()) {
        if (left.is_real() || right.is_real()) return calculate_reals(op, real_of(left), real_of(right));
        if (left.is_big_integer() || right.is_big_integer()) fail_range();
        return calculate_integers(op, left.as_int64(), right.as_int64());
    }
    if (op == BinaryOperator::add) {
        if (left.is_string() && right.is_string()) {
            budget.allocate(left.as_string().size() + right.as_string().size());
            return Value::string(left.as_string() + right.as_string());
        }
        if (is_repeatable(left) && left.is_list() && right.is_list() && left.as_list().kind == right.as_list().kind)
            return concatenate_lists(left.as_list(), right.as_list(), budget);
    }
    if (op == BinaryOperator::multiply) {
        if (is_repeatable(left) && right.is_integer()) return repeat(left, right, budget);
        if (left.is_integer() && is_repeatable(right)) return repeat(right, left, budget);
    }
    if (op == BinaryOperator::modulo && left.is_string()) fail("formatting with % is not supported in a chat template");
    fail_types(op, left, right);
}

Value negate(const Value& value) {
    if (value.is_undefined()) fail("{}", value.as_undefined().message());
    if (value.is_real()) return Value(-value.as_real());
    if (!value.is_integer()) fail("bad operand type for unary -: '{}'", value.type_name());
    if (value.is_big_integer()) {
        const std::string& text = value.as_big_integer();
        return Value::integer(text.front() == '-' ? text.substr(1) : std::string("-").append(text));
    }
    if (value.as_int64() == INT64_MIN) return Value::integer("9223372036854775808");
    return Value(-value.as_int64());
}

Value plus(const Value& value) {
    if (value.is_undefined()) fail("{}", value.as_undefined().message());
    if (!value.is_number()) fail("bad operand type for unary +: '{}'", value.type_name());
    return value.is_bool() ? Value(value.as_int64()) : value;
}

}  // namespace glm5::chat::jinja
