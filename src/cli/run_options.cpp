// Rows about limits, the device and parallelism. Names and defaults follow `vllm serve` where it has the option.
#include "cli/option_rows.h"

namespace glm5::cli {
namespace {

constexpr std::string_view kLimits = "Limits", kDevice = "Device", kParallel = "Parallelism";

// A number of ranks, of which this version has one.
Option one(std::string_view name, std::string_view alias = "") {
    return {.name = name,
            .type = OptionType::integer,
            .default_text = "1",
            .help = "this version runs on one device",
            .group = kParallel,
            .commands = kRun,
            .alias = alias,
            .minimum = 1,
            .maximum = 1};
}

}  // namespace

void add_run_options(std::vector<Option>& table) {
    using enum OptionType;
    const std::vector<Option> rows = {
        {.name = "--max-model-len",
         .type = count,
         .default_text = "auto",
         .help = "tokens of prompt and answer together (8k, 200k, 1M); auto: what the model and the cache allow",
         .group = kLimits,
         .commands = kRun | kPlan},
        {.name = "--max-num-batched-tokens",
         .type = count,
         .default_text = "2048",
         .help = "tokens in one step",
         .group = kLimits,
         .commands = kRun,
         .minimum = 1,
         .maximum = 65536},
        {.name = "--max-num-seqs",
         .type = integer,
         .default_text = "128",
         .help = "requests in one step",
         .group = kLimits,
         .minimum = 1,
         .maximum = 4096},
        {.name = "--max-queue-size",
         .type = integer,
         .default_text = "4096",
         .help = "requests that wait or run; more are answered 429",
         .group = kLimits,
         .minimum = 1,
         .maximum = 1000000},
        {.name = "--scheduling-policy",
         .type = choice,
         .default_text = "fcfs",
         .help = "in the order of arrival, or of each request's priority first",
         .group = kLimits,
         .choices = {"fcfs", "priority"}},
        {.name = "--kv-cache-memory-bytes",
         .type = count,
         .default_text = "2GiB",
         .help = "memory of the cache (512M, 2G)",
         .group = kLimits,
         .commands = kRun,
         .minimum = 1},
        {.name = "--enable-prefix-caching",
         .type = flag,
         .default_text = "true",
         .help = "keep what prompts have in common; --no-enable-prefix-caching turns it off",
         .group = kLimits,
         .commands = kRun},
        {.name = "--max-tokens",
         .type = count,
         .default_text = "auto",
         .help = "tokens to generate; auto fills the context",
         .group = kLimits,
         .commands = kGenerate | kChat,
         .minimum = 1},

        {.name = "--device",
         .type = choice,
         .default_text = "auto",
         .help = "where the model runs",
         .group = kDevice,
         .commands = kRun,
         .choices = {"auto", "cpu"}},
        {.name = "--threads",
         .type = integer,
         .default_text = "0",
         .help = "threads of the CPU; 0 for all cores",
         .group = kDevice,
         .commands = kRun,
         .minimum = 0,
         .maximum = 1024},
        {.name = "--dtype",
         .type = choice,
         .default_text = "auto",
         .help = "activations; auto is float32 on the CPU",
         .group = kDevice,
         .commands = kRun,
         .choices = {"auto", "bfloat16", "float32"}},
        {.name = "--kv-cache-dtype",
         .type = choice,
         .default_text = "auto",
         .help = "the cache; auto is float32 on the CPU, fp8 and fp8_e4m3 mean fp8_ds_mla",
         .group = kDevice,
         .commands = kRun,
         .choices = {"auto", "float32", "bfloat16", "fp8", "fp8_e4m3", "fp8_ds_mla"}},
        {.name = "--dump-activations",
         .type = text,
         .help = "directory for the tensors of every layer and step",
         .group = kDevice,
         .commands = kRun},

        one("--tensor-parallel-size", "-tp"),
        one("--pipeline-parallel-size", "-pp"),
        one("--data-parallel-size", "-dp"),
        one("--decode-context-parallel-size", "-dcp"),
        one("--prefill-context-parallel-size", "-pcp"),
        one("--nnodes"),
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

}  // namespace glm5::cli
