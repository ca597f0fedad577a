// TextStream: tokens → the text that a client sees: detokenized, cut at a stop string, split into reasoning and
// content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/stop_matcher.h"
#include "api/wire.h"
#include "chat/reasoning.h"
#include "text/detokenizer.h"

namespace glm5::api {

class TextStream {
public:
    // Stop strings are looked for in the text of what follows the first `min_tokens`. Without `prompt_end` all text is
    // content. `tokenizer` must outlive this.
    TextStream(const text::Tokenizer& tokenizer, bool skip_special_tokens, StopMatcher matcher, int64_t min_tokens,
               std::optional<chat::PromptEnd> prompt_end);

    // The text that `token` completes.
    Delta push(int32_t token);
    // The end: what was held back.
    Delta finish();

    // A stop string was found; the text ends before it.
    bool stopped() const { return matcher_.matched(); }
    const std::string& stop_string() const { return matcher_.match(); }
    // The next token belongs to the reasoning.
    bool in_reasoning() const { return splitter_ && splitter_->in_reasoning(); }

private:
    Delta split(const std::string& text);

    text::Detokenizer detokenizer_;
    StopMatcher matcher_;
    int64_t num_unmatched_;  // tokens to come whose text is not searched
    std::optional<chat::ReasoningSplitter> splitter_;
};

}  // namespace glm5::api
