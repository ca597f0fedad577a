// Values: the options that were given, checked and converted by their rows of the table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/option.h"
#include "json/value.h"

namespace glm5::cli {

// 8192, 8k = 8000, 8K = 8192, 1M = 1048576, 1.5g, 2GiB, 2GB; "auto" and -1 are 0. None for anything else.
std::optional<int64_t> parse_count(std::string_view text);

class Values {
public:
    // Checks `raw` by the type and the limits of `option`. The error names the option, the value and what is allowed.
    Status set(const Option& option, std::vector<std::string> raw);

    // Each requires an option of that type (choices are texts) that was set.
    bool flag(std::string_view name) const;
    int64_t number(std::string_view name) const;  // integer and count
    double real(std::string_view name) const;
    const std::string& text(std::string_view name) const;
    const std::vector<std::string>& texts(std::string_view name) const;
    const json::Object& object(std::string_view name) const;

    bool has(std::string_view name) const { return values_.contains(std::string(name)); }
    // The text, or "" when it was not set.
    std::string text_or_empty(std::string_view name) const { return has(name) ? text(name) : std::string(); }

private:
    struct Value {
        std::vector<std::string> texts;
        int64_t number = 0;
        double real = 0;
        json::Object object;
    };
    const Value& at(std::string_view name) const;

    std::map<std::string, Value, std::less<>> values_;
};

}  // namespace glm5::cli
