// Reads tokenizer.json (the format of the Hugging Face tokenizers library) into plain lists, and refuses whatever the
// byte-level BPE of the GLM-5 family does not have. The file is hostile input: every error is one line naming the key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/bpe.h"
#include "text/token_table.h"

namespace glm5::text {

inline constexpr size_t kMaxTokenizerJsonBytes = 64 << 20;  // GLM-5's has 20 MB

struct TokenizerFile {
    struct AddedToken {
        int32_t id;
        std::string content;
        bool special;  // dropped when decoding with skip_special_tokens
    };

    TokenTable vocab;                // names in the byte alphabet, by id; all indexed
    std::vector<Bpe::Merge> merges;  // by rank
    bool ignore_merges = false;      // a pre-token that is an entry is that token, whatever the merges make of it
    std::string split_pattern;
    // Ids from vocab.size() on without gaps, in order, and entries of the vocabulary that are added tokens too.
    std::vector<AddedToken> added_tokens;
};

Result<TokenizerFile> parse_tokenizer_json(std::string_view text);

}  // namespace glm5::text
