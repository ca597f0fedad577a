// Checkpoint::verify: the tensors that are there against the inventory of the Config.
#include <algorithm>

#include "load/checkpoint.h"
#include "load/resolve.h"
#include "load/text.h"

namespace glm5::load {
namespace {

std::string dtype_names(std::span<const DType> dtypes) {
    std::string text;
    for (size_t i = 0; i < dtypes.size(); ++i)
        text += std::string(i == 0 ? "" : i + 1 == dtypes.size() ? " or " : ", ") + std::string(dtype_name(dtypes[i]));
    return text;
}

// "; get them with: …" when the directory is a snapshot in the Hugging Face cache.
std::string how_to_get(const std::filesystem::path& directory) {
    const std::string repository = cached_repository(directory);
    return repository.empty() ? "" : "; get them with: hf download " + repository;
}

}  // namespace

Status Checkpoint::verify() {
    if (!missing_shards_.empty())
        return not_found("{}: {} shards are missing ({} are there): {}{}", directory_.string(), missing_shards_.size(),
                         shards_.size(), first_names(missing_shards_), how_to_get(directory_));
    return verify_listing();
}

Status Checkpoint::verify_listing() {
    std::vector<std::string> missing;
    std::unordered_set<std::string> used;
    for (const config::Parameter& parameter : config::parameters(config_)) {
        if (parameter.mtp && !has_mtp_) continue;
        GLM5_RETURN_IF_ERROR(check_parameter(parameter, missing, used).with_context(directory_.string()));
    }
    if (!missing.empty())
        return not_found("{}: {} tensors are missing: {}", directory_.string(), missing.size(), first_names(missing));
    warn_of_unused(used);
    return {};
}

Status Checkpoint::check_parameter(const config::Parameter& parameter, std::vector<std::string>& missing,
                                   std::unordered_set<std::string>& used) const {
    for (const config::ExpectedTensor& expected : config::expected_tensors(parameter, stored_form(parameter))) {
        used.insert(expected.name);
        const TensorInfo* tensor = find(expected.name);
        if (!tensor) {
            if (!contains(expected.name)) missing.push_back(expected.name);
            continue;
        }
        if (std::ranges::find(expected.accepted, tensor->dtype) == expected.accepted.end())
            return invalid_argument("tensor {}: expected {}, found {}", in_quotes(expected.name),
                                    dtype_names(expected.accepted), dtype_name(tensor->dtype));
        if (tensor->shape != expected.shape)
            return invalid_argument("tensor {}: expected shape {}, found {}", in_quotes(expected.name),
                                    shape_text(expected.shape), shape_text(tensor->shape));
    }
    return {};
}

void Checkpoint::warn_of_unused(const std::unordered_set<std::string>& used) {
    // Some requantised checkpoints repeat the embedding and the head in the MTP layer, which shares those of the model.
    const std::string mtp = fmt::format("model.layers.{}.", config_.num_layers);
    const auto is_known_copy = [&](const std::string& name) {
        return name == mtp + "embed_tokens.weight" || name == mtp + "shared_head.head.weight";
    };
    std::unordered_set<std::string> shared_indexers;
    for (int i = 0; i < config_.num_layers; ++i)
        if (config_.layers[i].indexer == config::IndexerKind::shared)
            shared_indexers.insert(fmt::format("model.layers.{}.self_attn.indexer", i));
    const auto is_shared_indexer = [&](const std::string& name) {
        const size_t at = name.find(".indexer.");
        return at != name.npos && shared_indexers.contains(name.substr(0, at + std::string_view(".indexer").size()));
    };

    std::vector<std::string> unknown, indexers;
    const auto classify = [&](const std::string& name) {
        if (used.contains(name) || is_known_copy(name)) return;
        (is_shared_indexer(name) ? indexers : unknown).push_back(name);
    };
    for (const TensorInfo& tensor : tensors_) classify(tensor.name);
    std::vector<std::string> listed(listed_only_.begin(), listed_only_.end());
    std::ranges::sort(listed);
    for (const std::string& name : listed) classify(name);
    if (!unknown.empty())
        warn(fmt::format("{} unknown tensors are not loaded: {}", unknown.size(), first_names(unknown)));
    if (!indexers.empty())
        warn(fmt::format("{} indexer tensors of layers that share an indexer by config.json are not loaded: {}",
                         indexers.size(), first_names(indexers)));
}

}  // namespace glm5::load
