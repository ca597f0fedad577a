// Filters over text and single values.
#include <algorithm>
#include <cmath>

#include "chat/jinja/builtin_helpers.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/text.h"
#include "json/number.h"

namespace glm5::chat::jinja {
namespace {

Value filter_upper(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_string(to_upper(text_of(evaluator, subject)));
}
Value filter_lower(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_string(to_lower(text_of(evaluator, subject)));
}
Value filter_capitalize(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_string(to_capitalized(text_of(evaluator, subject)));
}

// Jinja's own title case: a word begins behind a blank or one of - ( { [ <.
Value filter_title(Evaluator& evaluator, const Value& subject, const Arguments&) {
    const std::string text = text_of(evaluator, subject);
    std::string out;
    bool begins_word = true;
    for (size_t position = 0; position < text.size();) {
        const size_t start = position;
        const char32_t c = decode_code_point(text, position);
        const std::string_view character = std::string_view(text).substr(start, position - start);
        out += begins_word ? to_upper(character) : to_lower(character);
        begins_word = is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    }
    return evaluator.make_string(std::move(out));
}

Value filter_string(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return subject.is_string() ? subject : evaluator.make_string(text_of(evaluator, subject));
}

// HTML marks; the result is a plain string here.
Value filter_escape(Evaluator& evaluator, const Value& subject, const Arguments&) {
    std::string out;
    for (const char c : text_of(evaluator, subject)) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&#34;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
    return evaluator.make_string(std::move(out));
}

Value filter_trim(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const Value text = filter_string(evaluator, subject, arguments);
    return call_builtin(evaluator, *find_method(text, "strip"), text, arguments);
}

Value filter_replace(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const Value text = filter_string(evaluator, subject, arguments);
    Arguments texts = arguments;
    for (size_t i = 0; i < 2; ++i) texts.positional[i] = filter_string(evaluator, arguments.positional[i], arguments);
    if (texts.positional[2].is_none()) texts.positional[2] = Value(int64_t{-1});
    return call_builtin(evaluator, *find_method(text, "replace"), text, texts);
}

Value filter_indent(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const Value& width = arguments.positional[0];
    const std::string indention =
        width.is_string()
            ? width.as_string()
            : std::string(static_cast<size_t>(std::clamp<int64_t>(integer(width, 4, "width"), 0, 10'000)), ' ');
    const bool indents_first = flag(arguments.positional[1], false);
    const bool indents_blank = flag(arguments.positional[2], false);
    const std::string text = string_argument(subject, "the indented value") + "\n";
    const std::vector<std::string_view> lines = split_lines(text);
    evaluator.budget().allocate(lines.size(), indention.size() + 1);
    std::string out = indents_first ? indention : "";
    for (size_t i = 0; i < lines.size(); ++i) {
        if (i > 0) out += '\n';
        if (i > 0 && (indents_blank || !lines[i].empty())) out += indention;
        out += lines[i];
    }
    return evaluator.make_string(std::move(out));
}

Value filter_center(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const Value text = filter_string(evaluator, subject, arguments);
    Arguments width = arguments;
    if (width.positional[0].is_missing()) width.positional[0] = Value(int64_t{80});
    return call_builtin(evaluator, *find_method(text, "center"), text, width);
}

Value filter_default(Evaluator&, const Value& subject, const Arguments& arguments) {
    const bool replaces = subject.is_undefined() || (flag(arguments.positional[1], false) && !is_true(subject));
    if (!replaces) return subject;
    return arguments.positional[0].is_missing() ? Value::string("") : arguments.positional[0];
}

Value filter_abs(Evaluator&, const Value& subject, const Arguments&) {
    if (subject.is_undefined()) fail("{}", subject.as_undefined().message());
    if (subject.is_real()) return Value(std::fabs(subject.as_real()));
    if (!subject.is_integer()) fail("bad operand type for abs(): '{}'", subject.type_name());
    const bool negative = subject.is_big_integer() ? subject.as_big_integer().front() == '-' : subject.as_int64() < 0;
    return negative ? negate(subject) : plus(subject);
}

// Digits with at most one point and an exponent; no sign.
bool is_decimal(std::string_view text) {
    const auto skip_digits = [&] {
        const size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
        text.remove_prefix(count);
        return count;
    };
    size_t digits = skip_digits();
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        digits += skip_digits();
    }
    if (digits == 0) return false;
    if (!text.starts_with('e')) return text.empty();
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    return skip_digits() > 0 && text.empty();
}

// The float that Python's float(text) reads; none when it refuses.
std::optional<double> parse_python_real(std::string_view text) {
    text = strip_left(strip_right(text));
    std::string digits;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto is_digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
        if (text[i] != '_')
            digits += text[i];
        else if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1))
            return std::nullopt;
    }
    const std::string lowered = to_lower(digits);
    const bool negative = lowered.starts_with('-');
    const std::string_view magnitude = std::string_view(lowered).substr(negative || lowered.starts_with('+') ? 1 : 0);
    if (magnitude == "inf" || magnitude == "infinity") return negative ? -HUGE_VAL : HUGE_VAL;
    if (magnitude == "nan") return std::nan("");
    if (!is_decimal(magnitude)) return std::nullopt;
    const double value = json::parse_double(magnitude);
    return negative ? -value : value;
}

Value truncate_real(double value) {
    if (!std::isfinite(value)) fail("cannot convert float {} to integer", real_text(value));
    return Value::integer(fmt::format("{:.0f}", std::trunc(value) + 0.0));
}

// int(text, base) of Python for bases 2, 8, 10 and 16; none when it refuses.
std::optional<Value> parse_python_integer(std::string_view text, int64_t base) {
    text = strip_left(strip_right(text));
    std::string digits;
    if (text.starts_with('-') || text.starts_with('+')) {
        if (text.front() == '-') digits = "-";
        text.remove_prefix(1);
    }
    const std::string_view prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "";
    if (!prefix.empty() && to_lower(text.substr(0, 2)) == prefix) text.remove_prefix(2);
    const std::string_view allowed = std::string_view("0123456789abcdef").substr(0, static_cast<size_t>(base));
    bool after_digit = false;
    for (const char c : to_lower(text)) {
        if (c == '_' && after_digit) {
            after_digit = false;
            continue;
        }
        if (allowed.find(c) == std::string_view::npos) return std::nullopt;
        after_digit = true;
        digits += c;
    }
    if (!after_digit) return std::nullopt;
    const size_t sign = digits.front() == '-' ? 1 : 0;
    const size_t first = std::min(digits.find_first_not_of('0', sign), digits.size() - 1);
    digits.erase(sign, first - sign);
    if (base == 10) return Value::integer(digits == "-0" ? "0" : digits);
    int64_t value = 0;
    for (const char c : std::string_view(digits).substr(sign))
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, static_cast<int64_t>(allowed.find(c)), &value))
            fail("an integer is beyond 64 bits: the template engine does not calculate with it");
    return Value(sign ? -value : value);
}

Value filter_int(Evaluator&, const Value& subject, const Arguments& arguments) {
    const Value otherwise = arguments.positional[0].is_missing() ? Value(int64_t{0}) : arguments.positional[0];
    const int64_t base = integer(arguments.positional[1], 10, "base");
    if (base != 2 && base != 8 && base != 10 && base != 16) fail("int(): the base must be 2, 8, 10 or 16");
    if (subject.is_undefined()) fail("{}", subject.as_undefined().message());
    if (subject.is_integer()) return plus(subject);
    if (subject.is_real()) return std::isnan(subject.as_real()) ? otherwise : truncate_real(subject.as_real());
    if (!subject.is_string()) return otherwise;
    if (const std::optional<Value> value = parse_python_integer(subject.as_string(), base)) return *value;
    const std::optional<double> real = parse_python_real(subject.as_string());
    return real && std::isfinite(*real) ? truncate_real(*real) : otherwise;
}

Value filter_float(Evaluator&, const Value& subject, const Arguments& arguments) {
    const Value otherwise = arguments.positional[0].is_missing() ? Value(0.0) : arguments.positional[0];
    if (subject.is_undefined()) fail("{}", subject.as_undefined().message());
    if (subject.is_real()) return subject;
    if (subject.is_big_integer()) return Value(json::parse_double(subject.as_big_integer()));
    if (subject.is_integer()) return Value(static_cast<double>(subject.as_int64()));
    const std::optional<double> real = subject.is_string() ? parse_python_real(subject.as_string()) : std::nullopt;
    return real ? Value(*real) : otherwise;
}

// round(value, precision): to the nearest decimal, ties of the exact value to even.
double round_decimal(double value, int64_t precision) {
    if (!std::isfinite(value) || precision > 330) return value;
    if (precision < 0) {
        const double unit = std::pow(10.0, static_cast<double>(std::min<int64_t>(-precision, 400)));
        return std::isinf(unit) ? 0.0 : std::nearbyint(value / unit) * unit;
    }
    return json::parse_double(fmt::format("{:.{}f}", value, precision));
}

Value filter_round(Evaluator&, const Value& subject, const Arguments& arguments) {
    if (subject.is_undefined()) fail("{}", subject.as_undefined().message());
    const int64_t precision = integer(arguments.positional[0], 0, "precision");
    const std::string method =
        arguments.positional[1].is_missing() ? "common" : string_argument(arguments.positional[1], "method");
    if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
    if (!subject.is_number()) fail("type {} doesn't define __round__ method", subject.type_name());
    if (subject.is_integer() && method == "common" && precision >= 0) return plus(subject);
    if (subject.is_big_integer()) fail("an integer is beyond 64 bits: the template engine does not calculate with it");
    const double value = subject.is_real() ? subject.as_real() : static_cast<double>(subject.as_int64());
    if (method == "common") {
        const double rounded = round_decimal(value, precision);
        return subject.is_real() ? Value(rounded) : truncate_real(rounded);
    }
    const double scale = std::pow(10.0, static_cast<double>(std::clamp<int64_t>(precision, -400, 400)));
    return Value((method == "ceil" ? std::ceil(value * scale) : std::floor(value * scale)) / scale);
}

JsonStyle json_style(const Arguments& arguments) {
    JsonStyle style;
    style.ascii = flag(arguments.positional[0], false);
    const Value& indent = arguments.positional[1];
    if (!indent.is_missing() && !indent.is_none()) {
        style.item_separator = ",";
        style.indent =
            indent.is_string()
                ? indent.as_string()
                : std::string(static_cast<size_t>(std::clamp<int64_t>(integer(indent, 0, "indent"), 0, 1000)), ' ');
    }
    const Value& separators = arguments.positional[2];
    if (!separators.is_missing() && !separators.is_none()) {
        if (!separators.is_list() || separators.as_list().items.size() != 2)
            fail("tojson(): separators must be a pair of strings");
        style.item_separator = string_argument(separators.as_list().items[0], "a separator");
        style.key_separator = string_argument(separators.as_list().items[1], "a separator");
    }
    style.sort_keys = flag(arguments.positional[3], false);
    return style;
}

// json.dumps(ensure_ascii=False), as transformers sets it up: nothing is escaped for HTML.
Value filter_tojson(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return Value::string(to_json(subject, json_style(arguments), evaluator.budget()));
}

constexpr Builtin kTextFilters[] = {
    {"abs", filter_abs},
    {"capitalize", filter_capitalize},
    {"center", filter_center, {"width"}},
    {"d", filter_default, {"default_value", "boolean"}},
    {"default", filter_default, {"default_value", "boolean"}},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"float", filter_float, {"default"}},
    {"indent", filter_indent, {"width", "first", "blank"}},
    {"int", filter_int, {"default", "base"}},
    {"lower", filter_lower},
    {"replace", filter_replace, {"old", "new", "count"}, 2},
    {"round", filter_round, {"precision", "method"}},
    {"safe", filter_string},
    {"string", filter_string},
    {"title", filter_title},
    {"tojson", filter_tojson, {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {"trim", filter_trim, {"chars"}},
    {"upper", filter_upper},
};

}  // namespace

const Builtin* find_text_filter(std::string_view name) {
    return find_builtin(kTextFilters, name);
}

}  // namespace glm5::chat::jinja
