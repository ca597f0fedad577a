// Three filters in a row.
#include "api/text_stream.h"

namespace glm5::api {

TextStream::TextStream(const text::Tokenizer& tokenizer, bool skip_special_tokens, StopMatcher matcher,
                       int64_t min_tokens, std::optional<chat::PromptEnd> prompt_end)
    : detokenizer_(tokenizer, skip_special_tokens), matcher_(std::move(matcher)), num_unmatched_(min_tokens) {
    if (prompt_end) splitter_.emplace(*prompt_end);
}

Delta TextStream::split(const std::string& text) {
    if (!splitter_) return {"", text};
    chat::ReasoningDelta delta = splitter_->push(text);
    return {std::move(delta.reasoning), std::move(delta.content)};
}

Delta TextStream::push(int32_t token) {
    const std::string text = detokenizer_.push(token);
    if (num_unmatched_ > 0) {
        --num_unmatched_;
        return split(text);
    }
    return split(matcher_.push(text));
}

Delta TextStream::finish() {
    Delta delta;
    if (!matcher_.matched()) {
        std::string rest = matcher_.push(detokenizer_.finish());
        rest += matcher_.finish();
        delta = split(rest);
    }
    if (splitter_) {
        chat::ReasoningDelta last = splitter_->finish();
        delta.reasoning += last.reasoning;
        delta.content += last.content;
    }
    return delta;
}

}  // namespace glm5::api
