// Rows of what `vllm serve` has and this server ignores, so that a pasted command works, or refuses, because the answer
// would not be what was asked for.
#include "cli/option_rows.h"

namespace glm5::cli {
namespace {

struct Row {
    std::string_view name;
    OptionType type = OptionType::text;
    std::string_view text = "";     // what is said of it
    std::string_view neutral = "";  // values of which nothing is said
    std::string_view alias = "";
};

constexpr OptionType kFlag = OptionType::flag, kText = OptionType::text, kTexts = OptionType::texts,
                     kObject = OptionType::object, kInteger = OptionType::integer;

constexpr std::string_view kNotBuilt = "this version does not support it";
constexpr std::string_view kNoTls = "this version speaks plain HTTP; put a proxy with TLS in front";
constexpr std::string_view kTextOnly = "this server generates text only";
constexpr std::string_view kNoPython = "there is no Python at run time";
constexpr std::string_view kOneRank = "this version runs on one device";
constexpr std::string_view kChunks = "the scheduler sizes prefill chunks itself";

constexpr Row kIgnored[] = {
    {"--trust-remote-code", kFlag},
    {"--disable-custom-all-reduce", kFlag},
    {"--async-scheduling", kFlag},
    {"--skip-tokenizer-init", kFlag},
    {"--language-model-only", kFlag},
    {"--enable-flashinfer-autotune", kFlag},
    {"--enable-dbo", kFlag},
    {"--enable-eplb", kFlag},
    {"--numa-bind", kFlag},
    {"--disable-log-requests", kFlag},
    {"--enable-log-requests", kFlag, "requests are not logged", "false"},
    {"--enable-log-outputs", kFlag, "answers are not logged", "false"},
    {"--enable-auto-tool-choice", kFlag},
    {"--enable-prompt-tokens-details", kFlag, "cached tokens are always reported", "true"},
    {"--enable-request-id-headers", kFlag, "X-Request-Id is always sent", "true"},
    {"--enable-server-load-tracking", kFlag, "load is always in the metrics", "true"},
    {"--enable-tokenizer-info-endpoint", kFlag},
    {"--compilation-config", kObject, "", "", "-cc"},
    {"--optimization-level", kText, "", "", "-O"},
    {"--performance-mode"},
    {"--attention-backend"},
    {"--attention-config", kObject},
    {"--kernel-config", kObject},
    {"--moe-backend"},
    {"--all2all-backend"},
    {"--distributed-executor-backend"},
    {"--worker-cls"},
    {"--tokenizer-mode", kText, "", "auto hf"},
    {"--renderer-num-workers"},
    {"--api-server-count", kText, "", "1"},
    {"--limit-mm-per-prompt", kObject},
    {"--eplb-config", kObject},
    {"--hf-overrides", kObject},
    {"--safetensors-load-strategy"},
    {"--swap-space"},
    {"--num-scheduler-steps", kText, "", "1"},
    {"--block-size", kInteger, "pages hold 64 tokens; another value has no effect", "64"},
    {"--seed", kText, "a request without a seed draws its own"},
    {"--max-logprobs"},
    {"--logprobs-mode"},
    {"--tool-call-parser"},
    {"--uvicorn-log-level"},
    {"--max-log-len"},
    {"--disable-access-log-for-endpoints"},
    {"--chat-template-content-format", kText, "", "auto string"},
    {"--stream-interval", kText, "every token is sent as it comes", "1"},
    {"--long-prefill-token-threshold", kText, kChunks, "0"},
    {"--max-num-partial-prefills", kText, kChunks, "1"},
    {"--max-long-partial-prefills", kText, kChunks, "1"},
    {"--node-rank", kText, "", "0"},
    {"--master-addr"},
    {"--master-port"},
    {"--metrics-prefix", kText, "names begin with vllm:", "vllm"},
};

constexpr Row kRefused[] = {
    {"--enable-expert-parallel", kFlag, kOneRank, "false", "-ep"},
    {"--enable-chunked-prefill", kFlag, "prompts are always computed in chunks; leave this option out", "true"},
    {"--ssl-keyfile", kText, kNoTls},
    {"--ssl-certfile", kText, kNoTls},
    {"--ssl-ca-certs", kText, kNoTls},
    {"--ssl-cert-reqs", kText, kNoTls, "0"},
    {"--ssl-ciphers", kText, kNoTls},
    {"--enable-ssl-refresh", kFlag, kNoTls, "false"},
    {"--uds", kText, kNotBuilt},
    {"--root-path", kText, kNotBuilt},
    {"--allowed-origins", kText, "this version sends no CORS headers"},
    {"--allowed-methods", kText, "this version sends no CORS headers"},
    {"--allowed-headers", kText, "this version sends no CORS headers"},
    {"--allow-credentials", kFlag, "this version sends no CORS headers", "false"},
    {"--tokenizer", kText, "the checkpoint's own tokenizer is always used"},
    {"--hf-config-path", kText, "the checkpoint's own config.json is always used"},
    {"--speculative-config", kObject, kNotBuilt},
    {"--load-format", kText, "checkpoints are safetensors; leave this option out", "auto safetensors"},
    {"--queue-timeout", kText, kNotBuilt},
    {"--structured-outputs-config", kObject, kNotBuilt},
    {"--trust-request-chat-template", kFlag, kNotBuilt, "false"},
    {"--exclude-tools-when-tool-choice-none", kFlag, kNotBuilt, "false"},
    {"--enable-force-include-usage", kFlag, kNotBuilt, "false"},
    {"--cpu-offload-gb", kText, kNotBuilt, "0"},
    {"--kv-offloading-backend", kText, kNotBuilt},
    {"--kv-offloading-size", kText, kNotBuilt, "0"},
    {"--enable-lora", kFlag, "adapters are not supported", "false"},
    {"--runner", kText, kTextOnly, "auto generate"},
    {"--task", kText, kTextOnly, "auto generate"},
    {"--kv-transfer-config", kObject, kNotBuilt},
    {"--middleware", kTexts, kNoPython},
    {"--tool-parser-plugin", kText, kNoPython},
    {"--enable-sleep-mode", kFlag, kNotBuilt, "false"},
};

Option option_of(const Row& row, Treatment treatment) {
    Option option{.name = row.name,
                  .type = row.type,
                  .help = row.text,
                  .alias = row.alias,
                  .treatment = treatment,
                  .neutral = row.neutral};
    if (row.type == OptionType::integer) option.minimum = 1;
    return option;
}

}  // namespace

void add_vllm_options(std::vector<Option>& table) {
    // Both peers refuse glm47 here, which names a parser of tool calls; it splits reasoning in the same way.
    table.push_back({.name = "--reasoning-parser",
                     .type = OptionType::choice,
                     .help = "glm47 names a parser of tool calls; reasoning is split as by glm45",
                     .choices = {"glm45", "glm47"},
                     .treatment = Treatment::ignored,
                     .neutral = "glm45"});
    for (const Row& row : kIgnored) table.push_back(option_of(row, Treatment::ignored));
    for (const Row& row : kRefused) table.push_back(option_of(row, Treatment::refused));
}

bool is_ignored_family(std::string_view name) {
    return name.starts_with("--mm-") || name.starts_with("--h11-") || (name.starts_with("-O") && name.size() == 3);
}

}  // namespace glm5::cli
