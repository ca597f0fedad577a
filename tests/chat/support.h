// Fixtures of the chat tests.
#pragma once

#include <string>
#include <string_view>

#include "json/value.h"

namespace glm5::chat {

// The file tests/fixtures/chat/<name>.
std::string read_fixture(std::string_view name);
json::Value read_json_fixture(std::string_view name);
// A template by the name that the golden files give it: glm-5, glm-5.1, glm-5.2, glm-5.3, glm-5.3-flash, nano.
std::string read_template(std::string_view name);
// Text that must parse.
json::Value parse_json(std::string_view text);

}  // namespace glm5::chat
