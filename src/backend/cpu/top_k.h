// The k largest of a row of scores, as positions in ascending order.
#pragma once

#include <cstdint>

#include "backend/cpu/buffer.h"

namespace glm5::cpu {

// positions[0 … k) = the places of the k largest of scores[0 … n), ascending; equal scores by the lower place, NaN
// below all others. 1 ≤ k ≤ n. `memory` is this thread's.
void select_top_k(const float* scores, int64_t n, int64_t k, int32_t* positions, Buffer& memory);

}  // namespace glm5::cpu
