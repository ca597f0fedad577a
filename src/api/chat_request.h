// ChatRequest: the body of POST /v1/chat/completions, checked except for the messages, which chat/ checks when it
// renders them.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/error.h"
#include "api/generation_fields.h"

namespace glm5::api {

// What becomes the prompt.
struct ConversationFields {
    json::Value messages;               // a list, not empty
    json::Value tools;                  // as sent; null when there are none
    std::string reasoning_effort;       // empty: not given
    json::Object chat_template_kwargs;  // of the request alone
    bool add_generation_prompt = true;  // off: the model continues the last message
};

struct ChatRequest {
    GenerationFields fields;
    ConversationFields conversation;
    bool include_reasoning = true;
    std::vector<std::string> unknown_fields;
};

ConversationFields read_conversation_fields(FieldReader& reader);

// The request, or what is wrong with it.
std::variant<ChatRequest, ApiError> parse_chat_request(const json::Value& body);

}  // namespace glm5::api
