// JSON text → json::Value. Input is hostile: depth, the number of values and, where asked, duplicate keys are
// checked; errors name the place.
#pragma once

#include <string_view>

#include "base/status.h"
#include "json/value.h"

namespace glm5::json {

struct ParseOptions {
    int max_depth = 128;                 // arrays and objects inside one another
    size_t max_values = 4'000'000;       // a value takes some 40 bytes, however short its text
    bool reject_duplicate_keys = false;  // otherwise the last one wins, at the first one's place
};

// The one value in `text` (UTF-8, white space around it allowed). Errors: "line 3, column 7: expected …".
Result<Value> parse(std::string_view text, const ParseOptions& options = {});

}  // namespace glm5::json
