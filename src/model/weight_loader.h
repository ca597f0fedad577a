// WeightLoader: single tensors of a checkpoint → the backend's memory, with progress. Knows stored forms, not layers.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "load/tensor_source.h"
#include "load/weights.h"
#include "model/weights.h"
#include "ops/backend.h"

namespace glm5::model {

class WeightLoader {
public:
    // All arguments outlive the loader. `total_bytes` is what the progress counts to.
    WeightLoader(const load::TensorSource& source, ops::Backend& backend, const LoadProgress& progress,
                 int64_t total_bytes);

    // Names of linear layers are without ".weight".
    Result<ops::Linear> linear(const std::string& name, int64_t out_features, int64_t in_features);
    // "prefix.J.name" for J < count, as one batch.
    Result<ops::Linear> experts(const std::string& prefix, const std::string& name, int64_t count, int64_t out_features,
                                int64_t in_features);
    // The whole matrix in float32, exact.
    Result<std::vector<float>> dequantised(const std::string& name, int64_t out_features, int64_t in_features);
    // Values computed on the host, [count, out_features, in_features]: f32 when activations are, else rounded to bf16.
    ops::Linear make_unquantised(std::span<const float> values, int64_t count, int64_t out_features,
                                 int64_t in_features);
    // A lookup table, as stored.
    Result<ops::Tensor> table(const std::string& name, int64_t rows, int64_t columns);
    // A norm's weight or a bias as f32; `name` is whole.
    Result<ops::Tensor> vector(const std::string& name, int64_t size);

private:
    Result<load::HostMatrix> read(const std::string& name, int64_t out_features, int64_t in_features);
    void add_progress(int64_t bytes);

    const load::TensorSource& source_;
    ops::Backend& backend_;
    const LoadProgress& progress_;
    const int64_t total_bytes_;
    int64_t loaded_bytes_ = 0;
};

// Bytes of the tensors that hold parameter `name` ("….weight", "….bias"): the tensor's and its block scales'.
int64_t stored_bytes(const load::TensorSource& source, const std::string& name);

}  // namespace glm5::model
