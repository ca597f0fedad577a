// The choice of ops::IndexSelectArgs: of each row of scores the top_k largest, as ascending positions.
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

// Token t chooses among positions 0 … positions[t]; with positions[t] < top_k it takes all, and no score is read. Equal
// scores go to the lower position, NaN comes last. -0 and +0 are equal.
struct TopKParams {
    int32_t* chosen;          // [num_tokens, top_k] ascending, padded with -1
    int32_t* counts;          // [num_tokens]
    const float* scores;      // [num_tokens, stride]
    int64_t stride;           // a multiple of 4
    const int32_t* positions;  // [num_tokens]
    int num_tokens;
    int top_k;
    int max_context_tokens;
};

void top_k(const Launch& launch, const TopKParams& params);

}  // namespace glm5::cuda
