// A chat template: Jinja text, parsed once, rendered many times from any number of threads.
// Jinja as transformers sets it up: trim_blocks, lstrip_blocks, loop controls, sandbox, lenient undefined values,
// tojson that is json.dumps(ensure_ascii=False), raise_exception(), {% generation %}. A template is input: what a
// render may cost is bounded (jinja/budget.h).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "chat/jinja/budget.h"
#include "json/value.h"

namespace glm5::chat {

namespace jinja {
struct SyntaxTree;
}

class Template {
public:
    // Errors: invalid_argument "chat template line N: …".
    static Result<Template> parse(std::string_view source);

    // The text. A name that `variables` lacks is undefined. Errors as above; what raise_exception() says is one of
    // them.
    Result<std::string> render(const json::Object& variables, const jinja::Limits& limits = {}) const;

private:
    explicit Template(std::shared_ptr<const jinja::SyntaxTree> tree) : tree_(std::move(tree)) {}

    std::shared_ptr<const jinja::SyntaxTree> tree_;
};

}  // namespace glm5::chat
