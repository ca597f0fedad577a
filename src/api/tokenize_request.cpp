// Either a text or a conversation.
#include "api/tokenize_request.h"

namespace glm5::api {
namespace {

ApiError not_an_object(const json::Value& body) {
    return {400, fmt::format("The body must be an object, not {}.", body.type_name()), {}};
}

}  // namespace

std::variant<TokenizeRequest, ApiError> parse_tokenize_request(const json::Value& body) {
    if (!body.is_object()) return not_an_object(body);
    FieldReader reader(body.as_object());
    TokenizeRequest request;
    request.model = reader.text("model").value_or("");
    const auto prompt = reader.text("prompt");
    const bool is_chat = reader.any("messages") != nullptr;
    if (prompt && is_chat) reader.fail(invalid_request("prompt", "prompt and messages cannot both be given."));
    if (!prompt && !is_chat) reader.fail(invalid_request("prompt", "prompt or messages is required."));
    if (is_chat) {
        request.prompt = read_conversation_fields(reader);
    } else {
        request.prompt = prompt.value_or("");
        reader.boolean("add_special_tokens");  // the family adds none
    }
    request.return_token_strs = reader.boolean("return_token_strs").value_or(false);
    if (reader.error()) return *reader.error();
    request.unknown_fields = reader.unknown();
    return request;
}

std::variant<DetokenizeRequest, ApiError> parse_detokenize_request(const json::Value& body) {
    if (!body.is_object()) return not_an_object(body);
    FieldReader reader(body.as_object());
    DetokenizeRequest request;
    request.model = reader.text("model").value_or("");
    const json::Array* tokens = reader.array("tokens");
    if (tokens)
        request.tokens = read_token_ids(reader, *tokens, "tokens");
    else
        reader.fail(invalid_request("tokens", "tokens is required."));
    if (reader.error()) return *reader.error();
    request.unknown_fields = reader.unknown();
    return request;
}

}  // namespace glm5::api
