#include "load/dummy_source.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>

#include "config/inventory.h"

namespace glm5::load {
namespace {

constexpr size_t kValues = 1 << 18;
constexpr float kWeightDeviation = 0.02f;
constexpr float kCodeDeviation = 64.0f;  // well inside e4m3's range; the scales undo it

template <typename Stored, typename Convert>
std::vector<std::byte> normal_values(uint32_t seed, float mean, float deviation, const Convert& convert) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(mean, deviation);
    std::vector<std::byte> bytes(kValues * sizeof(Stored));
    for (size_t i = 0; i < kValues; ++i) {
        const Stored value = convert(normal(generator));
        std::memcpy(bytes.data() + i * sizeof(Stored), &value, sizeof(Stored));
    }
    return bytes;
}

}  // namespace

DummySource::DummySource(const config::Config& config)
    : codes_(normal_values<uint8_t>(1, 0, kCodeDeviation, f32_to_e4m3)),
      weights_(normal_values<uint16_t>(2, 0, kWeightDeviation, f32_to_bf16)),
      embeddings_(normal_values<uint16_t>(3, 0, 1, f32_to_bf16)),
      norms_(normal_values<uint16_t>(4, 1, 0.1f, f32_to_bf16)),
      biases_(normal_values<float>(5, 0, 0.01f, [](float value) { return value; })),
      scales_(normal_values<float>(6, kWeightDeviation / kCodeDeviation, 0.1f * kWeightDeviation / kCodeDeviation,
                                   [](float value) { return value; })) {
    for (const config::Parameter& parameter : config::parameters(config))
        for (const config::ExpectedTensor& tensor :
             config::expected_tensors(parameter, config::published_form(parameter, config.quantization))) {
            by_name_.emplace(tensor.name, tensors_.size());
            tensors_.push_back({.name = tensor.name,
                                .dtype = tensor.published,
                                .shape = tensor.shape,
                                .num_bytes = static_cast<uint64_t>(tensor.bytes())});
        }
}

const TensorInfo* DummySource::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const std::vector<std::byte>& DummySource::values_of(const TensorInfo& tensor) const {
    if (tensor.dtype == DType::f8_e4m3) return codes_;
    if (tensor.dtype == DType::f32) return tensor.shape.size() == 2 ? scales_ : biases_;
    if (tensor.name.find("embed_tokens") != std::string::npos) return embeddings_;
    const bool is_bias = tensor.name.ends_with(".bias");
    return tensor.shape.size() == 2 || is_bias ? weights_ : norms_;
}

// A tensor begins somewhere in the values of its kind, which its name decides, and goes round.
Status DummySource::read(const TensorInfo& tensor, uint64_t offset_bytes, std::span<std::byte> out) const {
    const std::vector<std::byte>& values = values_of(tensor);
    const size_t element = dtype_bytes(tensor.dtype);
    size_t at = (std::hash<std::string>{}(tensor.name) % kValues * element + offset_bytes) % values.size();
    while (!out.empty()) {
        const size_t count = std::min(out.size(), values.size() - at);
        std::memcpy(out.data(), values.data() + at, count);
        out = out.subspan(count);
        at = 0;
    }
    return {};
}

}  // namespace glm5::load
