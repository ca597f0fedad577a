// The answers of the OpenAI API as JSON: whole ones and the chunks of a stream. Pure functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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

json::Value usage_json(const Usage& usage);

json::Value whole_answer(const AnswerHead& head, const Delta& text, const Finish& finish, const Usage& usage);

// The first chunk of a chat stream: the role.
json::Value role_chunk(const AnswerHead& head);
json::Value delta_chunk(const AnswerHead& head, const Delta& delta);
json::Value finish_chunk(const AnswerHead& head, const Finish& finish);
// No choices; only usage.
json::Value usage_chunk(const AnswerHead& head, const Usage& usage);

}  // namespace glm5::api
