// json::Value → text, byte for byte what Python's json.dumps writes (separators ", " and ": "; floats as repr).
#pragma once

#include <string>
#include <string_view>

#include "json/value.h"

namespace glm5::json {

struct WriteOptions {
    bool ascii = false;    // json.dumps(ensure_ascii=True): \uXXXX beyond ASCII
    bool compact = false;  // separators "," and ":"
    int indent = -1;       // ≥ 0: pretty, as json.dumps(indent=n)
};

std::string write(const Value& value, const WriteOptions& options = {});
void write(std::string& out, const Value& value, const WriteOptions& options = {});

// Appends `text` as a JSON string with its quotes. `text` is UTF-8; each invalid byte becomes U+FFFD.
void write_string(std::string& out, std::string_view text, const WriteOptions& options = {});

// The number as Python prints it: integers exactly as written (-0 as 0), floats as repr(float): 1.0, 1e-07, 1e+16.
// Beyond the range of double, where Python has Infinity and JSON has nothing, it stays as it was written.
std::string number_text(const Number& number);

}  // namespace glm5::json
