// The answers of the OpenAI API as JSON: whole ones and the chunks of a stream. Pure functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "json/value.h"

namespace glm5::api {

enum class AnswerKind { chat, completion };
enum class ReasoningField { both, reasoning, reasoning_content };

// What every chunk of one answer has in common.
struct AnswerHead {
    AnswerKind kind = AnswerKind::chat;
    std::string id;       // "chatcmpl-…" or "cmpl-…"
    int64_t created = 0;  // seconds since 1970
    std::string model;
    std::string system_fingerprint;
    ReasoningField reasoning_field = ReasoningField::both;
};

struct Usage {
    int64_t prompt_tokens = 0;
    int64_t completion_tokens = 0;
    int64_t reasoning_tokens = 0;
    int64_t cached_tokens = 0;
};

struct Finish {
    std::string reason;       // "stop", "length"
    json::Value stop_reason;  // the stop string or token id that fired; null for the end of the text and for length
};

// A piece of text, or all of it. For a completion everything is content.
struct Delta {
    std::string reasoning;
    std::string content;

    bool empty() const { return reasoning.empty() && content.empty(); }
};

// One of the choices of a whole answer.
struct ChoiceAnswer {
    Delta text;
    std::vector<int32_t> token_ids;
    Finish finish;
};

json::Value usage_json(const Usage& usage);

// The choices of prompt p are p·n … p·n + n − 1. `prompts` are the ids of the prompts where ids are asked for, else
// empty; then the choices' ids are not shown either.
json::Value whole_answer(const AnswerHead& head, const std::vector<ChoiceAnswer>& choices,
                         const std::vector<std::vector<int32_t>>& prompts, const Usage& usage);

// Chunks of the choice `index`. The first of a chat: the role.
json::Value role_chunk(const AnswerHead& head, int index);
json::Value delta_chunk(const AnswerHead& head, int index, const Delta& delta);
json::Value finish_chunk(const AnswerHead& head, int index, const Finish& finish);
// No choices; only usage.
json::Value usage_chunk(const AnswerHead& head, const Usage& usage);

// Adds the ids to a chunk of a choice.
void add_token_ids(json::Value& chunk, const std::vector<int32_t>& ids);
void add_prompt_token_ids(const AnswerHead& head, json::Value& chunk, const std::vector<int32_t>& ids);

}  // namespace glm5::api
