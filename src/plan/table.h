// The text of a plan.
#pragma once

#include <string>
#include <vector>

#include "plan/alternatives.h"
#include "plan/plan.h"

namespace glm5::plan {

// What a rank holds and what all hold; the cache per token; tokens, sequences and the largest context. `buffers`: every
// step buffer and workspace with its formula.
std::string plan_table(const Plan& plan, bool buffers);
// Milliseconds and gigabytes of decode steps by number of sequences and context; empty without a known bandwidth.
std::string step_table(const config::Config& config, const Plan& plan);
// One line for each.
std::string alternatives_table(const std::vector<Alternative>& alternatives);

// The sizes of the step table, contexts beyond the plan's left out but for one.
std::vector<int64_t> step_contexts(const Plan& plan);
inline constexpr int64_t kStepSeqs[] = {1, 8, 32, 128};

}  // namespace glm5::plan
