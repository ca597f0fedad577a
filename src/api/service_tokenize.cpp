// POST /tokenize and /detokenize.
#include "api/service.h"
#include "json/write.h"

namespace glm5::api {

void Service::answer_body(const http::ExchangePtr& exchange, Answer (Service::*answer)(const json::Value&)) {
    with_body(exchange, [this, answer](const auto& answered, const auto& body, const Identity& identity) {
        const Answer result = (this->*answer)(body);
        answered->add_header("X-Request-Id", identity.id);
        if (const auto* error = std::get_if<ApiError>(&result)) return answered->respond(error_response(*error));
        answered->respond({200, "application/json", json::write(std::get<json::Value>(result), {.compact = true}), {}});
    });
}

Service::Answer Service::tokenize(const json::Value& body) {
    auto parsed = parse_tokenize_request(body);
    if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
    TokenizeRequest& request = std::get<TokenizeRequest>(parsed);
    if (auto error = check_model_name(request.model)) return std::move(*error);
    warn_unknown(request.unknown_fields);
    std::string text;
    if (const auto* conversation = std::get_if<ConversationFields>(&request.prompt)) {
        auto rendered = render(*conversation);
        if (auto* error = std::get_if<ApiError>(&rendered)) return std::move(*error);
        text = std::move(std::get<chat::ChatPrompt>(rendered).text);
    } else {
        text = std::move(std::get<std::string>(request.prompt));
    }
    const std::vector<int32_t> tokens = model_->tokenizer.encode(text);
    json::Value names;
    if (request.return_token_strs) {
        json::Array list;
        for (const int32_t token : tokens) list.emplace_back(model_->tokenizer.id_to_token(token));
        names = std::move(list);
    }
    return json::Value::object({{"count", tokens.size()},
                                {"max_model_len", model_->info.max_model_len},
                                {"tokens", json::Array(tokens.begin(), tokens.end())},
                                {"token_strs", std::move(names)}});
}

Service::Answer Service::detokenize(const json::Value& body) {
    auto parsed = parse_detokenize_request(body);
    if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
    const DetokenizeRequest& request = std::get<DetokenizeRequest>(parsed);
    if (auto error = check_model_name(request.model)) return std::move(*error);
    warn_unknown(request.unknown_fields);
    if (auto error = check_vocabulary(request.tokens, "tokens", model_->info.num_vocab_tokens))
        return std::move(*error);
    return json::Value::object({{"prompt", model_->tokenizer.decode(request.tokens, false)}});
}

}  // namespace glm5::api
