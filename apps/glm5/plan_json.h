// A plan as JSON, for `glm5 plan --json`: every number of the table by its name, in bytes, tokens and seconds.
#pragma once

#include <vector>

#include "json/value.h"
#include "plan/alternatives.h"
#include "plan/plan.h"

namespace glm5 {

json::Value plan_json(const config::Config& config, const plan::Plan& plan,
                      const std::vector<plan::Alternative>& alternatives);

}  // namespace glm5
