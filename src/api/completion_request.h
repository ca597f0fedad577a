// CompletionRequest: the body of POST /v1/completions, checked.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "api/error.h"
#include "api/generation_fields.h"

namespace glm5::api {

// Text, or token ids ≥ 0; not empty. `path` names it in messages: "prompt", "prompt[3]".
struct CompletionPrompt {
    std::string path;
    std::variant<std::string, std::vector<int32_t>> content;
};

struct CompletionRequest {
    GenerationFields fields;
    std::vector<CompletionPrompt> prompts;  // at least one
    bool echo = false;                      // the answer begins with the prompt
    std::vector<std::string> unknown_fields;
};

// The request, or what is wrong with it.
std::variant<CompletionRequest, ApiError> parse_completion_request(const json::Value& body);

}  // namespace glm5::api
