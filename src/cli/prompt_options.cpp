// Rows about the prompt, the choice of tokens, the output and the log.
#include "cli/option_rows.h"

namespace glm5::cli {
namespace {

constexpr std::string_view kPrompt = "Prompt", kSampling = "Sampling", kOutput = "Output", kLog = "Log";

}  // namespace

void add_prompt_and_log_options(std::vector<Option>& table) {
    using enum OptionType;
    constexpr unsigned kAsk = kGenerate | kChat, kAll = kRun | kInspect | kPlan | kBench | kBenchStep;
    const std::vector<Option> rows = {
        {.name = "--chat",
         .type = flag,
         .help = "the prompt is a user's message, not raw text",
         .group = kPrompt,
         .commands = kGenerate},
        {.name = "--thinking",
         .type = flag,
         .help = "reason before the answer (of generate: with --chat)",
         .group = kPrompt,
         .commands = kAsk},
        {.name = "--system", .type = text, .help = "the system message", .group = kPrompt, .commands = kChat},

        {.name = "--temperature",
         .type = real,
         .help = "0 takes the likeliest token, more is more varied; without it generate takes 0, chat the model's",
         .group = kSampling,
         .commands = kAsk,
         .minimum = 0,
         .maximum = 100},
        {.name = "--top-p",
         .type = real,
         .help = "only the likeliest tokens that have this share of the probability",
         .group = kSampling,
         .commands = kAsk,
         .minimum = 0,
         .maximum = 1,
         .above_minimum = true},
        {.name = "--top-k",
         .type = integer,
         .default_text = "0",
         .help = "only this many likeliest tokens; 0 and -1 for all",
         .group = kSampling,
         .commands = kAsk,
         .minimum = -1,
         .maximum = std::numeric_limits<int32_t>::max()},
        {.name = "--min-p",
         .type = real,
         .default_text = "0",
         .help = "only tokens at least this likely, as a share of the likeliest",
         .group = kSampling,
         .commands = kAsk,
         .minimum = 0,
         .maximum = 1},
        {.name = "--seed",
         .type = integer,
         .default_text = "0",
         .help = "the same seed gives the same text",
         .group = kSampling,
         .commands = kAsk,
         .minimum = 0},
        {.name = "--num-choices",
         .type = integer,
         .default_text = "1",
         .help = "texts to generate for the prompt",
         .group = kSampling,
         .commands = kGenerate,
         .alias = "-n",
         .minimum = 1,
         .maximum = 128},
        {.name = "--ignore-eos",
         .type = flag,
         .help = "go on to --max-tokens",
         .group = kSampling,
         .commands = kGenerate},

        {.name = "--stats",
         .type = flag,
         .help = "print counts and rates at the end, on standard error",
         .group = kOutput,
         .commands = kAsk},
        {.name = "--tensors", .type = flag, .help = "list every tensor", .group = kOutput, .commands = kInspect},

        {.name = "--log-level",
         .type = choice,
         .help = "the least level that is written; without it info, for chat warning",
         .group = kLog,
         .commands = kAll,
         .choices = {"debug", "info", "warning", "error"},
         .environment = "GLM5_LOG_LEVEL VLLM_LOGGING_LEVEL"},
        {.name = "--log-format",
         .type = choice,
         .default_text = "text",
         .help = "lines of text or of JSON",
         .group = kLog,
         .commands = kAll,
         .choices = {"text", "json"}},
        {.name = "--disable-access-log",
         .type = flag,
         .help = "no line per request",
         .group = kLog,
         .alias = "--disable-uvicorn-access-log"},
        {.name = "--disable-log-stats", .type = flag, .help = "no line about load and throughput", .group = kLog},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

}  // namespace glm5::cli
