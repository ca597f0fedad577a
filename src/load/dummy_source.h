// DummySource: the tensors that a checkpoint of a Config would have, with random values instead of files. For measuring
// at real sizes (--load-format dummy); what such a model says means nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "load/tensor_source.h"

namespace glm5::load {

// Linear layers have weights of standard deviation 0.02, in FP8 where `config` is quantised so, the embedding 1, norms
// are near 1 and biases near 0. The same config gives the same values.
class DummySource final : public TensorSource {
public:
    explicit DummySource(const config::Config& config);

    const TensorInfo* find(std::string_view name) const override;
    std::span<const TensorInfo> tensors() const override { return tensors_; }
    Status read(const TensorInfo& tensor, uint64_t offset_bytes, std::span<std::byte> out) const override;

private:
    // Values of one kind: long enough that what repeats lies far apart, short enough to stay in a cache.
    std::vector<std::byte> codes_, weights_, embeddings_, norms_, biases_, scales_;
    const std::vector<std::byte>& values_of(const TensorInfo& tensor) const;

    std::vector<TensorInfo> tensors_;
    std::map<std::string, size_t, std::less<>> by_name_;  // index in tensors_
};

}  // namespace glm5::load
