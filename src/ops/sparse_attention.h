// DSA: index_select chooses the cache positions that a token attends to, sparse_mla attends to them.
// Source of both: modeling_glm_moe_dsa of transformers; docs/model.md, Indexer and MLA.
#pragma once

#include "ops/batch.h"
#include "ops/tensor.h"

namespace glm5::ops {

// One choice per token of the step, written by a full index layer and read by the layers that share it.
struct Selection {
    Tensor positions;  // [num_tokens, top_k] i32, ascending, padded with -1
    Tensor counts;     // [num_tokens] i32: min(top_k, position + 1)
};

// I(t, s) = Σ_h index_weights[t, h] · max(0, index_query[t, h] · index_key(s)) for s ≤ position t, in f32; the top_k
// positions with the largest I are chosen, equal scores by the lower position. A token with position < top_k gets
// every position and no scores are computed. Scores live in a workspace bounded by a tile of tokens times the context.
struct IndexSelectArgs {
    Selection selection;   // out
    Tensor index_query;    // [num_tokens, index_heads, index_dim] as query_finish leaves it
    Tensor index_weights;  // [num_tokens, index_heads] f32
    LayerCache cache;
    const Batch* batch = nullptr;
};

// score(s) = scale · (query[t, h] · (latent(s), rope key(s))) over the chosen s; p = softmax in f32;
// latent_out[t, h] = R(Σ_s R(p_s) · latent(s)). Positions are summed in ascending order.
struct SparseMlaArgs {
    Tensor latent_out;  // out [num_tokens, num_heads, latent_dim]
    Tensor query;       // [num_tokens, num_heads, latent_dim + rope_dim]
    LayerCache cache;
    Selection selection;
    float scale = 0;  // (nope_dim + rope_dim)^-½
    const Batch* batch = nullptr;
};

}  // namespace glm5::ops
