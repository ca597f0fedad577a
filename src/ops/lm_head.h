// lm_head: logits of the rows that are sampled (ops/sample.h).
#pragma once

#include "ops/batch.h"
#include "ops/tensor.h"
#include "ops/weights.h"

namespace glm5::ops {

// logits[r] = W · hidden[logit_rows[r]], f32, not rounded; hidden is unquantised.
struct LmHeadArgs {
    Tensor logits;      // out [num_logit_rows, vocab_size] f32
    Activation hidden;  // [num_tokens, hidden_size] after the final norm
    Linear head;        // [vocab_size, hidden_size]
    const Batch* batch = nullptr;
};

}  // namespace glm5::ops
