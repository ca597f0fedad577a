// Token by token.
#include "api/choice.h"

namespace glm5::api {
namespace {

void append(Delta& text, const Delta& more) {
    text.reasoning += more.reasoning;
    text.content += more.content;
}

}  // namespace

Piece Choice::take(const Event& event) {
    Piece piece;
    const bool stops = event.finish_reason == FinishReason::stop;
    for (size_t i = 0; i < event.tokens.size() && !finish_; ++i) {
        piece.token_ids.push_back(event.tokens[i]);
        take_token(event.tokens[i], stops && i + 1 == event.tokens.size(), piece.text);
    }
    if (!finish_ && event.finish_reason == FinishReason::length) finish_ = Finish{"length", json::Value()};
    if (!finish_ && stops) finish_ = Finish{"stop", json::Value()};
    if (finish_) append(piece.text, text_.finish());
    return piece;
}

void Choice::take_token(int32_t token, bool ends, Delta& text) {
    ++num_tokens_;
    if (ends) {  // an end token is no text
        finish_ = Finish{"stop", token == first_eos_ ? json::Value() : json::Value(token)};
        return;
    }
    if (text_.in_reasoning()) ++num_reasoning_tokens_;
    append(text, text_.push(token));
    if (text_.stopped()) finish_ = Finish{"stop", json::Value(text_.stop_string())};
}

}  // namespace glm5::api
