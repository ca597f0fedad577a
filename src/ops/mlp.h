// The feed-forward half of a layer (docs/model.md, MLP): dense layers, the router, and the mixture of experts.
#pragma once

#include "ops/tensor.h"
#include "ops/weights.h"

namespace glm5::ops {

// out = R(down · R(silu(R(gate · x)) ⊙ R(up · x))); silu and product in f32.
struct DenseMlpArgs {
    Tensor out;     // [num_tokens, hidden_size]
    Activation in;  // [num_tokens, hidden_size]
    GatedMlp weights;
};

// All in f32: l = gate · x (x unquantised), g = sigmoid(l); the top_k experts with the largest g + bias are chosen,
// equal values by the lower id; their weights are the unbiased g, divided by (their sum + 1e-20) if normalise, times
// scaling. Slots are in descending order of g + bias.
struct RouteArgs {
    Tensor expert_ids;      // out [num_tokens, top_k] i32
    Tensor expert_weights;  // out [num_tokens, top_k] f32
    Activation in;          // [num_tokens, hidden_size]
    Linear gate;            // [num_experts, hidden_size]
    Tensor bias;            // [num_experts] f32
    float scaling = 1;
    bool normalise = true;
};

// out = R(Σ_slot weight · expert(x) + shared(x)), summed in f32 by slot, the shared expert last; an expert's own output
// is not rounded before the sum.
struct MoeArgs {
    Tensor out;             // [num_tokens, hidden_size]
    Activation in;          // [num_tokens, hidden_size]
    Tensor expert_ids;      // [num_tokens, top_k] i32
    Tensor expert_weights;  // [num_tokens, top_k] f32
    GatedMlp experts;       // batch num_experts
    GatedMlp shared;        // batch 1
};

}  // namespace glm5::ops
