// One message of a streamed completion: what the benchmark needs of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace glm5::loadgen {

struct Message {
    bool has_choices = false;  // at least one
    std::string text;          // of the first: text, or delta.reasoning and delta.content
    std::optional<int64_t> prompt_tokens, completion_tokens;  // of usage
    std::string error;                                        // the server's message, when it reports one
};

// `data` is an event's, other than [DONE]. Error: no JSON object.
Result<Message> parse_message(std::string_view data);

// The beginning of `text` on one line, with spaces for control characters.
std::string one_line(std::string_view text);

// The message of an error body, {"error": {"message": S}}, {"error": S} or {"detail": S}; else the body's first line.
std::string error_text(std::string_view body);

}  // namespace glm5::loadgen
