// Which names a syntax tree loads.
#pragma once

#include <functional>
#include <string_view>

#include "chat/jinja/ast.h"

namespace glm5::chat::jinja {

// Calls visit(Name&) for every name that an expression loads; nothing for nullptr.
void visit_names(Expression* expression, const std::function<void(Name&)>& visit);

// Whether a body, or anything inside it, loads the name.
bool uses_name(const Body& body, std::string_view wanted);

}  // namespace glm5::chat::jinja
