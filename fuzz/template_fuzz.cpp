// The chat template engine: parses the input as a template and renders it with a small conversation.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "chat/template.h"
#include "json/parse.h"

namespace {

const glm5::json::Object& variables() {
    static const glm5::Result<glm5::json::Value> kVariables = glm5::json::parse(R"({
        "messages": [{"role": "user", "content": "h\u00e9llo"}, {"role": "assistant", "content": [{"type": "text", "text": "x"}],
                      "tool_calls": [{"id": 1, "function": {"name": "f", "arguments": {"items": 1.5, "b": [null, true]}}}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "add_generation_prompt": true, "n": 12345678901234567890, "d": {"a": 1}, "x": "text", "xs": [3, 1, 2]})");
    return kVariables.value().as_object();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    const glm5::Result<glm5::chat::Template> parsed = glm5::chat::Template::parse(source);
    if (!parsed.ok()) return 0;
    const glm5::chat::jinja::Limits limits{.steps = 100'000, .allocated_bytes = 4 << 20, .output_bytes = 1 << 20};
    const glm5::Result<std::string> first = parsed->render(variables(), limits);
    const glm5::Result<std::string> second = parsed->render(variables(), limits);
    GLM5_CHECK(first.ok() == second.ok(), "two renders differ");
    GLM5_CHECK(!first.ok() || *first == *second, "two renders differ");
    return 0;
}
