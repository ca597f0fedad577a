// add_norm: residual = R(residual + delta); out = R(residual · r · weight), r = 1 / sqrt(mean(residual²) + eps), in
// float32 with one rounding; and out's FP8 form when Numerics quantises linear inputs. R is the identity in f32.
// In place on `residual`. Rows are independent.
#pragma once

#include "ops/tensor.h"

namespace glm5::ops {

struct AddNormArgs {
    Activation out;   // out [num_tokens, hidden_size]
    Tensor residual;  // in/out [num_tokens, hidden_size]
    Tensor delta;     // [num_tokens, hidden_size]; empty: nothing is added
    Tensor weight;    // [hidden_size] f32
    float eps = 0;
};

}  // namespace glm5::ops
