// Binding of arguments, and what the builtins share.
#include "chat/jinja/callable.h"

#include <algorithm>

#include "chat/jinja/builtin_helpers.h"
#include "chat/jinja/text.h"

namespace glm5::chat::jinja {

const Value* Arguments::find_keyword(std::string_view name) const {
    for (const auto& [key, value] : keyword)
        if (*key == name) return &value;
    return nullptr;
}

Value call_builtin(Evaluator& evaluator, const Builtin& builtin, const Value& subject, Arguments arguments) {
    if (builtin.takes_anything) return builtin.function(evaluator, subject, arguments);
    const auto first_empty = std::find(builtin.parameters.begin(), builtin.parameters.end(), std::string_view());
    const auto count = static_cast<size_t>(first_empty - builtin.parameters.begin());
    if (arguments.positional.size() > count)
        fail("{}() takes at most {} argument(s), {} given", builtin.name, count, arguments.positional.size());
    const size_t num_given = arguments.positional.size();
    arguments.positional.resize(count);
    for (auto& [name, value] : arguments.keyword) {
        const auto position =
            static_cast<size_t>(std::find(builtin.parameters.begin(), first_empty, *name) - builtin.parameters.begin());
        if (position == count) fail("{}() got an unexpected keyword argument '{}'", builtin.name, *name);
        if (position < num_given || !arguments.positional[position].is_missing())
            fail("{}() got multiple values for argument '{}'", builtin.name, *name);
        arguments.positional[position] = std::move(value);
    }
    for (size_t i = 0; i < static_cast<size_t>(builtin.num_required); ++i)
        if (arguments.positional[i].is_missing())
            fail("{}() missing required argument '{}'", builtin.name, builtin.parameters[i]);
    return builtin.function(evaluator, subject, arguments);
}

bool flag(const Value& value, bool otherwise) {
    return value.is_missing() ? otherwise : is_true(value);
}

int64_t integer(const Value& value, int64_t otherwise, std::string_view what) {
    if (value.is_missing()) return otherwise;
    if (value.is_undefined()) fail("{}", value.as_undefined().message());
    if (!value.is_integer()) fail("{} must be an integer, not {}", what, value.type_name());
    if (value.is_big_integer()) fail("{} is beyond 64 bits", what);
    return value.as_int64();
}

const std::string& string_argument(const Value& value, std::string_view what) {
    if (value.is_undefined()) fail("{}", value.as_undefined().message());
    if (!value.is_string()) fail("{} must be str, not {}", what, value.type_name());
    return value.as_string();
}

std::string text_of(Evaluator& evaluator, const Value& value) {
    return to_string(value, evaluator.budget());
}

Value get_path(Evaluator& evaluator, const Value& item, const Value& path) {
    if (path.is_missing() || path.is_none()) return item;
    if (!path.is_string()) return evaluator.get_item(item, path);
    Value found = item;
    std::string_view rest = path.as_string();
    while (true) {
        const size_t dot = rest.find('.');
        const std::string_view part = rest.substr(0, dot);
        const bool is_number = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
        const Value key = is_number ? Value::integer(part) : Value::string(std::string(part));
        found = evaluator.get_item(found, key);
        if (dot == std::string_view::npos) return found;
        rest.remove_prefix(dot + 1);
    }
}

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    size_t start = 0;
    for (size_t position = 0; position < text.size();) {
        const size_t end = position;
        const char32_t c = decode_code_point(text, position);
        const bool ends_line =
            (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
        if (!ends_line) continue;
        if (c == '\r' && position < text.size() && text[position] == '\n') ++position;
        lines.push_back(text.substr(start, end - start));
        start = position;
    }
    if (start < text.size()) lines.push_back(text.substr(start));
    return lines;
}

Value ignore_case(Evaluator& evaluator, const Value& value) {
    return value.is_string() ? evaluator.make_string(to_lower(value.as_string())) : value;
}

Value LoopState::attribute(std::string_view name) const {
    const auto position = static_cast<int64_t>(index);
    const auto size = static_cast<int64_t>(items.size());
    if (name == "index0") return Value(position);
    if (name == "index") return Value(position + 1);
    if (name == "first") return Value(position == 0);
    if (name == "last") return Value(position + 1 == size);
    if (name == "length") return Value(size);
    if (name == "revindex") return Value(size - position);
    if (name == "revindex0") return Value(size - position - 1);
    if (name == "depth") return Value(int64_t{1});  // Jinja counts only recursive loops
    if (name == "depth0") return Value(int64_t{0});
    if (name == "previtem") return index == 0 ? undefined_message("there is no previous item") : items[index - 1];
    if (name == "nextitem")
        return index + 1 >= items.size() ? undefined_message("there is no next item") : items[index + 1];
    return Value();
}

}  // namespace glm5::chat::jinja
