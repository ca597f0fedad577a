// Choice: one of the completions of a prompt, from the engine's events to its text, its counts and its end.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "api/text_stream.h"
#include "api/wire.h"
#include "glm5/types.h"

namespace glm5::api {

// What an event adds to a choice.
struct Piece {
    Delta text;
    std::vector<int32_t> token_ids;
};

class Choice {
public:
    // `first_eos_token_id` ends the text without a stop_reason.
    Choice(TextStream text, int32_t first_eos_token_id) : text_(std::move(text)), first_eos_(first_eos_token_id) {}

    // `event` is of this choice, which has no finish; its finish reason is none, stop or length.
    Piece take(const Event& event);

    const std::optional<Finish>& finish() const { return finish_; }
    // The first call tells true.
    bool begin() { return !std::exchange(begun_, true); }
    // Tokens that were kept, the end token among them; and those of them that are reasoning.
    int64_t num_tokens() const { return num_tokens_; }
    int64_t num_reasoning_tokens() const { return num_reasoning_tokens_; }

private:
    void take_token(int32_t token, bool ends, Delta& text);

    TextStream text_;
    int32_t first_eos_;
    bool begun_ = false;
    int64_t num_tokens_ = 0, num_reasoning_tokens_ = 0;
    std::optional<Finish> finish_;
};

}  // namespace glm5::api
