// The subcommands. Each returns the exit code: 0 done, 1 failed at run time, 2 bad flag, config, checkpoint or missing
// model, 3 valid but does not fit.
#pragma once

#include "base/status.h"
#include "cli/commands.h"

namespace glm5 {

struct BenchServeOptions;
struct BenchStepOptions;
struct BenchSweepOptions;

int run_serve(const cli::ServeOptions& options);
int run_chat(const cli::ChatOptions& options);
int run_generate(const cli::GenerateOptions& options);
int run_inspect(const cli::InspectOptions& options);
int run_bench_serve(const BenchServeOptions& options);
int run_bench_step(const BenchStepOptions& options);
int run_bench_sweep(const BenchSweepOptions& options);
int run_plan(const cli::PlanOptions& options);

// Prints "glm5: message" and returns the exit code that the status stands for.
int report_error(const Status& status);

}  // namespace glm5
