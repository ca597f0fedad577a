// The memory that a step works in, and what every part of the decoder is given of the step. Owns no weights.
#pragma once

#include <string_view>

#include "config/config.h"
#include "model/observer.h"
#include "ops/backend.h"

namespace glm5::model {

// Written in full index layers only.
struct IndexBuffers {
    ops::Tensor key;      // [num_tokens, index_dim]
    ops::Tensor q;        // [num_tokens, index_heads, index_dim]
    ops::Tensor query;    // [num_tokens, index_heads, index_dim] q rotated, in the same memory where the dtypes agree
    ops::Tensor weights;  // [num_tokens, index_heads] f32
};

// Every layer overwrites what the one before it left, but for the residual stream, and for the selection, which layers
// without an indexer of their own read as the nearest full layer below left it.
struct StepBuffers {
    ops::Tensor residual;    // [num_tokens, hidden_size]
    ops::Activation hidden;  // [num_tokens, hidden_size] normed input of attention, MLP or head
    ops::Tensor delta;       // [num_tokens, hidden_size] what attention or MLP adds to the residual stream
    ops::Tensor cos_sin;     // [num_tokens, rope_dim / 2, 2] f32

    ops::Tensor q_a;         // [num_tokens, q_lora_rank]
    ops::Tensor kv_a;        // [num_tokens, latent_dim + rope_dim]
    ops::Activation q_norm;  // [num_tokens, q_lora_rank]
    ops::Tensor q;           // [num_tokens, num_heads, nope_dim + rope_dim]
    ops::Tensor query;       // [num_tokens, num_heads, latent_dim + rope_dim]
    IndexBuffers index;
    ops::Selection selection;         // [num_tokens, top_k], [num_tokens] i32
    ops::Tensor latent_out;           // [num_tokens, num_heads, latent_dim]
    ops::Activation attention_heads;  // [num_tokens, num_heads · v_dim]

    ops::Tensor expert_ids;      // [num_tokens, num_experts_per_token] i32
    ops::Tensor expert_weights;  // [num_tokens, num_experts_per_token] f32

    ops::Tensor logits;  // [max_logit_rows, vocab_size] f32

    static StepBuffers allocate(const config::Config& config, ops::Backend& backend, const ops::StepLimits& limits);

    // The same memory, with the sizes of one step.
    StepBuffers of_step(const ops::Batch& batch) const;
};

// What attention and MLP need besides their weights.
struct Step {
    const config::Config& config;
    ops::Backend& backend;
    const ops::Batch& batch;
    const StepBuffers& buffers;  // of this step's sizes
    const ActivationObserver& observer;
    int layer = 0;

    // Shows a tensor of the layer to the observer as "layers.N.name". An empty one is passed over.
    void observe(std::string_view name, const ops::Tensor& tensor) const;
};

}  // namespace glm5::model
