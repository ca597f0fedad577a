// The projections around sparse attention (docs/model.md, MLA and Indexer), in the order in which a layer runs them.
// Index fields are empty in layers that share the choice of a layer below. R(…) as in ops/numerics.h.
#pragma once

#include "ops/batch.h"
#include "ops/tensor.h"
#include "ops/weights.h"

namespace glm5::ops {

// Everything that reads the normed hidden state h:
//   q_a = R(W_qa h), kv_a = R(W_kva h), index_k = R(W_k h),
//   index_weights = (W_w h) · (index_heads · index_dim)^-½ in f32, not rounded.
// index_wk and index_weights_proj read h unquantised.
struct FusedAArgs {
    Tensor q_a;            // out [num_tokens, q_lora_rank]
    Tensor kv_a;           // out [num_tokens, latent_dim + rope_dim]
    Tensor index_k;        // out [num_tokens, index_dim]
    Tensor index_weights;  // out [num_tokens, index_heads] f32
    Activation hidden;     // [num_tokens, hidden_size]
    Linear q_a_proj, kv_a_proj;
    Linear index_wk, index_weights_proj;
    float index_weight_scale = 0;
};

// q_norm = norm(q_a); cache at slots[t]: (norm(kv_a[:latent_dim]), rope(kv_a[latent_dim:])) in Numerics::latent, and
// rope(LayerNorm(index_k)) in Numerics::index_key. RMSNorm as in add_norm; the LayerNorm has mean, weight, bias and
// eps 1e-6. The index key stays in f32 from the projection to the cache. In an index head the rotated part is the
// first rope_dim of index_dim.
struct MlaPrologueArgs {
    Activation q_norm;  // out [num_tokens, q_lora_rank]
    LayerCache cache;   // out
    Tensor q_a;
    Tensor kv_a;
    Tensor index_k;
    Tensor cos_sin;              // [num_tokens, rope_dim / 2, 2]
    Tensor q_a_norm_weight;      // [q_lora_rank] f32
    Tensor kv_a_norm_weight;     // [latent_dim] f32
    Tensor index_k_norm_weight;  // [index_dim] f32
    Tensor index_k_norm_bias;    // [index_dim] f32
    float eps = 0;
    const Batch* batch = nullptr;
};

// q = R(W_qb q_norm), index_q = R(W_iq q_norm).
struct QueryBArgs {
    Tensor q;        // out [num_tokens, num_heads, nope_dim + rope_dim]
    Tensor index_q;  // out [num_tokens, index_heads, index_dim]
    Activation q_norm;
    Linear q_b_proj, index_wq_b;
};

// query[t, h] = (R(UK_hᵀ q_nope), R(rope(q_rope))): the query against the latent cache.
// index_query is index_q rotated in f32. With Numerics::index_key e4m3 it is e4m3(that / a) with a power-of-two scale a
// per token and head, 2^ceil(log2(max(amax, 1e-4) / 448)), and index_weights is multiplied by a. It may be index_q's
// own memory where both have the same dtype.
struct QueryFinishArgs {
    Tensor query;          // out [num_tokens, num_heads, latent_dim + rope_dim]
    Tensor index_query;    // out [num_tokens, index_heads, index_dim] Backend::index_query_dtype()
    Tensor index_weights;  // in/out [num_tokens, index_heads] f32
    Tensor q;              // [num_tokens, num_heads, nope_dim + rope_dim]
    Tensor index_q;        // [num_tokens, index_heads, index_dim]
    Tensor cos_sin;        // [num_tokens, rope_dim / 2, 2]
    Linear absorb_k;       // batch num_heads, [latent_dim, nope_dim]
};

// out[t, h] = R(UV_h latent[t, h]): [num_tokens, num_heads · v_dim], and its FP8 form.
struct ValueUpArgs {
    Activation out;
    Tensor latent;  // [num_tokens, num_heads, latent_dim]
    Linear v_up;    // batch num_heads, [v_dim, latent_dim]
};

// out = R(W x): o_proj, and every other plain linear layer.
struct LinearArgs {
    Tensor out;  // [num_tokens, out_features]
    Activation in;
    Linear weight;
};

}  // namespace glm5::ops
