// Configs of the published checkpoints, and plans of them.
#pragma once

#include <gtest/gtest.h>

#include "config/config_files.h"
#include "plan/plan.h"

namespace glm5::plan {

inline config::Config published(const std::string& name) {
    auto config = config::parse_config(config::read_config_file(name));
    EXPECT_TRUE(config.ok()) << name << ": " << config.status().message();
    return *std::move(config);
}
inline config::Config glm5_fp8() {
    return published("glm-5-fp8_config");
}
inline config::Config glm52_fp8() {
    return published("glm-5.2-fp8_config");
}

inline const layout::ParallelLayout kTp8 = {.tensor = 8};

// As `glm5 plan --gpu NAME` fills them in.
inline PlanOptions gpu_options(std::string_view gpu) {
    PlanOptions options;
    options.device = find_gpu(gpu).value();
    options.utilization = 0.92;
    options.max_num_batched_tokens = 8192;
    options.max_num_seqs = 1024;
    options.form = BackendForm::gpu();
    return options;
}

inline Plan planned(const config::Config& config, const layout::ParallelLayout& layout, const PlanOptions& options) {
    auto plan = make_plan(config, layout, options);
    EXPECT_TRUE(plan.ok()) << plan.status().message();
    return *std::move(plan);
}

inline double gib(double bytes) {
    return bytes / (1 << 30);
}
inline int64_t bytes_of_gib(double gib) {
    return static_cast<int64_t>(gib * (1 << 30));
}

}  // namespace glm5::plan
