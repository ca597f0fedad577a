// The two halves of the filter table.
#pragma once

#include <string_view>

#include "chat/jinja/callable.h"

namespace glm5::chat::jinja {

const Builtin* find_text_filter(std::string_view name);
const Builtin* find_sequence_filter(std::string_view name);

}  // namespace glm5::chat::jinja
