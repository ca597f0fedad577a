// TensorSource: named tensors in files, read by byte ranges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/status.h"

namespace glm5::load {

struct TensorInfo {
    std::string name;
    DType dtype = DType::bf16;
    std::vector<int64_t> shape;  // [] is a scalar
    uint64_t num_bytes = 0;      // = elements · dtype_bytes(dtype)
    uint64_t file_offset = 0;    // of the first byte, in its file
    int shard = 0;               // which file
};

// Safe to use from several threads.
class TensorSource {
public:
    virtual ~TensorSource() = default;

    // nullptr when there is none of this name. The pointer lives as long as the source.
    virtual const TensorInfo* find(std::string_view name) const = 0;

    // In the order of the files, then of the bytes.
    virtual std::span<const TensorInfo> tensors() const = 0;

    // Fills `out` with the tensor's bytes from `offset_bytes` on. A disk that fails is an io_error that names the
    // tensor.
    virtual Status read(const TensorInfo& tensor, uint64_t offset_bytes, std::span<std::byte> out) const = 0;
};

}  // namespace glm5::load
