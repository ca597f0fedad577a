// Bytes of what a rank works in during a step, buffer by buffer: the decoder's step buffers (model/step.h), the fields
// of the batch (batch/), the sampler's (sample/), and the backend's own workspaces.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "layout/parallel_layout.h"
#include "plan/backend_form.h"
#include "plan/device.h"

namespace glm5::plan {

struct StepSizes {
    int64_t max_num_tokens = 0;    // of a step
    int64_t max_num_seqs = 0;      // of a step; at most max_num_tokens
    int64_t max_model_len = 0;     // positions of one sequence
    int64_t num_vocab_tokens = 0;  // tokens that can be sampled
    int num_threads = 1;           // CPU
};

struct Buffer {
    std::string name;
    std::string formula;  // "8192 x 6144 BF16"
    int64_t bytes = 0;
};

int64_t total_bytes(const std::vector<Buffer>& buffers);

// What model/, batch/ and sample/ allocate at start.
std::vector<Buffer> step_buffers(const config::Config& config, const layout::ParallelLayout& layout,
                                 const BackendForm& form, const StepSizes& sizes);

// What a backend needs besides, at most.
std::vector<Buffer> cpu_workspaces(const config::Config& config, const BackendForm& form, const StepSizes& sizes);
std::vector<Buffer> gpu_workspaces(const config::Config& config, const layout::ParallelLayout& layout,
                                   const StepSizes& sizes);

// What ranks exchange: 0 for one rank.
std::vector<Buffer> communication_buffers(const config::Config& config, const layout::ParallelLayout& layout,
                                          const StepSizes& sizes);

}  // namespace glm5::plan
