// What `glm5 plan` reads: a config, and the headers of the weights when they are there. No weights.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "cli/commands.h"
#include "config/config.h"
#include "load/checkpoint.h"
#include "plan/weights.h"

namespace glm5 {

struct PlanSource {
    std::string name;
    config::Config config;
    std::shared_ptr<const load::Checkpoint> checkpoint;  // null: there are no weights beside the config

    // By the tensors of the checkpoint; empty (as published) without them.
    plan::StoredFormOf stored_form() const;
};

// A file such as config.json, a directory with one, or a model as serve finds it.
Result<PlanSource> read_plan_source(const cli::ModelOptions& options);

}  // namespace glm5
