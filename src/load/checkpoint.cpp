// Checkpoint: opening a directory, finding and reading tensors.
#include "load/checkpoint.h"

#include <algorithm>

#include "base/log.h"
#include "json/parse.h"
#include "load/safetensors.h"
#include "load/text.h"

namespace glm5::load {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 16 << 20;
constexpr uint64_t kMaxIndexBytes = 64 << 20;
constexpr std::string_view kIndexName = "model.safetensors.index.json";
constexpr std::string_view kSingleName = "model.safetensors";

bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

// The JSON of a file; a null value when the file is optional and not there.
Result<json::Value> read_json(const fs::path& path, bool optional) {
    if (optional && !is_file(path)) return json::Value();
    GLM5_ASSIGN_OR_RETURN(const std::string text, read_text(path, kMaxConfigBytes));
    auto value = json::parse(text, {.reject_duplicate_keys = true});
    if (!value.ok()) return value.status().with_context(path.string());
    return value;
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> Checkpoint::open(const fs::path& directory) {
    std::unique_ptr<Checkpoint> checkpoint(new Checkpoint);
    checkpoint->directory_ = directory;
    GLM5_RETURN_IF_ERROR(checkpoint->read_config());

    ShardIndex index;
    const fs::path index_path = directory / kIndexName;
    if (is_file(index_path)) {
        GLM5_ASSIGN_OR_RETURN(const std::string text, read_text(index_path, kMaxIndexBytes));
        auto parsed = parse_shard_index(text);
        if (!parsed.ok()) return parsed.status().with_context(index_path.string());
        index = *std::move(parsed);
    } else if (!is_file(directory / kSingleName)) {
        return not_found("{}: neither {} nor {}", directory.string(), kSingleName, kIndexName);
    }
    GLM5_RETURN_IF_ERROR(checkpoint->open_listed_shards(index));
    GLM5_RETURN_IF_ERROR(checkpoint->open_unlisted_shards(index));

    const std::string mtp_prefix = fmt::format("model.layers.{}.", checkpoint->config_.num_layers);
    const auto is_mtp = [&](std::string_view name) { return name.starts_with(mtp_prefix); };
    checkpoint->has_mtp_ =
        checkpoint->config_.has_mtp() && (std::ranges::any_of(checkpoint->tensors_, is_mtp, &TensorInfo::name) ||
                                          std::ranges::any_of(checkpoint->listed_only_, is_mtp));
    if (checkpoint->config_.has_mtp() && !checkpoint->has_mtp_)
        checkpoint->warn(
            fmt::format("the checkpoint has no tensors of the MTP layer ({}*): no speculative decoding", mtp_prefix));
    return checkpoint;
}

Status Checkpoint::read_config() {
    std::error_code ignored;
    if (!fs::is_directory(directory_, ignored)) return not_found("{}: no such directory", directory_.string());
    GLM5_ASSIGN_OR_RETURN(const json::Value config, read_json(directory_ / "config.json", false));
    GLM5_ASSIGN_OR_RETURN(const json::Value generation, read_json(directory_ / "generation_config.json", true));
    GLM5_ASSIGN_OR_RETURN(const json::Value quantization, read_json(directory_ / "hf_quant_config.json", true));
    std::vector<std::string> lines;
    auto parsed = config::Config::parse(config, generation.is_null() ? nullptr : &generation,
                                        quantization.is_null() ? nullptr : &quantization, lines);
    for (std::string& line : lines) warn(std::move(line));
    // The messages start with the file's name.
    if (!parsed.ok()) return {parsed.status().code(), (directory_ / parsed.status().message()).string()};
    config_ = *std::move(parsed);
    return {};
}

Result<std::vector<TensorInfo>> Checkpoint::open_shard(const std::string& name) {
    GLM5_ASSIGN_OR_RETURN(File file, File::open(directory_ / name));
    GLM5_ASSIGN_OR_RETURN(auto tensors, read_safetensors_header(file));
    for (TensorInfo& tensor : tensors) tensor.shard = static_cast<int>(shards_.size());
    shards_.push_back(std::move(file));
    return tensors;
}

// A tensor counts where the index says that it is. Copies elsewhere are ignored.
Status Checkpoint::open_listed_shards(const ShardIndex& index) {
    std::vector<bool> is_missing(index.files.size());
    size_t found = 0;
    for (size_t file = 0; file < index.files.size(); ++file) {
        is_missing[file] = !is_file(directory_ / index.files[file]);
        if (is_missing[file]) {
            missing_shards_.push_back(index.files[file]);
            continue;
        }
        GLM5_ASSIGN_OR_RETURN(auto tensors, open_shard(index.files[file]));
        for (TensorInfo& tensor : tensors) {
            const auto listed = index.file_of.find(tensor.name);
            if (listed == index.file_of.end() || listed->second != file) continue;
            tensors_.push_back(std::move(tensor));
            ++found;
        }
    }
    size_t present = 0;
    for (const auto& [name, file] : index.file_of) {
        if (is_missing[file])
            listed_only_.insert(name);
        else
            ++present;
    }
    if (found == present) return {};
    std::unordered_set<std::string_view> names;
    for (const TensorInfo& tensor : tensors_) names.insert(tensor.name);
    for (const auto& [name, file] : index.file_of)
        if (!is_missing[file] && !names.contains(name))
            return invalid_argument("{}: tensor {} is not in it, but {} says so",
                                    (directory_ / index.files[file]).string(), in_quotes(name), kIndexName);
    return {};
}

// model.safetensors when there is no index, and shards that an index does not list: some repositories keep the MTP
// layer apart. Their tensors count when no listed shard has them.
Status Checkpoint::open_unlisted_shards(const ShardIndex& index) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!name.ends_with(".safetensors") || name.starts_with("._") || !is_file(entry->path())) continue;
        if (!std::ranges::binary_search(index.files, name)) names.push_back(name);
    }
    if (error) return io_error("{}: {}", directory_.string(), error.message());
    std::ranges::sort(names);

    std::unordered_set<std::string> taken(listed_only_);
    for (const TensorInfo& tensor : tensors_) taken.insert(tensor.name);
    for (const std::string& name : names) {
        GLM5_ASSIGN_OR_RETURN(auto tensors, open_shard(name));
        size_t repeated = 0;
        for (TensorInfo& tensor : tensors) {
            if (taken.insert(tensor.name).second)
                tensors_.push_back(std::move(tensor));
            else
                ++repeated;
        }
        if (repeated != 0)
            warn(fmt::format("{}: {} tensors are also in another file and are not read from here", in_quotes(name),
                             repeated));
    }
    for (const TensorInfo& tensor : tensors_) by_name_.emplace(tensor.name, &tensor);
    return {};
}

config::StoredForm Checkpoint::stored_form(const config::Parameter& parameter) const {
    if (!parameter.quantisable) return config::StoredForm::plain;
    if (contains(parameter.name + "_scale_inv")) return config::StoredForm::fp8;
    if (contains(parameter.name + "_scale_2")) return config::StoredForm::nvfp4;
    return config::StoredForm::plain;
}

bool Checkpoint::contains(std::string_view name) const {
    return find(name) || listed_only_.contains(std::string(name));
}

const TensorInfo* Checkpoint::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

Status Checkpoint::read(const TensorInfo& tensor, uint64_t offset_bytes, std::span<std::byte> out) const {
    GLM5_CHECK(offset_bytes <= tensor.num_bytes && out.size() <= tensor.num_bytes - offset_bytes, "{}", tensor.name);
    return shards_.at(tensor.shard)
        .read(tensor.file_offset + offset_bytes, out)
        .with_context(fmt::format("tensor {}", in_quotes(tensor.name)));
}

void Checkpoint::warn(std::string line) {
    log_warning("{}", line);
    warnings_.push_back(std::move(line));
}

}  // namespace glm5::load
