// The method tables by type.
#pragma once

#include <string_view>

#include "chat/jinja/callable.h"

namespace glm5::chat::jinja {

const Builtin* find_string_method(std::string_view name);
const Builtin* find_mapping_method(std::string_view name);
const Builtin* find_list_method(std::string_view name);
const Builtin* find_loop_method(std::string_view name);

}  // namespace glm5::chat::jinja
