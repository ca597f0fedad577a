// What was planned and what is taken, in the log. Wording follows vLLM where it has the line: scripts look for it.
#pragma once

#include "glm5/types.h"
#include "plan/plan.h"

namespace glm5 {

// Before anything is loaded.
void log_plan(const plan::Plan& plan);
// After everything is.
void log_loaded(const plan::Plan& plan, const EngineStats& stats, double seconds);
// At the end, when each workspace has had its use.
void log_most_taken(const plan::Plan& plan, const MemoryStats& taken);

}  // namespace glm5
