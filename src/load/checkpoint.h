// Checkpoint: a model directory: its Config, its files and its tensors, checked against what the Config expects.
//
//   GLM5_ASSIGN_OR_RETURN(auto checkpoint, load::Checkpoint::open(directory));
//   GLM5_RETURN_IF_ERROR(checkpoint->verify());
//   … load::read_matrix(*checkpoint, "model.layers.0.self_attn.q_a_proj", out, in) …
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "config/inventory.h"
#include "load/safetensors.h"
#include "load/tensor_source.h"

namespace glm5::load {

class Checkpoint final : public TensorSource {
public:
    // Reads config.json, generation_config.json, hf_quant_config.json, the index, and the header of every shard: those
    // of the index and any other *.safetensors. Listed shards that are absent are no error here (see verify), so that a
    // config and an index alone can be inspected.
    static Result<std::unique_ptr<Checkpoint>> open(const std::filesystem::path& directory);

    const std::filesystem::path& directory() const { return directory_; }
    const config::Config& config() const { return config_; }
    // config().has_mtp(), and the tensors of the MTP layer are there. Without, the model runs without speculation.
    bool has_mtp() const { return has_mtp_; }
    // Shards that the index lists and the directory lacks.
    const std::vector<std::string>& missing_shards() const { return missing_shards_; }
    // Files with tensors, the path of TensorInfo::shard.
    const std::vector<SafetensorsFile>& shards() const { return shards_; }
    // How the linear layer or tensor of this name is stored.
    config::StoredForm stored_form(const config::Parameter& parameter) const;

    // Every expected tensor is there with an accepted element type and its shape. Missing tensors and shards are errors,
    // unknown tensors and unused indexers one warning each.
    Status verify();
    // The same for a directory whose shards are not there: names by the index, types and shapes where they are known.
    Status verify_listing();

    // What open and verify found odd; each was logged, too.
    const std::vector<std::string>& warnings() const { return warnings_; }

    const TensorInfo* find(std::string_view name) const override;
    std::span<const TensorInfo> tensors() const override { return tensors_; }
    Status read(const TensorInfo& tensor, uint64_t offset_bytes, std::span<std::byte> out) const override;

private:
    Checkpoint() = default;

    std::filesystem::path directory_;
    config::Config config_;
    bool has_mtp_ = false;
    std::vector<SafetensorsFile> shards_;
    std::vector<std::string> missing_shards_;
    std::vector<std::string> warnings_;
    std::vector<TensorInfo> tensors_;
    std::unordered_map<std::string_view, const TensorInfo*> by_name_;
};

}  // namespace glm5::load
