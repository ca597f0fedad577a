// Detokenizer: tokens → text, one token at a time, for streaming.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"
#include "text/utf8.h"

namespace glm5::text {

// The text of one sequence. What push and finish return, joined, is Tokenizer::decode of all tokens; each part is whole
// characters, and no character that is complete is held back.
class Detokenizer {
public:
    // `tokenizer` must outlive this.
    Detokenizer(const Tokenizer& tokenizer, bool skip_special_tokens)
        : tokenizer_(&tokenizer), skip_special_tokens_(skip_special_tokens) {}

    // The text that `token` completes: often empty for a part of a character.
    std::string push(int32_t token) {
        std::string out;
        push(out, token);
        return out;
    }
    // The end of the sequence: U+FFFD when a character is unfinished, else nothing. Ready for another sequence then.
    std::string finish() {
        std::string out;
        finish(out);
        return out;
    }

    // The same, appended to `out`.
    void push(std::string& out, int32_t token) {
        if (skip_special_tokens_ && tokenizer_->is_special(token)) return;
        repairer_.append(out, tokenizer_->token_bytes(token));
    }
    void finish(std::string& out) { repairer_.finish(out); }

private:
    const Tokenizer* tokenizer_;
    bool skip_special_tokens_;
    Utf8Repairer repairer_;
};

}  // namespace glm5::text
