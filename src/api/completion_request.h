// CompletionRequest: the body of POST /v1/completions, checked.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "api/error.h"
#include "api/generation_fields.h"

namespace glm5::api {

struct CompletionRequest {
    GenerationFields fields;
    std::variant<std::string, std::vector<int32_t>> prompt;  // text, or token ids ≥ 0
    bool add_special_tokens = true;                          // the family adds none
    std::vector<std::string> unknown_fields;
};

// The request, or what is wrong with it.
std::variant<CompletionRequest, ApiError> parse_completion_request(const json::Value& body);

}  // namespace glm5::api
