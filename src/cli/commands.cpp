// CommandLine → the options struct of a subcommand.
#include "cli/commands.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <limits>

namespace glm5::cli {

LogOptions log_options(const Values& values, std::string_view default_level) {
    const std::string level = values.has("--log-level") ? values.text("--log-level") : std::string(default_level);
    LogOptions options;
    options.level = level == "debug"     ? LogLevel::debug
                    : level == "warning" ? LogLevel::warning
                    : level == "error"   ? LogLevel::error
                                         : LogLevel::info;
    options.format = values.text("--log-format") == "json" ? LogFormat::json : LogFormat::text;
    return options;
}

namespace {

ModelOptions model_options(const Values& values, std::string model) {
    if (values.has("--revision") && model.find('@') == std::string::npos)
        model.append("@").append(values.text("--revision"));
    // vLLM has several names for NVFP4, which modelopt writes.
    std::string quantization = values.text_or_empty("--quantization");
    if (quantization.starts_with("modelopt")) quantization = "nvfp4";
    return {std::move(model), values.text_or_empty("--download-dir"), values.text_or_empty("--chat-template"),
            std::move(quantization)};
}

Result<int> int_number(const Values& values, std::string_view name) {
    const int64_t number = values.number(name);
    if (number > std::numeric_limits<int>::max()) return invalid_argument("{} {}: too large", name, values.text(name));
    return static_cast<int>(number);
}

// fp8 and fp8_e4m3 are other names of the one FP8 format.
std::string kv_cache_dtype(const Values& values) {
    const std::string& name = values.text("--kv-cache-dtype");
    return name.starts_with("fp8") ? "fp8_ds_mla" : name;
}

Result<RunOptions> run_options(const Values& values) {
    RunOptions options;
    GLM5_ASSIGN_OR_RETURN(options.max_model_len, int_number(values, "--max-model-len"));
    GLM5_ASSIGN_OR_RETURN(options.max_num_batched_tokens, int_number(values, "--max-num-batched-tokens"));
    if (values.has("--max-num-seqs")) options.max_num_seqs = static_cast<int>(values.number("--max-num-seqs"));
    if (values.has("--max-queue-size")) options.max_queue_size = static_cast<int>(values.number("--max-queue-size"));
    options.enable_prefix_caching = values.flag("--enable-prefix-caching");
    options.kv_cache_memory_bytes = values.number("--kv-cache-memory-bytes");
    options.gpu_memory_utilization = values.real("--gpu-memory-utilization");
    options.device = values.text("--device");
    options.threads = static_cast<int>(values.number("--threads"));
    options.dtype = values.text("--dtype");
    options.kv_cache_dtype = kv_cache_dtype(values);
    options.enforce_eager = values.flag("--enforce-eager");
    options.dump_activations = values.text_or_empty("--dump-activations");
    return options;
}

SamplingOptions sampling_options(const Values& values) {
    SamplingOptions options;
    if (values.has("--temperature")) options.temperature = values.real("--temperature");
    if (values.has("--top-p")) options.top_p = values.real("--top-p");
    options.top_k = std::max(0, static_cast<int>(values.number("--top-k")));
    options.min_p = values.real("--min-p");
    options.seed = static_cast<uint64_t>(values.number("--seed"));
    return options;
}

// The keys of --api-key and of the lines of --api-key-file.
Result<std::vector<std::string>> api_keys(const Values& values) {
    constexpr size_t kMaxLine = 4096, kMaxKeys = 10'000;
    std::vector<std::string> keys;
    if (values.has("--api-key")) keys = values.texts("--api-key");
    if (!values.has("--api-key-file")) return keys;
    const std::string& path = values.text("--api-key-file");
    std::ifstream file(path);
    if (!file) return not_found("--api-key-file {}: cannot be opened", path);
    const size_t before = keys.size();
    std::string line(kMaxLine, '\0');
    while (file.getline(line.data(), static_cast<std::streamsize>(line.size()))) {
        std::string key(line.data());
        while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
        if (!key.empty() && keys.size() < kMaxKeys) keys.push_back(std::move(key));
    }
    if (file.bad() || !file.eof())
        return invalid_argument("--api-key-file {}: cannot be read, or a line is longer than {} bytes", path, kMaxLine);
    // A file without a key must not open the server to everybody.
    if (keys.size() == before) return invalid_argument("--api-key-file {}: there is no key in it", path);
    return keys;
}

// The members of --override-generation-config.
Status read_override(const json::Object& object, ServeOptions& options) {
    constexpr std::string_view kName = "--override-generation-config";
    for (const auto& [key, value] : object) {
        const auto number = value.to_double();
        if (key == "temperature") {
            if (!number || *number < 0) return invalid_argument("{}: temperature must be a number from 0 on", kName);
            options.default_temperature = number;
        } else if (key == "top_p") {
            if (!number || *number <= 0 || *number > 1)
                return invalid_argument("{}: top_p must be a number above 0, at most 1", kName);
            options.default_top_p = number;
        } else {
            return invalid_argument("{}: {} is not one of temperature, top_p", kName, key);
        }
    }
    return {};
}

// Whether --speculative-config asks for the MTP layer, the only method there is.
Result<bool> asks_for_mtp(const json::Object& config) {
    for (const auto& [key, value] : config)
        if (key == "method" && value != json::Value("mtp"))
            return invalid_argument("--speculative-config: method must be mtp");
    return !config.empty();
}

Status expect_arguments(const CommandLine& line, size_t least, size_t most, std::string_view usage) {
    if (line.arguments.size() < least) return invalid_argument("usage: glm5 {}", usage);
    if (line.arguments.size() > most)
        return invalid_argument("unexpected argument '{}'; usage: glm5 {}", line.arguments[most], usage);
    return {};
}

}  // namespace

Result<ServeOptions> serve_options(const CommandLine& line) {
    const Values& values = line.values;
    GLM5_RETURN_IF_ERROR(expect_arguments(line, 0, 1, "serve [MODEL] [OPTIONS]"));
    if (!line.arguments.empty() && values.has("--model") && values.text("--model") != line.arguments[0])
        return invalid_argument("--model {}: the model is given twice, as '{}' too", values.text("--model"),
                                line.arguments[0]);
    ServeOptions options;
    options.log = log_options(values);
    options.model = model_options(values, line.arguments.empty() ? values.text_or_empty("--model") : line.arguments[0]);
    GLM5_ASSIGN_OR_RETURN(options.run, run_options(values));
    if (values.has("--served-model-name")) options.served_model_names = values.texts("--served-model-name");
    options.default_chat_template_kwargs = values.object("--default-chat-template-kwargs");
    options.reasoning_field = values.text("--reasoning-field");
    options.use_generation_config = values.text("--generation-config") == "auto";
    GLM5_RETURN_IF_ERROR(read_override(values.object("--override-generation-config"), options));
    GLM5_ASSIGN_OR_RETURN(options.api_keys, api_keys(values));
    options.host = values.text("--host");
    options.port = static_cast<uint16_t>(values.number("--port"));
    options.shutdown_timeout_s = static_cast<int>(values.number("--shutdown-timeout"));
    options.max_connections = static_cast<int>(values.number("--max-connections"));
    options.metrics_require_key = values.flag("--metrics-require-key");
    options.priority_scheduling = values.text("--scheduling-policy") == "priority";
    options.access_log = !values.flag("--disable-access-log");
    options.log_stats = !values.flag("--disable-log-stats");
    return options;
}

Result<ChatOptions> chat_options(const CommandLine& line) {
    const Values& values = line.values;
    GLM5_RETURN_IF_ERROR(expect_arguments(line, 0, 1, "chat [MODEL] [OPTIONS]"));
    ChatOptions options;
    options.log = log_options(values, "warning");  // not between the answers
    options.model = model_options(values, line.arguments.empty() ? std::string() : line.arguments[0]);
    GLM5_ASSIGN_OR_RETURN(options.run, run_options(values));
    options.sampling = sampling_options(values);
    options.system = values.text_or_empty("--system");
    options.thinking = values.flag("--thinking");
    options.stats = values.flag("--stats");
    GLM5_ASSIGN_OR_RETURN(options.max_tokens, int_number(values, "--max-tokens"));
    return options;
}

Result<GenerateOptions> generate_options(const CommandLine& line) {
    const Values& values = line.values;
    GLM5_RETURN_IF_ERROR(expect_arguments(line, 2, 2, "generate MODEL \"prompt\" [OPTIONS]"));
    GenerateOptions options;
    options.log = log_options(values);
    options.model = model_options(values, line.arguments[0]);
    GLM5_ASSIGN_OR_RETURN(options.run, run_options(values));
    options.sampling = sampling_options(values);
    options.num_choices = static_cast<int>(values.number("--num-choices"));
    options.ignore_eos = values.flag("--ignore-eos");
    options.prompt = line.arguments[1];
    options.chat = values.flag("--chat");
    options.thinking = values.flag("--thinking");
    options.stats = values.flag("--stats");
    GLM5_ASSIGN_OR_RETURN(options.max_tokens, int_number(values, "--max-tokens"));
    return options;
}

Result<InspectOptions> inspect_options(const CommandLine& line) {
    GLM5_RETURN_IF_ERROR(expect_arguments(line, 1, 1, "inspect MODEL [OPTIONS]"));
    InspectOptions options;
    options.log = log_options(line.values);
    options.model = model_options(line.values, line.arguments[0]);
    options.tensors = line.values.flag("--tensors");
    return options;
}

Result<PlanOptions> plan_options(const CommandLine& line) {
    const Values& values = line.values;
    GLM5_RETURN_IF_ERROR(expect_arguments(line, 1, 1, "plan MODEL|config.json [OPTIONS]"));
    PlanOptions options;
    options.log = log_options(values, "warning");
    options.model = model_options(values, line.arguments[0]);
    options.gpu = values.text_or_empty("--gpu");
    options.gpu_memory_bytes = parse_count(options.gpu).value_or(0);
    options.gpu_memory_utilization = values.real("--gpu-memory-utilization");
    options.tensor_parallel_size = static_cast<int>(values.number("--tensor-parallel-size"));
    options.data_parallel_size = static_cast<int>(values.number("--data-parallel-size"));
    options.expert_parallel = values.flag("--enable-expert-parallel");
    GLM5_ASSIGN_OR_RETURN(options.mtp, asks_for_mtp(values.object("--speculative-config")));
    options.kv_cache_dtype = kv_cache_dtype(values);
    options.kv_cache_memory_bytes = values.number("--kv-cache-memory-bytes");
    GLM5_ASSIGN_OR_RETURN(options.max_model_len, int_number(values, "--max-model-len"));
    options.max_num_batched_tokens = static_cast<int>(values.number("--max-num-batched-tokens"));
    options.max_num_seqs = static_cast<int>(values.number("--max-num-seqs"));
    options.buffers = values.flag("--buffers");
    options.json = values.flag("--json");
    return options;
}

}  // namespace glm5::cli
