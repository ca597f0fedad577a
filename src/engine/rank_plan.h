// plan_rank: what a rank will hold, before it loads anything.
#pragma once

#include "base/status.h"
#include "glm5/engine.h"
#include "load/checkpoint.h"
#include "ops/backend.h"
#include "plan/plan.h"

namespace glm5::engine {

// Errors: invalid_argument for limits that the model does not have; resource_exhausted when it does not fit. The plan
// is shown to options.on_plan in either case but the first.
Result<plan::Plan> plan_rank(const EngineOptions& options, const load::Checkpoint& checkpoint,
                             const ops::Backend& backend);

}  // namespace glm5::engine
