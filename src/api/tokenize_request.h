// The bodies of POST /tokenize and POST /detokenize, checked.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "api/chat_request.h"
#include "api/error.h"

namespace glm5::api {

struct TokenizeRequest {
    std::string model;  // empty: the first served name
    std::variant<std::string, ConversationFields> prompt;
    bool return_token_strs = false;
    std::vector<std::string> unknown_fields;
};

struct DetokenizeRequest {
    std::string model;
    std::vector<int32_t> tokens;  // ≥ 0
    std::vector<std::string> unknown_fields;
};

// The request, or what is wrong with it.
std::variant<TokenizeRequest, ApiError> parse_tokenize_request(const json::Value& body);
std::variant<DetokenizeRequest, ApiError> parse_detokenize_request(const json::Value& body);

}  // namespace glm5::api
