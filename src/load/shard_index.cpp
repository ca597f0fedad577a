// Parses the index: {"metadata": {…}, "weight_map": {tensor: file, …}}.
#include "load/shard_index.h"

#include <algorithm>

#include "json/parse.h"
#include "load/text.h"

namespace glm5::load {
namespace {

constexpr size_t kMaxFiles = 10'000;

bool is_plain_shard_name(std::string_view name) {
    return name.ends_with(".safetensors") && !name.starts_with(".") &&
           name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

}  // namespace

Result<ShardIndex> parse_shard_index(std::string_view text) {
    auto parsed = json::parse(text, {.max_depth = 16, .reject_duplicate_keys = true});
    if (!parsed.ok()) return parsed.status();
    const json::Value* map = parsed->find("weight_map");
    if (!map || !map->is_object()) return invalid_argument("weight_map: expected an object of tensor and file names");

    ShardIndex index;
    for (const auto& [name, file] : map->as_object()) {
        if (!file.is_string())
            return invalid_argument("weight_map: tensor {}: expected a file name, found a JSON {}", in_quotes(name),
                                    file.type_name());
        if (!is_plain_shard_name(file.as_string()))
            return invalid_argument(
                "weight_map: tensor {}: {} is not the name of a .safetensors file in this directory", in_quotes(name),
                in_quotes(file.as_string()));
        index.files.push_back(file.as_string());
    }
    std::ranges::sort(index.files);
    index.files.erase(std::unique(index.files.begin(), index.files.end()), index.files.end());
    if (index.files.empty()) return invalid_argument("weight_map: lists no tensors");
    if (index.files.size() > kMaxFiles)
        return invalid_argument("weight_map: {} files; at most {} are read", index.files.size(), kMaxFiles);
    for (const auto& [name, file] : map->as_object())
        index.file_of.emplace(name, std::ranges::lower_bound(index.files, file.as_string()) - index.files.begin());
    return index;
}

}  // namespace glm5::load
