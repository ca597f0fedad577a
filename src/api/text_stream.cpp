// Three filters in a row.
#include "api/text_stream.h"

namespace glm5::api {

TextStream::TextStream(const text::Tokenizer& tokenizer, const GenerationFields& fields,
                       std::optional<chat::PromptEnd> prompt_end)
    : detokenizer_(tokenizer, fields.skip_special_tokens), matcher_(fields.stop, fields.include_stop_str_in_output) {
    if (prompt_end) splitter_.emplace(*prompt_end);
}

Delta TextStream::split(const std::string& text) {
    if (!splitter_) return {"", text};
    chat::ReasoningDelta delta = splitter_->push(text);
    return {std::move(delta.reasoning), std::move(delta.content)};
}

Delta TextStream::push(int32_t token) {
    return split(matcher_.push(detokenizer_.push(token)));
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
