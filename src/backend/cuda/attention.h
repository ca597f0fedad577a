// The workspaces of index_select and sparse_mla.
#pragma once

#include "ops/backend.h"

namespace glm5::cuda {

// Scores of as many tokens as fit into 64 MiB at the longest context, and of 16 at least.
int64_t index_select_workspace_bytes(const ops::StepLimits& limits);
int64_t sparse_mla_workspace_bytes(const ops::StepLimits& limits);

}  // namespace glm5::cuda
