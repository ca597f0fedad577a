// The rows of the option table. Names and defaults follow `vllm serve` where it has the option.
#include "cli/option.h"

namespace glm5::cli {
namespace {

constexpr std::string_view kModel = "Model", kServer = "Server", kLimits = "Limits", kDevice = "Device",
                           kPrompt = "Prompt", kOutput = "Output", kParallel = "Parallelism", kLog = "Log";
constexpr unsigned kRun = kServe | kGenerate;

constexpr std::string_view kOneDevice = "this version runs on one device";

// A number of ranks, of which this version has one.
Option one(std::string_view name, std::string_view alias = "") {
    return {.name = name,
            .type = OptionType::integer,
            .default_text = "1",
            .help = kOneDevice,
            .group = kParallel,
            .commands = kRun,
            .alias = alias,
            .minimum = 1,
            .maximum = 1};
}

std::vector<Option> used_options() {
    using enum OptionType;
    return {
        {.name = "--model",
         .type = text,
         .help = "directory, org/name of the Hugging Face cache, or nano",
         .group = kModel},
        {.name = "--revision",
         .type = text,
         .help = "branch, tag or commit of org/name",
         .group = kModel,
         .commands = kRun | kInspect},
        {.name = "--download-dir",
         .type = text,
         .help = "root of the Hugging Face cache",
         .group = kModel,
         .commands = kRun | kInspect},
        {.name = "--served-model-name",
         .type = texts,
         .help = "what clients call the model; the first is in the answers",
         .group = kModel},
        {.name = "--chat-template",
         .type = text,
         .help = "file with a Jinja template, instead of the model's",
         .group = kModel,
         .commands = kRun},
        {.name = "--default-chat-template-kwargs",
         .type = object,
         .default_text = "{}",
         .help = "template arguments of every chat request, as JSON",
         .group = kModel},
        {.name = "--reasoning-parser",
         .type = choice,
         .default_text = "glm45",
         .help = "how reasoning is told from content",
         .group = kModel,
         .choices = {"glm45", "glm47"}},
        {.name = "--reasoning-field",
         .type = choice,
         .default_text = "both",
         .help = "the answer's field for reasoning",
         .group = kModel,
         .choices = {"both", "reasoning", "reasoning_content"}},

        {.name = "--host",
         .type = text,
         .default_text = "127.0.0.1",
         .help = "address to listen on; 0.0.0.0 for all",
         .group = kServer},
        {.name = "--port",
         .type = integer,
         .default_text = "8000",
         .help = "port to listen on; 0 for any free one",
         .group = kServer,
         .minimum = 0,
         .maximum = 65535},
        {.name = "--shutdown-timeout",
         .type = integer,
         .default_text = "300",
         .help = "seconds for open requests after SIGTERM",
         .group = kServer,
         .minimum = 0,
         .maximum = 86400},
        {.name = "--max-connections",
         .type = integer,
         .default_text = "4096",
         .help = "open connections; more wait in the backlog",
         .group = kServer,
         .minimum = 1,
         .maximum = 1000000},

        {.name = "--max-model-len",
         .type = count,
         .default_text = "auto",
         .help = "tokens of prompt and answer together (8k, 200k, 1M)",
         .group = kLimits,
         .commands = kRun},
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
        {.name = "--kv-cache-memory-bytes",
         .type = count,
         .default_text = "2GiB",
         .help = "memory of the cache",
         .group = kLimits,
         .commands = kRun,
         .minimum = 1},
        {.name = "--max-tokens",
         .type = count,
         .default_text = "auto",
         .help = "tokens to generate; auto fills the context",
         .group = kLimits,
         .commands = kGenerate,
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
         .help = "the cache; auto is float32 on the CPU",
         .group = kDevice,
         .commands = kRun,
         .choices = {"auto", "float32", "bfloat16", "fp8_ds_mla"}},
        {.name = "--dump-activations",
         .type = text,
         .help = "directory for the tensors of every layer and step",
         .group = kDevice,
         .commands = kRun},

        {.name = "--chat",
         .type = flag,
         .help = "the prompt is a user's message, not raw text",
         .group = kPrompt,
         .commands = kGenerate},
        {.name = "--thinking",
         .type = flag,
         .help = "with --chat: reason before the answer",
         .group = kPrompt,
         .commands = kGenerate},
        {.name = "--temperature",
         .type = choice,
         .default_text = "0",
         .help = "this version is greedy",
         .group = kPrompt,
         .commands = kGenerate,
         .choices = {"0", "0.0"}},
        {.name = "--stats",
         .type = flag,
         .help = "print counts and rates at the end, on standard error",
         .group = kOutput,
         .commands = kGenerate},

        {.name = "--tensors", .type = flag, .help = "list every tensor", .group = kOutput, .commands = kInspect},

        one("--tensor-parallel-size", "-tp"),
        one("--pipeline-parallel-size", "-pp"),
        one("--data-parallel-size", "-dp"),
        one("--decode-context-parallel-size", "-dcp"),
        one("--prefill-context-parallel-size", "-pcp"),
        one("--nnodes"),

        {.name = "--log-level",
         .type = choice,
         .default_text = "info",
         .help = "the least level that is written",
         .group = kLog,
         .commands = kRun | kInspect,
         .choices = {"debug", "info", "warning", "error"},
         .environment = "GLM5_LOG_LEVEL VLLM_LOGGING_LEVEL"},
        {.name = "--log-format",
         .type = choice,
         .default_text = "text",
         .help = "lines of text or of JSON",
         .group = kLog,
         .commands = kRun | kInspect,
         .choices = {"text", "json"}},
        {.name = "--disable-access-log",
         .type = flag,
         .help = "no line per request",
         .group = kLog,
         .alias = "--disable-uvicorn-access-log"},
    };
}

// Options of vLLM without an effect here.
constexpr std::string_view kIgnoredFlags[] = {
    "--trust-remote-code",
    "--enforce-eager",
    "--disable-custom-all-reduce",
    "--async-scheduling",
    "--skip-tokenizer-init",
    "--language-model-only",
    "--enable-flashinfer-autotune",
    "--enable-dbo",
    "--enable-eplb",
    "--numa-bind",
    "--disable-log-requests",
    "--disable-log-stats",
    "--enable-log-requests",
    "--enable-log-outputs",
    "--enable-expert-parallel",
    "--enable-prefix-caching",
    "--enable-auto-tool-choice",
    "--enable-prompt-tokens-details",
    "--enable-request-id-headers",
    "--enable-server-load-tracking",
    "--enable-tokenizer-info-endpoint",
};
constexpr std::string_view kIgnoredValues[] = {
    "--compilation-config",
    "--optimization-level",
    "--performance-mode",
    "--attention-backend",
    "--attention-config",
    "--kernel-config",
    "--moe-backend",
    "--all2all-backend",
    "--distributed-executor-backend",
    "--worker-cls",
    "--tokenizer-mode",
    "--renderer-num-workers",
    "--api-server-count",
    "--limit-mm-per-prompt",
    "--eplb-config",
    "--hf-overrides",
    "--safetensors-load-strategy",
    "--swap-space",
    "--num-scheduler-steps",
    "--gpu-memory-utilization",
    "--block-size",
    "--seed",
    "--max-logprobs",
    "--logprobs-mode",
    "--tool-call-parser",
    "--generation-config",
    "--uvicorn-log-level",
    "--max-log-len",
    "--chat-template-content-format",
    "--stream-interval",
    "--long-prefill-token-threshold",
    "--max-num-partial-prefills",
    "--max-long-partial-prefills",
};

struct Refusal {
    std::string_view name;
    OptionType type;
    std::string_view reason;
};
constexpr std::string_view kNotBuilt = "this version does not support it";
constexpr Refusal kRefused[] = {
    {"--api-key", OptionType::texts, "this version does not check keys; put a proxy that does in front"},
    {"--api-key-file", OptionType::text, "this version does not check keys; put a proxy that does in front"},
    {"--ssl-keyfile", OptionType::text, "this version speaks plain HTTP; put a proxy with TLS in front"},
    {"--ssl-certfile", OptionType::text, "this version speaks plain HTTP; put a proxy with TLS in front"},
    {"--uds", OptionType::text, kNotBuilt},
    {"--config", OptionType::text, kNotBuilt},
    {"--tokenizer", OptionType::text, "the checkpoint's own tokenizer is always used"},
    {"--hf-config-path", OptionType::text, "the checkpoint's own config.json is always used"},
    {"--speculative-config", OptionType::text, kNotBuilt},
    {"--quantization", OptionType::text, "the format is read from the checkpoint; leave this option out"},
    {"--load-format", OptionType::text, "checkpoints are safetensors; leave this option out"},
    {"--scheduling-policy", OptionType::text, "requests are served in the order of their arrival"},
    {"--override-generation-config", OptionType::text, kNotBuilt},
    {"--structured-outputs-config", OptionType::text, kNotBuilt},
    {"--cpu-offload-gb", OptionType::text, kNotBuilt},
    {"--kv-offloading-backend", OptionType::text, kNotBuilt},
    {"--kv-offloading-size", OptionType::text, kNotBuilt},
    {"--enable-lora", OptionType::flag, "adapters are not supported"},
    {"--runner", OptionType::text, "this server generates text only"},
    {"--task", OptionType::text, "this server generates text only"},
    {"--kv-transfer-config", OptionType::text, kNotBuilt},
    {"--middleware", OptionType::text, "there is no Python at run time"},
    {"--tool-parser-plugin", OptionType::text, "there is no Python at run time"},
    {"--enable-sleep-mode", OptionType::flag, kNotBuilt},
};

}  // namespace

const std::vector<Option>& option_table() {
    static const std::vector<Option> table = [] {
        std::vector<Option> options = used_options();
        for (const std::string_view name : kIgnoredFlags)
            options.push_back({.name = name, .type = OptionType::flag, .treatment = Treatment::ignored});
        for (const std::string_view name : kIgnoredValues)
            options.push_back({.name = name, .type = OptionType::text, .treatment = Treatment::ignored});
        for (const Refusal& refusal : kRefused)
            options.push_back(
                {.name = refusal.name, .type = refusal.type, .help = refusal.reason, .treatment = Treatment::refused});
        return options;
    }();
    return table;
}

const std::vector<CommandInfo>& command_table() {
    static const std::vector<CommandInfo> table = {
        {kServe, "serve", "[MODEL]", "answer requests over the OpenAI API"},
        {kGenerate, "generate", "MODEL PROMPT", "continue one prompt and print the text"},
        {kInspect, "inspect", "MODEL", "show what a checkpoint holds and check it"},
    };
    return table;
}

}  // namespace glm5::cli
