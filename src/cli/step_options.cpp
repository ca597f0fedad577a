// Rows of `glm5 bench step`, which runs steps of a model that need not be there.
#include "cli/option_rows.h"

namespace glm5::cli {

void add_step_options(std::vector<Option>& table) {
    using enum OptionType;
    constexpr std::string_view kModel = "What is run", kSteps = "Steps", kOutput = "Output";
    const std::vector<Option> rows = {
        {.name = "--device", .type = choice, .default_text = "auto", .help = "where it runs", .group = kModel,
         .commands = kBenchStep, .choices = {"auto", "cpu", "cuda"}},
        {.name = "--threads", .type = integer, .default_text = "0", .help = "of the CPU; 0: all cores", .group = kModel,
         .commands = kBenchStep, .minimum = 0, .maximum = 4096},
        {.name = "--tensor-parallel-size", .type = integer, .default_text = "1",
         .help = "the ranks of which one is run", .group = kModel, .commands = kBenchStep, .alias = "-tp", .minimum = 1,
         .maximum = 4096},
        {.name = "--num-layers", .type = integer, .default_text = "0",
         .help = "run this many layers only; 0: all", .group = kModel, .commands = kBenchStep, .minimum = 0,
         .maximum = 1000},
        {.name = "--kv-cache-dtype", .type = choice, .default_text = "auto",
         .help = "of the latents; auto is bfloat16; fp8 and fp8_e4m3 mean fp8_ds_mla", .group = kModel,
         .commands = kBenchStep, .choices = {"auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_ds_mla"}},
        {.name = "--kv-cache-memory-bytes", .type = count, .default_text = "64GiB",
         .help = "the caches take this, or what the device has left", .group = kModel, .commands = kBenchStep,
         .minimum = 1, .maximum = int64_t{1} << 50},
        {.name = "--batch-sizes", .type = texts, .help = "sequences of a decode step: 1 8; without it 1 8 32 128",
         .group = kSteps, .commands = kBenchStep},
        {.name = "--contexts", .type = texts, .help = "tokens of each sequence: 4096 32768; without it 4096",
         .group = kSteps, .commands = kBenchStep},
        {.name = "--prefill-tokens", .type = texts, .help = "tokens of a prefill step: 2048 8192; without it none",
         .group = kSteps, .commands = kBenchStep},
        {.name = "--prefill-contexts", .type = texts, .help = "tokens before those: 0 32768; without it 0",
         .group = kSteps, .commands = kBenchStep},
        {.name = "--repeats", .type = integer, .default_text = "20", .help = "measurements of a step; their median is printed",
         .group = kOutput, .commands = kBenchStep, .minimum = 1, .maximum = 100'000},
        {.name = "--ops", .type = flag, .help = "the time of each op too", .group = kOutput, .commands = kBenchStep},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

}  // namespace glm5::cli
