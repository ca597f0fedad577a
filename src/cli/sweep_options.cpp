// Rows of `glm5 bench sweep` besides those that it shares with `bench serve`.
#include "cli/option_rows.h"

namespace glm5::cli {
namespace {

constexpr std::string_view kLevels = "Levels", kDataset = "Dataset", kResult = "Result";

}  // namespace

void add_sweep_options(std::vector<Option>& table) {
    using enum OptionType;
    const std::vector<Option> rows = {
        {.name = "--concurrency",
         .type = texts,
         .help = "streams of each level: 1 8 16; without it 1 8 16 32 64 128 256 512 1024",
         .group = kLevels,
         .commands = kBenchSweep},
        {.name = "--num-prompts",
         .type = count,
         .default_text = "auto",
         .help = "requests of a level; auto: --prompts-per-stream times its streams, at least 32",
         .group = kLevels,
         .commands = kBenchSweep,
         .minimum = 1,
         .maximum = 10'000'000},
        {.name = "--prompts-per-stream",
         .type = integer,
         .default_text = "5",
         .help = "requests for each stream of a level",
         .group = kLevels,
         .commands = kBenchSweep,
         .minimum = 1,
         .maximum = 10'000},
        {.name = "--max-ttft",
         .type = real,
         .help = "milliseconds: no level follows one that waits longer for its first token, on average",
         .group = kLevels,
         .commands = kBenchSweep,
         .minimum = 0,
         .above_minimum = true},
        {.name = "--reference",
         .type = text,
         .default_text = "auto",
         .help =
             "published table to set beside the figures (glm5-8xb200-vllm-0.16); auto: one of the same model and load",
         .group = kResult,
         .commands = kBenchSweep},
        {.name = "--input-len",
         .type = count,
         .default_text = "2048",
         .help = "tokens of a random prompt",
         .group = kDataset,
         .commands = kBenchSweep,
         .minimum = 1,
         .maximum = 16'000'000},
        {.name = "--output-len",
         .type = count,
         .default_text = "512",
         .help = "tokens to ask for, of any dataset",
         .group = kDataset,
         .commands = kBenchSweep,
         .minimum = 1,
         .maximum = 16'000'000},
        {.name = "--result-dir",
         .type = text,
         .help = "directory of the files; without it this one",
         .group = kResult,
         .commands = kBenchSweep},
        {.name = "--result-filename",
         .type = text,
         .help =
             "name of the JSON file, which a sweep with the same settings goes on with; .csv and .html lie beside it; "
             "without it sweep-MODEL-INPUT-OUTPUT.json",
         .group = kResult,
         .commands = kBenchSweep},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

}  // namespace glm5::cli
