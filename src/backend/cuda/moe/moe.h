// moe: routed experts and a shared one over the tokens of a step, in four launches:
//   plan     (token, slot) pairs sorted by expert, cut into items of at most `item_pairs` pairs of one expert
//   gate_up  hidden[pair] = R(silu(R(gate · x)) ⊙ R(up · x)) and, in e4m3 layers, its FP8 form
//   down     partial[pair] = down · hidden[pair], f32; rounded to bf16 where there are many pairs, since writing and
//            reading them back is then the larger part
//   finish   out[token] = R(Σ_slot weight · partial + the shared expert's partial), in the order of slots
// The shared expert is one more expert, of every token. A dense MLP is a shared expert without routed ones.
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

struct MoeItem {
    int expert;      // num_experts: the shared one
    int first_pair;  // in sorted order
    int num_pairs;
};

// The three matrices of all routed experts, or of the shared one. Tiles and scales as in GemmLayer.
struct MoeWeights {
    const uint8_t *gate = nullptr, *up = nullptr, *down = nullptr;
    const float *gate_scales = nullptr, *up_scales = nullptr, *down_scales = nullptr;
};

struct MoeParams {
    bf16* out = nullptr;      // [num_tokens, hidden]
    const void* x = nullptr;  // e4m3: tiles; bf16: [num_tokens, hidden]
    const float* x_scales = nullptr;
    const int32_t* expert_ids = nullptr;    // [num_tokens, slots]
    const float* expert_weights = nullptr;  // [num_tokens, slots]
    MoeWeights experts, shared;
    int num_tokens = 0;
    int slots = 0;  // routed experts of a token
    int num_experts = 0;
    int hidden = 0;
    int width = 0;  // of an expert, routed or shared
    bool e4m3 = false;
    int item_pairs = 8;       // 8, 16, 32 or 64; 128 with many_pairs
    bool many_pairs = false;  // enough pairs of an expert that reading its weights is not the work: moe_many_pairs_sm90
    bool sorted = true;  // else each pair is an item of its own, in the order of tokens and slots, and plan is left out

    // Working memory (moe_workspace).
    int32_t* pair_tokens = nullptr;  // [pairs] in sorted order
    int32_t* pair_places = nullptr;  // [num_tokens, slots + 1]: where a token's pairs stand in sorted order
    MoeItem* items = nullptr;        // [max_items]
    int32_t* num_items = nullptr;    // [1]
    void* hidden_values = nullptr;   // [pairs, width] e4m3 or bf16, row major
    float* hidden_scales = nullptr;  // [pairs, width / 128]
    void* partial = nullptr;         // [pairs, hidden] f32, or bf16 with many_pairs

    int num_pairs() const { return num_tokens * (slots + 1); }
    // At most this many items: each expert ends with at most one that is not full.
    int max_items() const {
        if (!sorted) return num_tokens * slots + static_cast<int>(ceil_div(num_tokens, item_pairs));
        const int routed = num_tokens * slots, full = routed / item_pairs;
        const int of_routed = routed < full + num_experts ? routed : full + num_experts;
        return of_routed + static_cast<int>(ceil_div(num_tokens, item_pairs));
    }
};

// Bytes for the working memory, and its parts placed in `memory`. Of `params` sizes and the form matter.
int64_t moe_workspace_bytes(MoeParams params);
void place_moe_workspace(MoeParams& params, void* memory);

void moe(const Launch& launch, const MoeParams& params);

// The parts of moe().
void moe_plan(const Launch& launch, const MoeParams& params);
void moe_finish(const Launch& launch, const MoeParams& params);
void moe_gate_up_sm90(const Launch& launch, const MoeParams& params);
void moe_down_sm90(const Launch& launch, const MoeParams& params);
// gate_up and down for items of up to 128 pairs; whether they take such a step.
void moe_many_pairs_sm90(const Launch& launch, const MoeParams& params);
bool moe_many_pairs_sm90_fits(const MoeParams& params);
void moe_gate_up_smxx(const Launch& launch, const MoeParams& params);
void moe_down_smxx(const Launch& launch, const MoeParams& params);

}  // namespace glm5::cuda
