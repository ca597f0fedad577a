#include "plan_source.h"

#include <filesystem>
#include <optional>

#include "base/log.h"
#include "json/parse.h"
#include "load/file.h"
#include "open_model.h"

namespace glm5 {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 16 << 20;

bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

Result<json::Value> read_json(const fs::path& path) {
    GLM5_ASSIGN_OR_RETURN(const std::string text, load::read_text(path, kMaxConfigBytes));
    auto value = json::parse(text, {.reject_duplicate_keys = true});
    return value.ok() ? std::move(value) : value.status().with_context(path.string());
}

// "config.json: …" with the path that was given.
std::string renamed(std::string_view message, const fs::path& path) {
    constexpr std::string_view kName = "config.json";
    return message.starts_with(kName) ? path.string().append(message.substr(kName.size())) : std::string(message);
}

Result<PlanSource> read_config_file(const fs::path& path) {
    GLM5_ASSIGN_OR_RETURN(const json::Value config, read_json(path));
    std::optional<json::Value> quantization;
    if (const fs::path beside = path.parent_path() / "hf_quant_config.json"; is_file(beside)) {
        GLM5_ASSIGN_OR_RETURN(quantization, read_json(beside));
    }
    std::vector<std::string> warnings;
    auto parsed = config::Config::parse(config, nullptr, quantization ? &*quantization : nullptr, warnings);
    if (!parsed.ok()) return Status(parsed.status().code(), renamed(parsed.status().message(), path));
    for (const std::string& warning : warnings) log_warning("{}", warning);
    return PlanSource{path.string(), *std::move(parsed), nullptr};
}

bool has_weights(const fs::path& directory) {
    return is_file(directory / "model.safetensors.index.json") || is_file(directory / "model.safetensors");
}

}  // namespace

plan::StoredFormOf PlanSource::stored_form() const {
    if (!checkpoint || checkpoint->tensors().empty()) return {};
    return [held = checkpoint](const config::Parameter& parameter) { return held->stored_form(parameter); };
}

Result<PlanSource> read_plan_source(const cli::ModelOptions& options) {
    if (is_file(options.model)) return read_config_file(options.model);
    GLM5_ASSIGN_OR_RETURN(const load::ResolvedModel model, find_model(options));
    if (!has_weights(model.directory)) return read_config_file(model.directory / "config.json");
    GLM5_ASSIGN_OR_RETURN(std::shared_ptr<const load::Checkpoint> checkpoint, load::Checkpoint::open(model.directory));
    config::Config config = checkpoint->config();
    return PlanSource{model.name, std::move(config), std::move(checkpoint)};
}

}  // namespace glm5
