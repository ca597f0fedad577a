// Rows of `glm5 bench serve`, most of them also of `bench sweep`. Names and defaults follow `vllm bench serve`.
#include "cli/option_rows.h"

namespace glm5::cli {
namespace {

constexpr std::string_view kServer = "Server", kDataset = "Dataset", kLoad = "Load", kSampling = "Sampling",
                           kFigures = "Figures", kResult = "Result";
constexpr int64_t kMostTokens = 16'000'000, kMostRequests = 10'000'000;

void add_server_rows(std::vector<Option>& table) {
    using enum OptionType;
    const std::vector<Option> rows = {
        {.name = "--backend",
         .type = choice,
         .default_text = "openai",
         .help = "the API: openai and vllm are completions",
         .group = kServer,
         .commands = kBench,
         .choices = {"openai", "openai-chat", "vllm"}},
        {.name = "--base-url",
         .type = text,
         .help = "http://HOST[:PORT][/PATH], instead of --host and --port",
         .group = kServer,
         .commands = kBench},
        {.name = "--host",
         .type = text,
         .default_text = "127.0.0.1",
         .help = "where the server is",
         .group = kServer,
         .commands = kBench},
        {.name = "--port",
         .type = integer,
         .default_text = "8000",
         .help = "its port",
         .group = kServer,
         .commands = kBench,
         .minimum = 1,
         .maximum = 65535},
        {.name = "--endpoint",
         .type = text,
         .help = "path of the API; without it /v1/completions or /v1/chat/completions",
         .group = kServer,
         .commands = kBench},
        {.name = "--model",
         .type = text,
         .help = "model to ask for; without it the server's first",
         .group = kServer,
         .commands = kBench},
        {.name = "--served-model-name",
         .type = text,
         .help = "what the server calls the model, when that is not --model",
         .group = kServer,
         .commands = kBench},
        {.name = "--tokenizer",
         .type = text,
         .help = "model with the tokenizer, as directory, org/name or nano; without it that of the model's name",
         .group = kServer,
         .commands = kBench},
        {.name = "--download-dir",
         .type = text,
         .help = "root of the Hugging Face cache",
         .group = kServer,
         .commands = kBench},
        {.name = "--skip-tokenizer-init",
         .type = flag,
         .help = "no tokenizer: only for custom data",
         .group = kServer,
         .commands = kBench},
        {.name = "--api-key",
         .type = text,
         .help = "sent as a bearer token",
         .group = kServer,
         .commands = kBench,
         .environment = "OPENAI_API_KEY",
         .secret = true},
        {.name = "--header",
         .type = texts,
         .help = "NAME=VALUE, sent with each request",
         .group = kServer,
         .commands = kBench,
         .secret = true},
        {.name = "--ready-check-timeout-sec",
         .type = real,
         .default_text = "0",
         .help = "seconds to wait for a first answer; 0: no check",
         .group = kServer,
         .commands = kBench,
         .minimum = 0,
         .maximum = 86400},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

Option length(std::string_view name, std::string_view help, std::string_view default_text = "", int64_t minimum = 1,
              unsigned commands = kBenchServe) {
    return {.name = name,
            .type = OptionType::count,
            .default_text = default_text,
            .help = help,
            .group = kDataset,
            .commands = commands,
            .minimum = minimum,
            .maximum = kMostTokens};
}

void add_dataset_rows(std::vector<Option>& table) {
    using enum OptionType;
    const std::vector<Option> rows = {
        {.name = "--dataset-name",
         .type = choice,
         .default_text = "random",
         .help = "sharegpt: a JSON file of conversations; custom: lines {\"prompt\": TEXT, \"output_tokens\": N}",
         .group = kDataset,
         .commands = kBench,
         .choices = {"random", "sharegpt", "custom", "prefix_repetition"}},
        {.name = "--dataset-path",
         .type = text,
         .help = "the file of sharegpt and custom",
         .group = kDataset,
         .commands = kBench},
        {.name = "--seed",
         .type = integer,
         .default_text = "0",
         .help = "the same seed gives the same prompts and times",
         .group = kDataset,
         .commands = kBench,
         .minimum = 0,
         .maximum = std::numeric_limits<uint32_t>::max()},
        length("--input-len", "tokens of a random prompt; before --random-input-len", "", 0),
        length("--output-len", "tokens to ask for, of any dataset"),
        length("--random-input-len", "tokens of a random prompt, without its prefix", "1024", 0),
        length("--random-output-len", "tokens to ask for", "128"),
        {.name = "--random-range-ratio",
         .type = text,
         .default_text = "0",
         .help = "R: lengths are between 1-R and 1+R times theirs, or {\"input\": R, \"output\": R}",
         .group = kDataset,
         .commands = kBench},
        length("--random-prefix-len", "tokens that all random prompts begin with", "0", 0, kBench),
        length("--prefix-repetition-prefix-len", "tokens of a prefix", "256", 1, kBench),
        length("--prefix-repetition-suffix-len", "tokens behind it", "256", 1, kBench),
        length("--prefix-repetition-num-prefixes", "different prefixes", "10", 1, kBench),
        length("--prefix-repetition-output-len", "tokens to ask for", "128"),
        length("--sharegpt-output-len", "tokens to ask for; without it those of the file's answer"),
        length("--custom-output-len", "tokens to ask for; without it those of the line, or 256"),
        {.name = "--disable-shuffle",
         .type = flag,
         .help = "in the order of the file",
         .group = kDataset,
         .commands = kBench},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

void add_load_rows(std::vector<Option>& table) {
    using enum OptionType;
    const std::vector<Option> rows = {
        {.name = "--num-prompts",
         .type = count,
         .default_text = "1000",
         .help = "requests to send",
         .group = kLoad,
         .commands = kBenchServe,
         .minimum = 1,
         .maximum = kMostRequests},
        {.name = "--request-rate",
         .type = text,
         .default_text = "inf",
         .help = "requests a second; inf: all at once",
         .group = kLoad,
         .commands = kBenchServe},
        {.name = "--burstiness",
         .type = text,
         .default_text = "1",
         .help = "shape of the gamma distribution of the intervals: 1 is Poisson, less burstier, inf even",
         .group = kLoad,
         .commands = kBenchServe},
        {.name = "--max-concurrency",
         .type = integer,
         .help = "most requests under way; others wait, before their clock starts",
         .group = kLoad,
         .commands = kBenchServe,
         .minimum = 1,
         .maximum = 100'000},
        {.name = "--ramp-up-strategy",
         .type = choice,
         .help = "how the rate grows from --ramp-up-start-rps to --ramp-up-end-rps",
         .group = kLoad,
         .commands = kBenchServe,
         .choices = {"linear", "exponential"}},
        {.name = "--ramp-up-start-rps",
         .type = integer,
         .help = "requests a second at the begin",
         .group = kLoad,
         .commands = kBenchServe,
         .minimum = 1,
         .maximum = kMostRequests},
        {.name = "--ramp-up-end-rps",
         .type = integer,
         .help = "requests a second at the end",
         .group = kLoad,
         .commands = kBenchServe,
         .minimum = 1,
         .maximum = kMostRequests},
        {.name = "--num-warmups",
         .type = integer,
         .default_text = "0",
         .help = "requests of the first prompt before the measurement",
         .group = kLoad,
         .commands = kBenchServe,
         .minimum = 0,
         .maximum = 100'000},
        {.name = "--request-id-prefix",
         .type = text,
         .help = "of X-Request-Id; without it a random one",
         .group = kLoad,
         .commands = kBench},
        {.name = "--profile",
         .type = flag,
         .help = "ask the server to profile the measurement: POST /start_profile, /stop_profile",
         .group = kLoad,
         .commands = kBenchServe},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

Option sampled(std::string_view name, std::string_view help, int64_t minimum, int64_t maximum,
               OptionType type = OptionType::real) {
    return {.name = name,
            .type = type,
            .help = help,
            .group = kSampling,
            .commands = kBench,
            .minimum = minimum,
            .maximum = maximum};
}

void add_sampling_rows(std::vector<Option>& table) {
    using enum OptionType;
    constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();
    const std::vector<Option> rows = {
        sampled("--temperature", "sent when given, as the others here; without it the server decides", 0, 100),
        sampled("--top-p", "only the likeliest tokens that have this share of the probability", 0, 1),
        sampled("--top-k", "only this many likeliest tokens", -1, kLargest, integer),
        sampled("--min-p", "only tokens at least this likely, as a share of the likeliest", 0, 1),
        sampled("--presence-penalty", "against tokens that have occurred", -2, 2),
        sampled("--frequency-penalty", "against tokens, by how often they have occurred", -2, 2),
        sampled("--repetition-penalty", "against tokens of prompt and answer; completions send 1.0 without it", 0, 100),
        sampled("--logprobs", "log probabilities of so many tokens, of completions", 0, 1000, integer),
        {.name = "--ignore-eos",
         .type = flag,
         .help = "go on to the length asked for; always so for random data",
         .group = kSampling,
         .commands = kBench},
        {.name = "--extra-body",
         .type = object,
         .default_text = "{}",
         .help = "members of each request's body",
         .group = kSampling,
         .commands = kBench},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

void add_result_rows(std::vector<Option>& table) {
    using enum OptionType;
    const std::vector<Option> rows = {
        {.name = "--percentile-metrics",
         .type = text,
         .default_text = "ttft,tpot,itl",
         .help = "metrics to report: ttft, tpot, itl, e2el",
         .group = kFigures,
         .commands = kBenchServe},
        {.name = "--metric-percentiles",
         .type = text,
         .default_text = "99",
         .help = "percentiles of them: 25,50,99.9",
         .group = kFigures,
         .commands = kBenchServe},
        {.name = "--goodput",
         .type = texts,
         .help = "limits in ms that a good request meets: ttft:500 tpot:50 e2el:10000",
         .group = kFigures,
         .commands = kBenchServe},
        {.name = "--save-result",
         .type = flag,
         .help = "write the figures as a JSON file",
         .group = kResult,
         .commands = kBenchServe},
        {.name = "--save-detailed",
         .type = flag,
         .help = "with the times, text and error of each request",
         .group = kResult,
         .commands = kBenchServe},
        {.name = "--append-result",
         .type = flag,
         .help = "add a line to the file",
         .group = kResult,
         .commands = kBenchServe},
        {.name = "--result-dir",
         .type = text,
         .help = "directory of the file; without it this one",
         .group = kResult,
         .commands = kBenchServe},
        {.name = "--result-filename",
         .type = text,
         .help = "its name; without it LABEL-RATEqps-concurrencyN-MODEL-DATE.json",
         .group = kResult,
         .commands = kBenchServe},
        {.name = "--label",
         .type = text,
         .help = "name of the run in the file; without it the backend",
         .group = kResult,
         .commands = kBenchServe},
        {.name = "--metadata",
         .type = texts,
         .help = "KEY=VALUE for the file",
         .group = kResult,
         .commands = kBenchServe},
        {.name = "--disable-tqdm", .type = flag, .help = "no progress bar", .group = kResult, .commands = kBench},
    };
    table.insert(table.end(), rows.begin(), rows.end());
}

void add_vllm_rows(std::vector<Option>& table) {
    using enum OptionType;
    const auto ignored = [&](std::string_view name, OptionType type, std::string_view help,
                             std::string_view neutral = "") {
        table.push_back({.name = name,
                         .type = type,
                         .help = help,
                         .commands = kBench,
                         .treatment = Treatment::ignored,
                         .neutral = neutral});
    };
    ignored("--trust-remote-code", flag, "");
    ignored("--tokenizer-mode", text, "", "auto hf");
    ignored("--custom-skip-chat-template", flag, "a prompt is sent as it is", "true");
    ignored("--insecure", flag, "this client speaks plain HTTP");
    ignored("--plot-timeline", flag, "no picture is drawn; --save-detailed has the times");
}

}  // namespace

void add_bench_options(std::vector<Option>& table) {
    add_server_rows(table);
    add_dataset_rows(table);
    add_load_rows(table);
    add_sampling_rows(table);
    add_result_rows(table);
    add_vllm_rows(table);
}

}  // namespace glm5::cli
