// Options of `glm5 bench step`.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/commands.h"

namespace glm5 {

struct BenchStepOptions {
    cli::LogOptions log;
    cli::ModelOptions model;
    std::string device, kv_cache_dtype;
    int threads = 0;
    int tensor_parallel_size = 1;
    int num_layers = 0;                                 // 0: the model's
    std::vector<int> batch_sizes, contexts;             // decode
    std::vector<int> prefill_tokens, prefill_contexts;  // tokens of a chunk, and those before it
    int64_t cache_bytes = 0;
    int repeats = 0;
    bool ops = false;
};

// Requires a line of bench step.
Result<BenchStepOptions> bench_step_options(const cli::CommandLine& line);

}  // namespace glm5
