// check_sampling: the ranges of Sampling that the sampler relies on.
#pragma once

#include "base/status.h"
#include "glm5/types.h"

namespace glm5::engine {

// Errors: invalid_argument, naming the field, its range and what was found.
Status check_sampling(const Sampling& sampling, const ModelInfo& info);

}  // namespace glm5::engine
