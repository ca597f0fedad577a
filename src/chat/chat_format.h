// ChatFormat: how one checkpoint writes a conversation as text.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "chat/messages.h"
#include "chat/reasoning.h"
#include "chat/template.h"

namespace glm5::chat {

struct RenderOptions {
    bool add_generation_prompt = true;
    json::Object template_kwargs;  // chat_template_kwargs: enable_thinking, clear_thinking, reasoning_effort …
};

struct ChatPrompt {
    std::string text;
    PromptEnd end;  // where a ReasoningSplitter of the completion begins
};

// Immutable; shared between threads.
class ChatFormat {
public:
    // From chat_template.jinja of a checkpoint, else from chat_template of its tokenizer_config.json (a list of named
    // templates gives the one named "default").
    static Result<ChatFormat> load(const std::filesystem::path& directory);
    static Result<ChatFormat> from_source(std::string_view source);

    // The prompt of a conversation. To let the model continue a last assistant message, leave add_generation_prompt
    // off: the prompt then ends in its content.
    std::variant<ChatPrompt, MessageError> render(const json::Value& messages, const json::Value& tools,
                                                  const RenderOptions& options = {}) const;

    const TemplateTraits& traits() const { return traits_; }

    // The template variables that a request's reasoning_effort stands for: none and minimal turn thinking off where the
    // template can; GLM-5.2 knows high and max, GLM-5.3 (which always thinks) also low; the others know no effort.
    json::Object effort_variables(std::string_view effort) const;

private:
    ChatFormat(Template text_template, TemplateTraits traits) : template_(std::move(text_template)), traits_(traits) {}

    Template template_;
    TemplateTraits traits_;
    json::Object special_tokens_;  // bos_token, eos_token … of tokenizer_config.json, which some templates print
};

}  // namespace glm5::chat
