// Options of `glm5 bench sweep`.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/commands.h"
#include "loadgen/sweep.h"

namespace glm5 {

struct BenchSweepOptions {
    cli::LogOptions log;
    loadgen::SweepOptions sweep;  // without result_path, which needs the model's name
    std::string tokenizer, download_dir;
    bool skip_tokenizer = false, progress = true;
    std::string result_dir, result_filename;
};

// Requires a line of bench sweep.
Result<BenchSweepOptions> bench_sweep_options(const cli::CommandLine& line);

}  // namespace glm5
