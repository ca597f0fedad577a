// KeyReader: reads the keys of one JSON object by their type and range. It remembers which keys are known, and the
// first error: later ones are dropped, and a value that fails is not stored, so that callers check once at the end.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "json/value.h"

namespace glm5::config {

class KeyReader {
public:
    // `place` names the object in messages: "config.json", "config.json: rope_parameters".
    KeyReader(std::string place, const json::Value& object);

    // The value, or nullptr when the key is absent or null.
    const json::Value* find(std::string_view key);
    // Whether the key is there, null or not.
    bool contains(std::string_view key);
    // Required: an integer from `least` to `most`.
    void read_integer(std::string_view key, int& out, int64_t least, int64_t most);
    // Required: a number above 0 and at most `most`.
    void read_positive(std::string_view key, double& out, double most);
    // Keeps `out` when absent.
    void read_flag(std::string_view key, bool& out);
    // Absent, or one of `supported`.
    void must_be(std::string_view key, std::initializer_list<json::Value> supported);
    // Keys that have no effect here.
    void ignore(std::initializer_list<std::string_view> keys);

    void fail(Status status);
    // "PLACE: KEY: " with the value found and what is supported, or expected.
    void fail_unsupported(std::string_view key, const json::Value& found, std::string_view supported);
    void fail_invalid(std::string_view key, const json::Value& found, std::string_view expected);
    void fail_missing(std::string_view key, std::string_view expected);

    const Status& status() const { return status_; }
    bool ok() const { return status_.ok(); }
    const std::string& place() const { return place_; }

    // One warning per key that nothing above has named; beyond a few, their number.
    void warn_of_unknown_keys(std::vector<std::string>& warnings) const;

private:
    const json::Value* lookup(std::string_view key);

    std::string place_;
    const json::Value& object_;
    Status status_;
    std::set<std::string, std::less<>> known_;
};

// A value for a message: its JSON text, cut when long.
std::string shown(const json::Value& value);

}  // namespace glm5::config
