// The kernel of ops::SparseMlaArgs: attention of each token over its chosen positions.
#pragma once

#include <cstddef>

#include "backend/cuda/launch.h"

namespace glm5::cuda {

struct SparseMlaParams {
    bf16* out;               // [num_tokens, num_heads, 512]
    const bf16* query;       // [num_tokens, num_heads, 576]
    const std::byte* pages;  // entries of 656 bytes (fp8_ds_mla) or 1152 (bf16), 64 a page
    int64_t page_bytes;
    bool fp8;
    const int32_t* chosen;        // [num_tokens, top_k] ascending positions
    const int32_t* counts;        // [num_tokens] how many of them
    const int32_t* sequence_ids;  // [num_tokens]
    const int32_t* page_table;    // [num_seqs, max_pages]
    int64_t max_pages;
    int num_tokens;
    int num_heads;  // a multiple of 8
    int top_k;
    float scale;
    int tokens_per_sequence;  // in the mean
    int max_context_tokens;
    void* workspace;  // sparse_mla_workspace_bytes()
};

int64_t sparse_mla_workspace_bytes();
void sparse_mla(const Launch& launch, const SparseMlaParams& params);

}  // namespace glm5::cuda
