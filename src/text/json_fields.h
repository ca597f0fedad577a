// Checked access to the fields of a parsed configuration file, with errors that name the field by its path.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/status.h"
#include "json/value.h"

namespace glm5::text {

// `text` as a JSON string in ASCII, cut when it is long: one line, whatever a file has in it.
std::string quoted(std::string_view text);

// "PATH: expected EXPECTED, found FOUND"; `value` is null for a field that is absent.
Status unexpected(std::string_view path, std::string_view expected, const json::Value* value);

// An object and the path of its fields.
class Fields {
public:
    // Fails unless `value` is an object that has no other keys than `known`. `path` is empty for the root.
    static Result<Fields> of(const json::Value* value, std::string path, std::initializer_list<std::string_view> known);

    // The field, or nullptr.
    const json::Value* find(std::string_view key) const { return object_->find(key); }
    std::string path_of(std::string_view key) const;

    Result<std::string> string(std::string_view key) const;
    Result<int64_t> integer(std::string_view key, int64_t lowest, int64_t highest) const;
    Result<bool> flag(std::string_view key, bool when_absent) const;
    Result<const json::Array*> array(std::string_view key) const;

    // Ok when the field has the one value that we support (null or "" may also be absent).
    Status require_null(std::string_view key) const;
    Status require_null_or_empty(std::string_view key) const;
    Status require_flag(std::string_view key, bool expected, bool when_absent) const;
    Status require_string(std::string_view key, std::string_view expected) const;

private:
    Fields(const json::Object* object, std::string path) : object_(object), path_(std::move(path)) {}

    const json::Object* object_;
    std::string path_;
};

}  // namespace glm5::text
