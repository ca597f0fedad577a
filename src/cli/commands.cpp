// CommandLine → the options struct of a subcommand.
#include "cli/commands.h"

#include <limits>

namespace glm5::cli {
namespace {

LogOptions log_options(const Values& values) {
    const std::string& level = values.text("--log-level");
    LogOptions options;
    options.level = level == "debug"     ? LogLevel::debug
                    : level == "warning" ? LogLevel::warning
                    : level == "error"   ? LogLevel::error
                                         : LogLevel::info;
    options.format = values.text("--log-format") == "json" ? LogFormat::json : LogFormat::text;
    return options;
}

ModelOptions model_options(const Values& values, std::string model) {
    if (values.has("--revision") && model.find('@') == std::string::npos)
        model.append("@").append(values.text("--revision"));
    return {std::move(model), values.text_or_empty("--download-dir"), values.text_or_empty("--chat-template")};
}

Result<int> int_number(const Values& values, std::string_view name) {
    const int64_t number = values.number(name);
    if (number > std::numeric_limits<int>::max()) return invalid_argument("{} {}: too large", name, values.text(name));
    return static_cast<int>(number);
}

Result<RunOptions> run_options(const Values& values) {
    RunOptions options;
    GLM5_ASSIGN_OR_RETURN(options.max_model_len, int_number(values, "--max-model-len"));
    GLM5_ASSIGN_OR_RETURN(options.max_num_batched_tokens, int_number(values, "--max-num-batched-tokens"));
    if (values.has("--max-num-seqs")) options.max_num_seqs = static_cast<int>(values.number("--max-num-seqs"));
    options.kv_cache_memory_bytes = values.number("--kv-cache-memory-bytes");
    options.device = values.text("--device");
    options.threads = static_cast<int>(values.number("--threads"));
    options.dtype = values.text("--dtype");
    options.kv_cache_dtype = values.text("--kv-cache-dtype");
    options.dump_activations = values.text_or_empty("--dump-activations");
    return options;
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
    options.host = values.text("--host");
    options.port = static_cast<uint16_t>(values.number("--port"));
    options.shutdown_timeout_s = static_cast<int>(values.number("--shutdown-timeout"));
    options.max_connections = static_cast<int>(values.number("--max-connections"));
    options.access_log = !values.flag("--disable-access-log");
    return options;
}

Result<GenerateOptions> generate_options(const CommandLine& line) {
    const Values& values = line.values;
    GLM5_RETURN_IF_ERROR(expect_arguments(line, 2, 2, "generate MODEL \"prompt\" [OPTIONS]"));
    GenerateOptions options;
    options.log = log_options(values);
    options.model = model_options(values, line.arguments[0]);
    GLM5_ASSIGN_OR_RETURN(options.run, run_options(values));
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

}  // namespace glm5::cli
