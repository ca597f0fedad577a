// The parts of the option table.
#pragma once

#include <vector>

#include "cli/option.h"

namespace glm5::cli {

inline constexpr unsigned kRun = kServe | kGenerate | kChat;
inline constexpr unsigned kBench = kBenchServe | kBenchSweep;  // what puts load on a server

// Each appends rows.
void add_model_and_server_options(std::vector<Option>& table);
void add_run_options(std::vector<Option>& table);
void add_plan_options(std::vector<Option>& table);
void add_bench_options(std::vector<Option>& table);
void add_sweep_options(std::vector<Option>& table);
void add_step_options(std::vector<Option>& table);
void add_prompt_and_log_options(std::vector<Option>& table);
// What `vllm serve` has and this server ignores or refuses.
void add_vllm_options(std::vector<Option>& table);

}  // namespace glm5::cli
