// The safetensors format: a file's header, fully checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "load/file.h"
#include "load/tensor_source.h"

namespace glm5::load {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// The tensors that `header` (the JSON text) describes, by offset, in a file of `file_bytes`: names are unique, element
// types known, each shape × element size equal to its byte range, and the ranges cover the data exactly: no overlap, no
// gap, no byte beyond. file_offset is set, shard is 0. An error names the tensor.
Result<std::vector<TensorInfo>> parse_safetensors_header(std::string_view header, uint64_t file_bytes);

// The header of an open file, checked so. Errors start with the file's path.
Result<std::vector<TensorInfo>> read_safetensors_header(const File& file);

}  // namespace glm5::load
