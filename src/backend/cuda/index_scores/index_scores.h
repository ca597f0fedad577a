// Scores of query tokens against the index keys of their sequences (ops::IndexSelectArgs).
#pragma once

#include <cstddef>

#include "backend/cuda/launch.h"

namespace glm5::cuda {

// Tokens whose position is below top_k get no scores, and scores behind a token's position mean nothing.
struct IndexScoresParams {
    float* scores;  // [num_tokens, stride] of positions
    int64_t stride;
    const uint8_t* query;    // [num_tokens, 32, 128] e4m3
    const float* weights;    // [num_tokens, 32]
    const std::byte* pages;  // 64 keys of 128 e4m3, then 64 f32 scales
    int64_t page_bytes;
    const int32_t* positions;     // [num_tokens] ascending within a sequence
    const int32_t* sequence_ids;  // [num_tokens] of one sequence one after the other
    const int32_t* page_table;    // [num_seqs, max_pages]
    int64_t max_pages;
    int num_tokens;
    int tokens_per_sequence;  // in the mean
    int max_context_tokens;
    int top_k;
};

void index_scores(const Launch& launch, const IndexScoresParams& params);

// CTAs that share the pages of a tile of tokens: as many as make `wanted` CTAs, and no more than there are pages.
inline int index_splits(const IndexScoresParams& params, int64_t tiles, int64_t wanted) {
    const int64_t pages = ceil_div(params.max_context_tokens, 64), splits = ceil_div(wanted, tiles);
    return static_cast<int>(splits < pages ? splits : pages);
}

// The form for sm_90a and many tokens of a sequence.
void index_scores_sm90(const Launch& launch, const IndexScoresParams& params);

}  // namespace glm5::cuda
