// The options of each subcommand as plain structs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/parse.h"

namespace glm5::cli {

struct LogOptions {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
};

struct ModelOptions {
    std::string model;  // empty: the bundled one; with "@revision" when one was given
    std::string download_dir;
    std::string chat_template;  // file; empty: the model's
    std::string quantization;   // fp8, nvfp4; empty: what the checkpoint has
};

// 0 is auto where the table says so.
struct RunOptions {
    int max_model_len = 0;
    int max_num_batched_tokens = 0;
    int max_num_seqs = 128;
    int max_queue_size = 4096;
    int64_t kv_cache_memory_bytes = 0;
    double gpu_memory_utilization = 0;
    bool enable_prefix_caching = true;
    std::string device;  // auto, cpu, cuda
    int threads = 0;
    std::string dtype;           // auto, bfloat16, float32
    std::string kv_cache_dtype;  // auto, float32, bfloat16, fp8_ds_mla
    bool enforce_eager = false;
    std::string dump_activations;
};

// How tokens are chosen; absent: the command's default.
struct SamplingOptions {
    std::optional<double> temperature, top_p;
    int top_k = 0;
    double min_p = 0;
    uint64_t seed = 0;
};

struct ServeOptions {
    LogOptions log;
    ModelOptions model;
    RunOptions run;
    std::vector<std::string> served_model_names;  // empty: the model's name
    json::Object default_chat_template_kwargs;
    std::string reasoning_field;  // both, reasoning, reasoning_content
    // The sampling of requests that do not say: these, else generation_config.json when it is used, else neutral.
    std::optional<double> default_temperature, default_top_p;
    bool use_generation_config = true;
    std::vector<std::string> api_keys;  // empty: every request is let in
    std::string host;
    uint16_t port = 0;
    int shutdown_timeout_s = 0;
    int max_connections = 0;
    bool metrics_require_key = false;
    bool priority_scheduling = false;
    bool access_log = true;
    bool log_stats = true;
};

struct ChatOptions {
    LogOptions log;
    ModelOptions model;
    RunOptions run;
    SamplingOptions sampling;
    std::string system;  // empty: none
    bool thinking = false;
    bool stats = false;
    int max_tokens = 0;
};

struct GenerateOptions {
    LogOptions log;
    ModelOptions model;
    RunOptions run;
    SamplingOptions sampling;
    int num_choices = 1;
    bool ignore_eos = false;
    std::string prompt;
    bool chat = false;
    bool thinking = false;
    bool stats = false;
    int max_tokens = 0;
};

struct InspectOptions {
    LogOptions log;
    ModelOptions model;
    bool tensors = false;
};

// 0 and empty are auto, as the table says.
struct PlanOptions {
    LogOptions log;
    ModelOptions model;
    std::string gpu;  // empty: the CPU of this machine
    int64_t gpu_memory_bytes = 0;  // when `gpu` is a size
    double gpu_memory_utilization = 0;
    int tensor_parallel_size = 1;
    int data_parallel_size = 1;
    bool expert_parallel = false;
    bool mtp = false;
    std::string kv_cache_dtype;  // auto, float32, bfloat16, fp8_ds_mla
    int64_t kv_cache_memory_bytes = 0;
    int max_model_len = 0;
    int max_num_batched_tokens = 0;
    int max_num_seqs = 0;
    bool buffers = false;
    bool json = false;
};

// Of any command. `default_level` holds when none was given.
LogOptions log_options(const Values& values, std::string_view default_level = "info");

// Each requires a line of its command. Errors: too few or too many arguments, values that do not go together, a file of
// keys that cannot be read.
Result<ServeOptions> serve_options(const CommandLine& line);
Result<ChatOptions> chat_options(const CommandLine& line);
Result<GenerateOptions> generate_options(const CommandLine& line);
Result<InspectOptions> inspect_options(const CommandLine& line);
Result<PlanOptions> plan_options(const CommandLine& line);

}  // namespace glm5::cli
