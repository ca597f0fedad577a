// Type and range checks of fields.
#include "api/field_reader.h"

namespace glm5::api {

const json::Value* FieldReader::any(std::string_view name) {
    asked_.emplace(name);
    const json::Value* value = error_ ? nullptr : object_->find(name);
    return value && !value->is_null() ? value : nullptr;
}

void FieldReader::fail(ApiError error) {
    if (!error_) error_ = std::move(error);
}

void FieldReader::fail_type(std::string_view name, std::string_view expected, const json::Value& found) {
    fail(invalid_request(std::string(name), "{} must be {}, not {}.", name, expected, found.type_name()));
}

std::optional<bool> FieldReader::boolean(std::string_view name) {
    const json::Value* value = any(name);
    if (!value) return std::nullopt;
    if (value->is_bool()) return value->as_bool();
    fail_type(name, "a boolean", *value);
    return std::nullopt;
}

std::optional<int64_t> FieldReader::integer(std::string_view name, int64_t minimum, int64_t maximum) {
    const json::Value* value = any(name);
    if (!value) return std::nullopt;
    const auto number = value->to_int64();
    if (!number) {
        if (value->is_number())
            fail(invalid_request(std::string(name), "{} must be an integer, not {}.", name,
                                 value->as_number().text.substr(0, 32)));
        else
            fail_type(name, "an integer", *value);
        return std::nullopt;
    }
    if (*number >= minimum && *number <= maximum) return number;
    if (maximum == std::numeric_limits<int64_t>::max())
        fail(invalid_request(std::string(name), "{} must be at least {}, not {}.", name, minimum, *number));
    else
        fail(invalid_request(std::string(name), "{} must be {} to {}, not {}.", name, minimum, maximum, *number));
    return std::nullopt;
}

std::optional<double> FieldReader::number(std::string_view name, double minimum, double maximum, Bound bound) {
    const json::Value* value = any(name);
    if (!value) return std::nullopt;
    if (!value->is_number()) {
        fail_type(name, "a number", *value);
        return std::nullopt;
    }
    const std::string text = value->as_number().text.substr(0, 32);
    const auto number = value->to_double();
    if (!number) {
        fail(invalid_request(std::string(name), "{} must be a finite number, not {}.", name, text));
        return std::nullopt;
    }
    const bool open = bound == Bound::above_minimum;
    if (*number >= minimum && *number <= maximum && !(open && *number == minimum)) return number;
    if (maximum == std::numeric_limits<double>::infinity())
        fail(invalid_request(std::string(name), "{} must be {} {}, not {}.", name, open ? "above" : "at least", minimum,
                             text));
    else if (open)
        fail(invalid_request(std::string(name), "{} must be above {} and at most {}, not {}.", name, minimum, maximum,
                             text));
    else
        fail(invalid_request(std::string(name), "{} must be {} to {}, not {}.", name, minimum, maximum, text));
    return std::nullopt;
}

std::optional<std::string> FieldReader::text(std::string_view name) {
    const json::Value* value = any(name);
    if (!value) return std::nullopt;
    if (value->is_string()) return value->as_string();
    fail_type(name, "a string", *value);
    return std::nullopt;
}

const json::Array* FieldReader::array(std::string_view name) {
    const json::Value* value = any(name);
    if (!value) return nullptr;
    if (value->is_array()) return &value->as_array();
    fail_type(name, "an array", *value);
    return nullptr;
}

const json::Object* FieldReader::object(std::string_view name) {
    const json::Value* value = any(name);
    if (!value) return nullptr;
    if (value->is_object()) return &value->as_object();
    fail_type(name, "an object", *value);
    return nullptr;
}

std::vector<std::string> FieldReader::unknown() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : *object_)
        if (!asked_.contains(name)) names.push_back(name);
    return names;
}

}  // namespace glm5::api
