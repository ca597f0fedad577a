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
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "config/inventory.h"
#include "load/file.h"
#include "load/shard_index.h"
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
    // Files with tensors; TensorInfo::shard counts them.
    const std::vector<File>& shards() const { return shards_; }
    // Names of shards that the index lists and the directory lacks.
    const std::vector<std::string>& missing_shards() const { return missing_shards_; }
    // How the parameter is stored, by the tensors that are there.
    config::StoredForm stored_form(const config::Parameter& parameter) const;

    // Every expected tensor is there with an accepted element type and its shape. Missing tensors and shards are
    // errors, unknown tensors and unused indexers one warning each.
    Status verify();
    // The same when shards are not there: names by the index, types and shapes where they are known.
    Status verify_listing();

    // What open and verify found odd, one line each; all were logged.
    const std::vector<std::string>& warnings() const { return warnings_; }

    const TensorInfo* find(std::string_view name) const override;
    std::span<const TensorInfo> tensors() const override { return tensors_; }
    Status read(const TensorInfo& tensor, uint64_t offset_bytes, std::span<std::byte> out) const override;

private:
    Checkpoint() = default;

    Status read_config();
    Status open_listed_shards(const ShardIndex& index);
    Status open_unlisted_shards(const ShardIndex& index);
    // Opens a file and reads its header; its tensors get the next shard number.
    Result<std::vector<TensorInfo>> open_shard(const std::string& name);
    // Whether the files or the index have a tensor of this name.
    bool contains(std::string_view name) const;
    Status check_parameter(const config::Parameter& parameter, std::vector<std::string>& missing,
                           std::unordered_set<std::string>& used) const;
    void warn_of_unused(const std::unordered_set<std::string>& used);
    void warn(std::string line);

    std::filesystem::path directory_;
    config::Config config_;
    bool has_mtp_ = false;
    std::vector<File> shards_;
    std::vector<TensorInfo> tensors_;
    std::unordered_map<std::string_view, const TensorInfo*> by_name_;  // into tensors_
    std::vector<std::string> missing_shards_;
    std::unordered_set<std::string> listed_only_;  // tensors of missing shards
    std::vector<std::string> warnings_;
};

}  // namespace glm5::load
