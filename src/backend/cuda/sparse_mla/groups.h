// The two forms of sparse MLA: each token alone, and groups of neighbouring tokens over the union of what they chose.
#pragma once

#include "backend/cuda/sparse_mla/sparse_mla.h"

namespace glm5::cuda {

// Tokens of groups with a size above 0 are done already.
struct DoneGroups {
    const int32_t* sizes = nullptr;  // [num_groups]; none are done if null
    int tokens_per_group = 1;
};
void sparse_mla_tokens(const Launch& launch, const SparseMlaParams& params, const DoneGroups& done);

// A group is tokens_per_group tokens, the last one perhaps fewer. An entry of its list is a position, and in the upper 8
// bits one for each token that has not chosen it.
struct GroupParams {
    SparseMlaParams tokens;
    int tokens_per_group;   // times num_heads at most 64
    const uint32_t* lists;  // [num_groups, list_stride] ascending positions
    int64_t list_stride;
    const int32_t* sizes;  // [num_groups] entries of each list; 0: the group is left out
};

void sparse_mla_groups_sm90(const Launch& launch, const GroupParams& params);

// Writes the lists and sizes of 2 … 8 tokens a group. Left out are groups of more than one sequence, with more than
// list_stride entries, or with positions from max_context_tokens on.
struct UnionParams {
    uint32_t* lists;  // out
    int32_t* sizes;   // out
    int64_t list_stride;
    const int32_t* chosen;  // as in SparseMlaParams
    const int32_t* counts;
    const int32_t* sequence_ids;
    int num_tokens;
    int tokens_per_group;
    int top_k;
    int max_context_tokens;  // at most kMaxUnionContext
};
inline constexpr int kMaxUnionContext = 220 * 1024;

void unite(const Launch& launch, const UnionParams& params);

}  // namespace glm5::cuda
