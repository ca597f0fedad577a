// embed: hidden[t] = table[token_ids[t]]. No scaling (modeling_glm_moe_dsa: embed_tokens).
// rope_table: the cosines and sines of a step's positions, computed once and used by every layer.
#pragma once

#include "ops/batch.h"
#include "ops/tensor.h"

namespace glm5::ops {

struct EmbedArgs {
    Tensor hidden;  // out [num_tokens, hidden_size] activation dtype
    Tensor table;   // [vocab_size, hidden_size] bf16 or f32
    const Batch* batch = nullptr;
};

// angle = fp32(position) · inverse_frequency[i], rounded to fp32; cos and sin of it in fp32 with full range reduction.
struct RopeTableArgs {
    Tensor cos_sin;            // out [num_tokens, rope_dim / 2, 2] f32
    Tensor inverse_frequency;  // [rope_dim / 2] f32: 1 / theta^(2i / rope_dim)
    const Batch* batch = nullptr;
};

}  // namespace glm5::ops
