// The workspace of dense_mlp and moe.
#pragma once

#include "backend/cuda/launch.h"
#include "ops/backend.h"

namespace glm5::cuda {

int64_t mlp_workspace_bytes(const Launch& launch, const ops::StepLimits& limits);

}  // namespace glm5::cuda
