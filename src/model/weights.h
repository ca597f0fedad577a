// The weights of the main layers as the decoder uses them: named by what they do, in the backend's memory.
// Tensor names, shapes and stored forms: docs/model.md, Tensors. The MTP layer is not loaded.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "load/tensor_source.h"
#include "ops/backend.h"

namespace glm5::model {

// Only full index layers have one; empty in the others.
struct IndexerWeights {
    ops::Linear wq_b;           // [index_heads · index_dim, q_lora_rank]
    ops::Linear wk;             // [index_dim, hidden_size] f32 or bf16
    ops::Linear weights_proj;   // [index_heads, hidden_size]
    ops::Tensor k_norm_weight;  // [index_dim] f32
    ops::Tensor k_norm_bias;    // [index_dim] f32

    explicit operator bool() const { return static_cast<bool>(wq_b); }
};

struct AttentionWeights {
    ops::Linear q_a_proj;   // [q_lora_rank, hidden_size]
    ops::Linear kv_a_proj;  // [latent_dim + rope_dim, hidden_size]
    ops::Tensor q_a_norm;   // [q_lora_rank] f32
    ops::Tensor kv_a_norm;  // [latent_dim] f32
    ops::Linear q_b_proj;   // [num_heads · (nope_dim + rope_dim), q_lora_rank]
    ops::Linear absorb_k;   // batch num_heads, [latent_dim, nope_dim] = UK_hᵀ; f32 or bf16
    ops::Linear v_up;       // batch num_heads, [v_dim, latent_dim] = UV_h; f32 or bf16
    ops::Linear o_proj;     // [hidden_size, num_heads · v_dim]
    IndexerWeights indexer;
};

// Only sparse layers have one; empty in the others.
struct MoeWeights {
    ops::Linear gate;       // [num_experts, hidden_size]
    ops::Tensor bias;       // [num_experts] f32
    ops::GatedMlp experts;  // batch num_experts, width moe_intermediate_size
    ops::GatedMlp shared;   // width of the shared experts together

    explicit operator bool() const { return static_cast<bool>(gate); }
};

struct LayerWeights {
    ops::Tensor input_norm;           // [hidden_size] f32
    ops::Tensor post_attention_norm;  // [hidden_size] f32
    AttentionWeights attention;
    ops::GatedMlp dense_mlp;  // dense layers; else empty
    MoeWeights moe;           // sparse layers; else empty
};

struct Weights {
    ops::Tensor embed_tokens;       // [vocab_size, hidden_size] bf16 or f32
    ops::Tensor inverse_frequency;  // [rope_dim / 2] f32
    std::vector<LayerWeights> layers;
    ops::Tensor norm;     // [hidden_size] f32
    ops::Linear lm_head;  // [vocab_size, hidden_size]
    int64_t bytes = 0;    // that the backend took for them
};

// Bytes of the checkpoint's tensors, not of the memory that they take. Called by one thread at a time, which may be a
// reading one.
using LoadProgress = std::function<void(int64_t loaded_bytes, int64_t total_bytes)>;

// Reads every tensor of the main layers from `source` into the backend. Host memory holds at most one projection of all
// experts of a layer at a time. Errors name the tensor, what was expected and what was found.
Result<Weights> load_weights(const config::Config& config, const load::TensorSource& source, ops::Backend& backend,
                             const LoadProgress& progress);

}  // namespace glm5::model
