// Rows of `glm5 plan`, which asks about devices and layouts that this machine need not have.
#include "cli/option_rows.h"

namespace glm5::cli {

void add_plan_options(std::vector<Option>& table) {
    using enum OptionType;
    constexpr std::string_view kPlanned = "What is planned", kLimits = "Limits", kOutput = "Output";
    const std::vector<Option> rows = {
        {.name = "--gpu",
         .type = text,
         .help = "h100, h200, b200 or a size of memory (141GB), of each rank; without it this machine's CPU",
         .group = kPlanned,
         .commands = kPlan},
        {.name = "--tensor-parallel-size",
         .type = integer,
         .default_text = "1",
         .help = "ranks that share the heads and MLPs of a sequence, and hold its whole cache each",
         .group = kPlanned,
         .commands = kPlan,
         .alias = "-tp",
         .minimum = 1,
         .maximum = 4096},
        {.name = "--data-parallel-size",
         .type = integer,
         .default_text = "1",
         .help = "groups of such ranks with sequences and caches of their own",
         .group = kPlanned,
         .commands = kPlan,
         .alias = "-dp",
         .minimum = 1,
         .maximum = 4096},
        {.name = "--enable-expert-parallel",
         .type = flag,
         .help = "each rank holds some experts whole, not a part of all",
         .group = kPlanned,
         .commands = kPlan,
         .alias = "-ep"},
        {.name = "--speculative-config",
         .type = object,
         .default_text = "{}",
         .help = "{\"method\": \"mtp\", …}: with the MTP layer's weights and caches",
         .group = kPlanned,
         .commands = kPlan},
        {.name = "--kv-cache-dtype",
         .type = choice,
         .default_text = "auto",
         .help = "the cache; auto is bfloat16 on a GPU, float32 on the CPU; fp8 and fp8_e4m3 mean fp8_ds_mla",
         .group = kPlanned,
         .commands = kPlan,
         .choices = {"auto", "float32", "bfloat16", "fp8", "fp8_e4m3", "fp8_ds_mla"}},

        {.name = "--max-num-batched-tokens",
         .type = count,
         .default_text = "auto",
         .help = "tokens in one step; auto is 8192 on a GPU, 2048 on the CPU",
         .group = kLimits,
         .commands = kPlan,
         .minimum = 1,
         .maximum = 65536},
        {.name = "--max-num-seqs",
         .type = count,
         .default_text = "auto",
         .help = "requests in one step; auto is 1024 on a GPU, 128 on the CPU",
         .group = kLimits,
         .commands = kPlan,
         .minimum = 1,
         .maximum = 4096},

        {.name = "--buffers",
         .type = flag,
         .help = "list every buffer of a step with its shape",
         .group = kOutput,
         .commands = kPlan},
        {.name = "--json", .type = flag, .help = "print JSON", .group = kOutput, .commands = kPlan},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

}  // namespace glm5::cli
