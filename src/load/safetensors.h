// The safetensors format: a file's header, fully checked, and reads from an open file.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "load/tensor_source.h"

namespace glm5::load {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// The tensors that `header` (the JSON text) describes, by offset, in a file of `file_bytes`: names are unique, element
// types known, each shape × element size equal to its byte range, and the ranges cover the data exactly: no overlap, no
// gap, no byte beyond. file_offset is set, shard is 0. An error names the tensor.
Result<std::vector<TensorInfo>> parse_safetensors_header(std::string_view header, uint64_t file_bytes);

// An open file. pread, no mmap: a disk that goes away is an error, not a signal.
class SafetensorsFile {
public:
    // Reads and checks the header. Errors start with the file's name.
    static Result<SafetensorsFile> open(const std::filesystem::path& path);

    ~SafetensorsFile();
    SafetensorsFile(SafetensorsFile&& other) noexcept;
    SafetensorsFile& operator=(SafetensorsFile&& other) noexcept;

    const std::filesystem::path& path() const { return path_; }
    const std::vector<TensorInfo>& tensors() const { return tensors_; }

    // Fills `out` with the file's bytes from `offset` on.
    Status read(uint64_t offset, std::span<std::byte> out) const;

private:
    SafetensorsFile() = default;

    std::filesystem::path path_;
    int descriptor_ = -1;
    std::vector<TensorInfo> tensors_;
};

}  // namespace glm5::load
