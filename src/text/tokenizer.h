// Tokenizer: text ⇄ tokens, the same ids and text as the Hugging Face tokenizers library for the byte-level BPE of the
// GLM-5 family. Start here; detokenizer.h decodes token by token.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/split.h"
#include "text/token_table.h"

namespace glm5::text {

struct TokenizerFile;

inline constexpr size_t kMaxTextBytes = 1 << 30;

struct EncodeOptions {
    // Whether text that spells an added token (<|user|>, <think>, /nothink …) becomes that token. Without it such text
    // is ordinary text, which cannot forge control tokens.
    bool added_tokens = true;
};

// Immutable and thread safe.
class Tokenizer {
public:
    // Reads a tokenizer.json file. Errors name the path and the key.
    static Result<Tokenizer> load(const std::string& path);
    // The same from the text of the file.
    static Result<Tokenizer> from_json(std::string_view tokenizer_json);

    // The tokens of `text`, which has at most kMaxTextBytes. Each maximal invalid part of UTF-8 is read as U+FFFD.
    // Added tokens are cut out first, leftmost then longest; nothing is put before or behind.
    std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;

    // The text of `tokens`: their bytes joined, then each maximal invalid part of UTF-8 replaced by U+FFFD. An id that
    // is no token has no bytes. With skip_special_tokens, special tokens are left out before the bytes are joined.
    std::string decode(std::span<const int32_t> tokens, bool skip_special_tokens) const;

    // Vocabulary and added tokens together; the ids are 0 … num_tokens() - 1.
    int32_t num_tokens() const { return names_.size(); }
    // The vocabulary alone, which is the ids below: what Hugging Face calls vocab_size.
    int32_t vocabulary_size() const { return vocabulary_size_; }
    bool is_token(int32_t id) const { return id >= 0 && id < num_tokens(); }
    // Whether skip_special_tokens drops it. False for an id that is no token.
    bool is_special(int32_t id) const { return is_token(id) && special_[id]; }
    // The bytes that a token decodes to, which need not be valid UTF-8; none for an id that is no token.
    std::string_view token_bytes(int32_t id) const { return is_token(id) ? bytes_[id] : std::string_view(); }
    // The token as tokenizer.json writes it, in the byte alphabet ("Ġthe"); empty for an id that is no token.
    std::string_view id_to_token(int32_t id) const { return is_token(id) ? names_[id] : std::string_view(); }
    // The inverse of id_to_token; -1 when there is none.
    int32_t token_to_id(std::string_view name) const { return names_.find(name); }

private:
    Tokenizer(TokenizerFile file, Splitter splitter, const std::array<int32_t, 256>& byte_ids);

    struct Scratch;
    void encode_plain(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const;

    int32_t vocabulary_size_ = 0;
    TokenTable names_;  // [num_tokens] as in the file
    TokenTable bytes_;  // [num_tokens] decoded; indexed are those that a pre-token of the same bytes becomes at once
    std::vector<bool> special_;  // [num_tokens]
    AddedTokens added_tokens_;
    Splitter splitter_;
    Bpe bpe_;
};

}  // namespace glm5::text
