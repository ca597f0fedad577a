// The field checks and their messages.
#include "text/json_fields.h"

#include <algorithm>

#include "json/write.h"

namespace glm5::text {
namespace {

constexpr size_t kMaxShownBytes = 60;

// A value, short enough for one line: scalars as JSON, containers by their type.
std::string shown(const json::Value& value) {
    if (value.is_array() || value.is_object()) return fmt::format("an {}", value.type_name());
    std::string text = json::write(value, {.ascii = true});
    if (text.size() > kMaxShownBytes) text = text.substr(0, kMaxShownBytes) + "…";
    return text;
}

}  // namespace

std::string quoted(std::string_view text) {
    return shown(json::Value(text));
}

Status unexpected(std::string_view path, std::string_view expected, const json::Value* value) {
    return invalid_argument("{}: expected {}, found {}", path, expected, value == nullptr ? "nothing" : shown(*value));
}

Result<Fields> Fields::of(const json::Value* value, std::string path, std::initializer_list<std::string_view> known) {
    if (value == nullptr || !value->is_object()) {
        return unexpected(path.empty() ? "the document" : path, "an object", value);
    }
    Fields fields(&value->as_object(), std::move(path));
    for (const auto& [key, unused] : *fields.object_) {
        if (std::find(known.begin(), known.end(), key) == known.end()) {
            return unsupported("{}: unknown key {}", fields.path_.empty() ? "the document" : fields.path_, quoted(key));
        }
    }
    return fields;
}

std::string Fields::path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

Result<std::string> Fields::string(std::string_view key) const {
    const json::Value* value = find(key);
    if (value == nullptr || !value->is_string()) return unexpected(path_of(key), "a string", value);
    return value->as_string();
}

Result<int64_t> Fields::integer(std::string_view key, int64_t lowest, int64_t highest) const {
    const json::Value* value = find(key);
    const auto number = value == nullptr ? std::nullopt : value->to_int64();
    if (!number || *number < lowest || *number > highest) {
        return unexpected(path_of(key), fmt::format("an integer from {} to {}", lowest, highest), value);
    }
    return *number;
}

Result<bool> Fields::flag(std::string_view key, bool when_absent) const {
    const json::Value* value = find(key);
    if (value == nullptr) return when_absent;
    if (!value->is_bool()) return unexpected(path_of(key), "a boolean", value);
    return value->as_bool();
}

Result<const json::Array*> Fields::array(std::string_view key) const {
    const json::Value* value = find(key);
    if (value == nullptr || !value->is_array()) return unexpected(path_of(key), "an array", value);
    return &value->as_array();
}

Status Fields::require_null(std::string_view key) const {
    const json::Value* value = find(key);
    if (value == nullptr || value->is_null()) return {};
    return unexpected(path_of(key), "null", value);
}

Status Fields::require_null_or_empty(std::string_view key) const {
    const json::Value* value = find(key);
    if (value != nullptr && value->is_string() && value->as_string().empty()) return {};
    return require_null(key);
}

Status Fields::require_flag(std::string_view key, bool expected, bool when_absent) const {
    GLM5_ASSIGN_OR_RETURN(const bool found, flag(key, when_absent));
    if (found == expected) return {};
    return unexpected(path_of(key), expected ? "true" : "false", find(key));
}

Status Fields::require_string(std::string_view key, std::string_view expected) const {
    const json::Value* value = find(key);
    if (value != nullptr && value->is_string() && value->as_string() == expected) return {};
    return unexpected(path_of(key), quoted(expected), value);
}

}  // namespace glm5::text
