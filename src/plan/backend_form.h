// BackendForm: how a backend holds weights and step buffers, as far as it decides their bytes. tests/plan compares the
// CPU's with what its backend allocates.
#pragma once

#include <cstdint>
#include <optional>

#include "base/dtype.h"

namespace glm5::plan {

struct BackendForm {
    DType activation = DType::bf16;
    bool fp8_inputs = false;           // beside each input of a linear layer stand its codes and their scales
    bool index_query_codes = false;    // the indexer's query is kept beside its codes
    std::optional<DType> dequantised;  // kv_b_proj and indexer.wk, whatever their stored form; none: as stored
    std::optional<DType> vectors;      // norms and biases; none: as stored
    int64_t row_multiple = 1;          // the outputs of a matrix are filled up to it,
    int64_t row_bytes_multiple = 1;    // and the bytes of its rows
    int64_t scale_rows = 128;          // outputs that share an FP8 scale in memory

    // As the tensors of the checkpoint.
    static BackendForm stored() { return {}; }
    // Panels of 64 outputs. `bf16`: --dtype bfloat16, which rounds values that are kept in float32.
    static BackendForm cpu(bool bf16) {
        return {.activation = DType::f32,
                .fp8_inputs = false,
                .dequantised = bf16 ? DType::bf16 : DType::f32,
                .vectors = DType::f32,
                .row_multiple = 64,
                .scale_rows = 64};
    }
    // Tiles of 64 outputs by 128 bytes.
    static BackendForm gpu() {
        return {.activation = DType::bf16,
                .fp8_inputs = true,
                .index_query_codes = true,
                .dequantised = DType::bf16,
                .vectors = DType::f32,
                .row_multiple = 64,
                .row_bytes_multiple = 128};
    }
};

}  // namespace glm5::plan
