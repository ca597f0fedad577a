// What other choices would give: the same plan with one thing changed.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace glm5::plan {

struct Alternative {
    std::string name;
    Plan plan;
};

// FP8 caches, DP attention with expert parallelism, NVFP4 experts on half as many tensor ranks, and the index sharing
// of GLM-5.2, each as far as it changes something and the model can be cut so.
std::vector<Alternative> alternatives(const config::Config& config, const Plan& plan);

// The indexers of GLM-5.2: layers 0, 1, 2, 6, 10, … choose, the others take over their choice.
config::Config with_shared_indexers(config::Config config);

}  // namespace glm5::plan
