// Field by field, in the order of the OpenAI documentation.
#include "api/wire.h"

namespace glm5::api {
namespace {

bool is_chat(const AnswerHead& head) {
    return head.kind == AnswerKind::chat;
}

json::Object chunk_object(const AnswerHead& head, json::Array choices) {
    json::Object chunk;
    chunk.append("id", head.id);
    chunk.append("object", is_chat(head) ? "chat.completion.chunk" : "text_completion");
    chunk.append("created", head.created);
    chunk.append("model", head.model);
    chunk.append("choices", std::move(choices));
    return chunk;
}

void append_reasoning(json::Object& message, const AnswerHead& head, const json::Value& reasoning) {
    if (head.reasoning_field != ReasoningField::reasoning_content) message.append("reasoning", reasoning);
    if (head.reasoning_field != ReasoningField::reasoning) message.append("reasoning_content", reasoning);
}

json::Value text_or_null(const std::string& text) {
    return text.empty() ? json::Value() : json::Value(text);
}

json::Value chat_choice(json::Object delta) {
    return json::Value::object(
        {{"index", 0}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", nullptr}});
}

}  // namespace

json::Value usage_json(const Usage& usage) {
    return json::Value::object(
        {{"prompt_tokens", usage.prompt_tokens},
         {"completion_tokens", usage.completion_tokens},
         {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
         {"prompt_tokens_details", json::Value::object({{"cached_tokens", usage.cached_tokens}})},
         {"completion_tokens_details", json::Value::object({{"reasoning_tokens", usage.reasoning_tokens}})}});
}

json::Value whole_answer(const AnswerHead& head, const Delta& text, const Finish& finish, const Usage& usage) {
    json::Object choice;
    choice.append("index", 0);
    if (is_chat(head)) {
        json::Object message;
        message.append("role", "assistant");
        message.append("content", text_or_null(text.content));
        append_reasoning(message, head, text_or_null(text.reasoning));
        message.append("tool_calls", json::Array());
        message.append("refusal", nullptr);
        choice.append("message", std::move(message));
    } else {
        choice.append("text", text.content);
    }
    choice.append("logprobs", nullptr);
    choice.append("finish_reason", finish.reason);
    choice.append("stop_reason", finish.stop_reason);
    json::Object answer = chunk_object(head, json::Array{std::move(choice)});
    answer.set("object", is_chat(head) ? "chat.completion" : "text_completion");
    answer.append("usage", usage_json(usage));
    answer.append("system_fingerprint", head.system_fingerprint);
    if (is_chat(head)) answer.append("service_tier", nullptr);
    return answer;
}

json::Value role_chunk(const AnswerHead& head) {
    json::Object delta;
    delta.append("role", "assistant");
    delta.append("content", "");
    return chunk_object(head, json::Array{chat_choice(std::move(delta))});
}

json::Value delta_chunk(const AnswerHead& head, const Delta& text) {
    if (!is_chat(head))
        return chunk_object(
            head, json::Array{json::Value::object(
                      {{"index", 0}, {"text", text.content}, {"logprobs", nullptr}, {"finish_reason", nullptr}})});
    json::Object delta;
    if (!text.reasoning.empty()) append_reasoning(delta, head, text.reasoning);
    if (!text.content.empty()) delta.append("content", text.content);
    return chunk_object(head, json::Array{chat_choice(std::move(delta))});
}

json::Value finish_chunk(const AnswerHead& head, const Finish& finish) {
    json::Object choice;
    choice.append("index", 0);
    if (is_chat(head))
        choice.append("delta", json::Object());
    else
        choice.append("text", "");
    choice.append("logprobs", nullptr);
    choice.append("finish_reason", finish.reason);
    choice.append("stop_reason", finish.stop_reason);
    return chunk_object(head, json::Array{std::move(choice)});
}

json::Value usage_chunk(const AnswerHead& head, const Usage& usage) {
    json::Object chunk = chunk_object(head, json::Array());
    chunk.append("usage", usage_json(usage));
    return chunk;
}

}  // namespace glm5::api
