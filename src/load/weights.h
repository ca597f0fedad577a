// Weights in host memory: matrices in their stored form, vectors as float32.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "load/tensor_source.h"
#include "ops/weights.h"

namespace glm5::load {

// Rows or columns [begin, end) of a matrix; all of them by default.
struct Range {
    int64_t begin = 0;
    int64_t end = -1;  // -1: to the last
};

// A matrix [out_features, in_features], row major.
struct HostMatrix {
    int64_t out_features = 0;
    int64_t in_features = 0;
    ops::WeightFormat format = ops::WeightFormat::bf16;
    std::unique_ptr<std::byte[]> weight;
    std::vector<float> scales;  // [ceil(out / 128), ceil(in / 128)], fp8_block128 only

    int64_t weight_bytes() const;
    ops::HostMatrixView view() const { return {out_features, in_features, format, weight.get(), scales.data()}; }
};

// The weight of linear layer `name` (without ".weight"; also "lm_head", "model.embed_tokens"), whose shape is
// [out_features, in_features], or the given rows and columns of it. BF16 and F32 come as stored, F16 as f32, FP8 with
// its block scales: an FP8 range begins at a multiple of 128. NVFP4 answers unsupported.
Result<HostMatrix> read_matrix(const TensorSource& source, std::string_view name, int64_t out_features,
                               int64_t in_features, Range rows = {}, Range columns = {});

// A tensor of any float type as float32: norms, biases. `name` is the tensor's whole name.
Result<std::vector<float>> read_f32(const TensorSource& source, std::string_view name, std::span<const int64_t> shape);

// The matrix in float32, exact: for FP8, value(r, k) = e4m3(r, k) · scale[r / 128][k / 128].
std::vector<float> dequantise(const HostMatrix& matrix);

}  // namespace glm5::load
