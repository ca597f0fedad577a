// Batch: what one step computes, as the device sees it. Built by batch/, read by ops; never changed by a model.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/tensor.h"

namespace glm5::ops {

// The tokens of a step, sequence after sequence. A sequence brings query_len ≥ 1 tokens: one in plain decode, many in a
// prefill chunk, k + 1 in verification. All tensors are device memory and i32.
struct Batch {
    int num_tokens = 0;
    int num_seqs = 0;
    int num_logit_rows = 0;
    int max_context_tokens = 0;  // largest context_len

    Tensor token_ids;     // [num_tokens]
    Tensor positions;     // [num_tokens] absolute, ascending within a sequence
    Tensor sequence_ids;  // [num_tokens] row of page_table and context_len
    Tensor slots;         // [num_tokens] cache slot to write: page · kPageTokens + offset
    Tensor query_start;   // [num_seqs + 1] first token of each sequence; the last entry is num_tokens
    Tensor context_len;   // [num_seqs] tokens in the cache after this step's writes
    Tensor page_table;    // [num_seqs, max_pages] page of every 64 positions; entries beyond the context are undefined
    Tensor logit_rows;    // [num_logit_rows] tokens whose logits are wanted
};

// The pages of one layer. Page p begins at data + p · page_bytes; docs/kv_cache.md has the layouts within a page.
struct PageArray {
    std::byte* data = nullptr;
    int64_t page_bytes = 0;
};

struct LayerCache {
    PageArray latent;      // latent and rotated key of each token
    PageArray index_keys;  // full index layers; empty in shared layers
};

}  // namespace glm5::ops
