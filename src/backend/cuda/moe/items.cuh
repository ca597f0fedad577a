// The items of a step and their pairs, as moe_plan wrote them, or as they follow from a pair's number when nothing is
// sorted.
#pragma once

#include "backend/cuda/moe/moe.h"

namespace glm5::cuda {

// Of a pair in the items' order.
__device__ inline int pair_token(const MoeParams& params, int pair) {
    if (params.sorted) return params.pair_tokens[pair];
    const int routed = params.num_tokens * params.slots;
    return pair < routed ? pair / params.slots : pair - routed;
}

// Where a token's pair stands in that order; slot `slots` is the shared expert's.
__device__ inline int pair_place(const MoeParams& params, int token, int slot) {
    if (params.sorted) return params.pair_places[token * (params.slots + 1) + slot];
    return slot < params.slots ? token * params.slots + slot : params.num_tokens * params.slots + token;
}

// False when there is no item of this number.
__device__ inline bool find_item(const MoeParams& params, int index, MoeItem& item) {
    if (params.sorted) {
        if (index >= *params.num_items) return false;
        item = params.items[index];
        return true;
    }
    const int routed = params.num_tokens * params.slots;
    if (index < routed) {
        item = {params.expert_ids[index], index, 1};
    } else {
        const int first = (index - routed) * params.item_pairs;
        item = {params.num_experts, routed + first, min(params.item_pairs, params.num_tokens - first)};
    }
    return true;
}

// The matrices among which an item's expert stands, and its place there.
struct Expert {
    MoeWeights weights;
    int64_t index;
};
__device__ inline Expert expert_of(const MoeParams& params, const MoeItem& item) {
    if (item.expert == params.num_experts) return {params.shared, 0};
    return {params.experts, item.expert};
}

}  // namespace glm5::cuda
