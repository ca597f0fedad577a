// KeyReader: typed, checked reads of a JSON object's keys.
#include "config/key_reader.h"

#include <algorithm>

#include "json/write.h"

namespace glm5::config {
namespace {

constexpr size_t kMaxShownBytes = 80;
constexpr int kMaxUnknownKeyWarnings = 20;

}  // namespace

std::string shown(const json::Value& value) {
    if (value.is_object()) return "an object";
    if (value.is_array() && value.as_array().size() > 8) return fmt::format("a list of {}", value.as_array().size());
    std::string text = json::write(value, {.ascii = true});
    if (text.size() > kMaxShownBytes) text = text.substr(0, kMaxShownBytes) + "…";
    return text;
}

KeyReader::KeyReader(std::string place, const json::Value& object) : place_(std::move(place)), object_(object) {
    if (!object_.is_object()) status_ = invalid_argument("{}: expected an object, found {}", place_, shown(object_));
}

const json::Value* KeyReader::lookup(std::string_view key) {
    known_.emplace(key);
    return object_.find(key);
}

const json::Value* KeyReader::find(std::string_view key) {
    const json::Value* value = lookup(key);
    return value && !value->is_null() ? value : nullptr;
}

bool KeyReader::contains(std::string_view key) {
    return lookup(key) != nullptr;
}

void KeyReader::read_integer(std::string_view key, int& out, int64_t least, int64_t most) {
    const std::string expected = fmt::format("an integer from {} to {}", least, most);
    const json::Value* value = lookup(key);
    if (!value) return fail_missing(key, expected);
    const auto integer = value->to_int64();
    if (!integer || *integer < least || *integer > most) return fail_invalid(key, *value, expected);
    out = static_cast<int>(*integer);
}

void KeyReader::read_positive(std::string_view key, double& out, double most) {
    const std::string expected = fmt::format("a number above 0, at most {}", most);
    const json::Value* value = lookup(key);
    if (!value) return fail_missing(key, expected);
    const auto number = value->to_double();
    if (!number || !(*number > 0) || *number > most) return fail_invalid(key, *value, expected);
    out = *number;
}

void KeyReader::read_flag(std::string_view key, bool& out) {
    const json::Value* value = find(key);
    if (!value) return;
    if (!value->is_bool()) return fail_invalid(key, *value, "true or false");
    out = value->as_bool();
}

void KeyReader::must_be(std::string_view key, std::initializer_list<json::Value> supported) {
    const json::Value* value = find(key);
    if (!value || std::find(supported.begin(), supported.end(), *value) != supported.end()) return;
    std::string list;
    for (const json::Value& each : supported) list += (list.empty() ? "" : ", ") + shown(each);
    fail_unsupported(key, *value, list);
}

void KeyReader::ignore(std::initializer_list<std::string_view> keys) {
    for (std::string_view key : keys) known_.emplace(key);
}

void KeyReader::fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
}

void KeyReader::fail_unsupported(std::string_view key, const json::Value& found, std::string_view supported) {
    fail(unsupported("{}: {}: {} is not supported; supported: {}", place_, key, shown(found), supported));
}

void KeyReader::fail_invalid(std::string_view key, const json::Value& found, std::string_view expected) {
    fail(invalid_argument("{}: {}: expected {}, found {}", place_, key, expected, shown(found)));
}

void KeyReader::fail_missing(std::string_view key, std::string_view expected) {
    fail(invalid_argument("{}: {}: missing; expected {}", place_, key, expected));
}

void KeyReader::warn_of_unknown_keys(std::vector<std::string>& warnings) const {
    if (!object_.is_object()) return;
    int unknown = 0;
    for (const auto& [key, value] : object_.as_object()) {
        if (known_.contains(key)) continue;
        if (++unknown <= kMaxUnknownKeyWarnings)
            warnings.push_back(fmt::format("{}: unknown key {} is ignored", place_, shown(json::Value(key))));
    }
    if (unknown > kMaxUnknownKeyWarnings)
        warnings.push_back(
            fmt::format("{}: {} more unknown keys are ignored", place_, unknown - kMaxUnknownKeyWarnings));
}

}  // namespace glm5::config
