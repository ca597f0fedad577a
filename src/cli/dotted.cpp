// Splitting of dotted names, and merging of objects.
#include "cli/dotted.h"

#include <algorithm>

#include "json/parse.h"

namespace glm5::cli {
namespace {

constexpr size_t kMaxKeys = 16;

json::Value value_of(const std::string& text) {
    auto value = json::parse(text, {.max_depth = 64});
    return value.ok() ? std::move(*value) : json::Value(text);
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    size_t begin = 0;
    for (size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + 1)
        parts.push_back(text.substr(begin, end - begin));
    parts.push_back(text.substr(begin));
    return parts;
}

// The items that "+" appends.
json::Array items_of(const std::string& text) {
    json::Value value = value_of(text);
    if (value.is_array()) return std::move(value.as_array());
    if (!value.is_string()) return {std::move(value)};
    json::Array items;
    for (const std::string& item : split(text, ',')) items.push_back(value_of(item));
    return items;
}

Status set_member(json::Object& object, const std::string& name, std::vector<std::string> keys,
                  const std::string& text) {
    const bool appends = keys.back().ends_with('+');
    if (appends) keys.back().pop_back();
    if (keys.size() > kMaxKeys) return invalid_argument("{}: more than {} keys", name, kMaxKeys);
    if (std::any_of(keys.begin(), keys.end(), [](const std::string& key) { return key.empty(); }))
        return invalid_argument("{}: a key is empty", name);
    json::Object* level = &object;
    for (size_t i = 0; i + 1 < keys.size(); ++i) {
        json::Value* next = level->find(keys[i]);
        if (!next) {
            level->append(keys[i], json::Object());
            next = level->find(keys[i]);
        }
        if (!next->is_object()) return invalid_argument("{}: '{}' is {} already", name, keys[i], next->type_name());
        level = &next->as_object();
    }
    if (!appends) {
        level->set(keys.back(), value_of(text));
        return {};
    }
    json::Value* list = level->find(keys.back());
    if (!list) {
        level->append(keys.back(), json::Array());
        list = level->find(keys.back());
    }
    if (!list->is_array()) return invalid_argument("{}: '{}' is {} already", name, keys.back(), list->type_name());
    for (json::Value& item : items_of(text)) list->as_array().push_back(std::move(item));
    return {};
}

// The command's option of that name, or else another command's.
const Option* find_option(std::string_view name, const CommandInfo& command) {
    const Option* found = nullptr;
    for (const Option& option : option_table())
        if (option.name == name && (!found || (option.commands & command.command))) found = &option;
    return found;
}

}  // namespace

Status take_dotted(std::vector<std::string>& arguments, const CommandInfo& command, DottedObjects& objects) {
    std::vector<std::string> others;
    for (size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "--") {
            others.insert(others.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
            break;
        }
        const size_t equals = std::min(argument.find('='), argument.size());
        const std::string name = argument.substr(0, equals);
        const size_t dot = name.find('.');
        const Option* option =
            argument.starts_with("--") && dot != std::string::npos ? find_option(name.substr(0, dot), command) : nullptr;
        if (!option) {
            others.push_back(argument);
            continue;
        }
        if (option->type != OptionType::object)
            return invalid_argument("{}: {} does not take a JSON object", name, option->name);
        std::string text;
        if (equals < argument.size())
            text = argument.substr(equals + 1);
        else if (i + 1 < arguments.size())
            text = arguments[++i];
        else
            return invalid_argument("{} needs a value", name);
        GLM5_RETURN_IF_ERROR(set_member(objects[option], name, split(name.substr(dot + 1), '.'), text));
    }
    arguments = std::move(others);
    return {};
}

void merge(json::Object& into, json::Object from) {
    for (auto& [key, value] : from) {
        json::Value* mine = into.find(key);
        if (mine && mine->is_object() && value.is_object())
            merge(mine->as_object(), std::move(value.as_object()));
        else
            into.set(key, std::move(value));
    }
}

}  // namespace glm5::cli
