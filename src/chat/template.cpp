// The border of the template engine: its Errors become Statuses here.
#include "chat/template.h"

#include "chat/jinja/evaluator.h"
#include "chat/jinja/parser.h"

namespace glm5::chat {

Result<Template> Template::parse(std::string_view source) {
    try {
        return Template(std::make_shared<const jinja::SyntaxTree>(jinja::parse_template(source)));
    } catch (const jinja::Error& error) {
        return invalid_argument("chat template line {}: {}", error.line, error.message);
    }
}

Result<std::string> Template::render(const json::Object& variables, const jinja::Limits& limits) const {
    jinja::Evaluator evaluator(*tree_, variables, limits);
    try {
        return evaluator.run();
    } catch (const jinja::Error& error) {
        return invalid_argument("chat template line {}: {}", error.line != 0 ? error.line : evaluator.line(),
                                error.message);
    }
}

}  // namespace glm5::chat
