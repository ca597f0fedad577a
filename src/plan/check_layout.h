// check_layout: whether a parallel layout cuts a model evenly.
#pragma once

#include "base/status.h"
#include "config/config.h"
#include "layout/parallel_layout.h"

namespace glm5::plan {

// Ok when every rank gets as many heads, vocabulary rows, experts and MLP columns as any other, and cuts lie on the
// borders of the checkpoint's quantisation blocks. Errors name the key of config.json, its value and the number of
// ranks.
Status check_layout(const config::Config& config, const layout::ParallelLayout& layout);

}  // namespace glm5::plan
