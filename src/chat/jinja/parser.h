// Tokens → syntax tree, by Jinja's grammar: for, if, set, macro, call, filter, with, print, break, continue,
// generation. Tags that load other templates (include, import, extends, block) are errors.
#pragma once

#include <string_view>

#include "chat/jinja/ast.h"

namespace glm5::chat::jinja {

// Expressions and statements inside one another.
constexpr int kMaxSyntaxDepth = 200;
constexpr size_t kMaxTemplateBytes = size_t{4} << 20;

// Throws Error naming the line.
SyntaxTree parse_template(std::string_view source);

}  // namespace glm5::chat::jinja
