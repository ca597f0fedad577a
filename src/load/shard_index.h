// model.safetensors.index.json: which tensor is in which file.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"

namespace glm5::load {

struct ShardIndex {
    std::vector<std::string> files;                   // sorted; plain names of this directory
    std::unordered_map<std::string, size_t> file_of;  // tensor → index into files
};

// Errors name the tensor. A file name that could lead out of the directory is refused.
Result<ShardIndex> parse_shard_index(std::string_view text);

}  // namespace glm5::load
