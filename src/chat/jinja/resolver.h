// Gives every name of a syntax tree its places, by Jinja's rules of scope: for bodies, macros, blocks with a result and
// `with` have variables of their own; `if` has none; an assignment never reaches outwards.
#pragma once

#include "chat/jinja/ast.h"

namespace glm5::chat::jinja {

void resolve_names(SyntaxTree& tree);

}  // namespace glm5::chat::jinja
