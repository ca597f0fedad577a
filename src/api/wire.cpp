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

json::Value chat_choice(int index, json::Object delta) {
    return json::Value::object(
        {{"index", index}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", nullptr}});
}

json::Array id_list(const std::vector<int32_t>& ids) {
    return json::Array(ids.begin(), ids.end());
}

json::Object whole_choice(const AnswerHead& head, int index, const ChoiceAnswer& answer) {
    json::Object choice;
    choice.append("index", index);
    if (is_chat(head)) {
        json::Object message;
        message.append("role", "assistant");
        message.append("content", text_or_null(answer.text.content));
        append_reasoning(message, head, text_or_null(answer.text.reasoning));
        message.append("tool_calls", json::Array());
        message.append("refusal", nullptr);
        choice.append("message", std::move(message));
    } else {
        choice.append("text", answer.text.content);
    }
    choice.append("logprobs", nullptr);
    choice.append("finish_reason", answer.finish.reason);
    choice.append("stop_reason", answer.finish.stop_reason);
    return choice;
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

json::Value whole_answer(const AnswerHead& head, const std::vector<ChoiceAnswer>& choices,
                         const std::vector<std::vector<int32_t>>& prompts, const Usage& usage) {
    json::Array list;
    for (size_t i = 0; i < choices.size(); ++i) {
        json::Object choice = whole_choice(head, static_cast<int>(i), choices[i]);
        if (!prompts.empty()) {
            choice.append("token_ids", id_list(choices[i].token_ids));
            if (!is_chat(head))
                choice.append("prompt_token_ids", id_list(prompts[i / (choices.size() / prompts.size())]));
        }
        list.push_back(std::move(choice));
    }
    json::Object answer = chunk_object(head, std::move(list));
    answer.set("object", is_chat(head) ? "chat.completion" : "text_completion");
    answer.append("usage", usage_json(usage));
    answer.append("system_fingerprint", head.system_fingerprint);
    if (is_chat(head)) {
        answer.append("service_tier", nullptr);
        if (!prompts.empty()) answer.append("prompt_token_ids", id_list(prompts[0]));
    }
    return answer;
}

json::Value role_chunk(const AnswerHead& head, int index) {
    json::Object delta;
    delta.append("role", "assistant");
    delta.append("content", "");
    return chunk_object(head, json::Array{chat_choice(index, std::move(delta))});
}

json::Value delta_chunk(const AnswerHead& head, int index, const Delta& text) {
    if (!is_chat(head))
        return chunk_object(
            head, json::Array{json::Value::object(
                      {{"index", index}, {"text", text.content}, {"logprobs", nullptr}, {"finish_reason", nullptr}})});
    json::Object delta;
    if (!text.reasoning.empty()) append_reasoning(delta, head, text.reasoning);
    if (!text.content.empty()) delta.append("content", text.content);
    return chunk_object(head, json::Array{chat_choice(index, std::move(delta))});
}

json::Value finish_chunk(const AnswerHead& head, int index, const Finish& finish) {
    json::Object choice;
    choice.append("index", index);
    if (is_chat(head))
        choice.append("delta", json::Object());
    else
        choice.append("text", "");
    choice.append("logprobs", nullptr);
    choice.append("finish_reason", finish.reason);
    choice.append("stop_reason", finish.stop_reason);
    return chunk_object(head, json::Array{std::move(choice)});
}

void add_token_ids(json::Value& chunk, const std::vector<int32_t>& ids) {
    chunk.as_object().find("choices")->as_array()[0].as_object().append("token_ids", id_list(ids));
}

void add_prompt_token_ids(const AnswerHead& head, json::Value& chunk, const std::vector<int32_t>& ids) {
    json::Object& place =
        is_chat(head) ? chunk.as_object() : chunk.as_object().find("choices")->as_array()[0].as_object();
    place.append("prompt_token_ids", id_list(ids));
}

json::Value usage_chunk(const AnswerHead& head, const Usage& usage) {
    json::Object chunk = chunk_object(head, json::Array());
    chunk.append("usage", usage_json(usage));
    return chunk;
}

}  // namespace glm5::api
