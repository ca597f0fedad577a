// query_finish without its product (ops/mla.h): the rotated part of queries, and index queries with their weights.
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

struct RotateParams {
    bf16* query = nullptr;           // [rows, num_heads, kQueryDim]: the last kRopeDim of each head are written
    uint8_t* index_query = nullptr;  // [rows, kIndexHeads, kIndexDim] e4m3
    float* index_weights = nullptr;  // in/out [rows, kIndexHeads]
    const bf16* q = nullptr;         // [rows, num_heads, kNopeDim + kRopeDim]
    const bf16* index_q = nullptr;   // [rows, kIndexHeads, kIndexDim]; null: no index queries
    const float* cos_sin = nullptr;  // [rows, kRopeDim / 2, 2]
    int64_t rows = 0;
    int64_t num_heads = 0;
};
void rotate_queries(const Launch& launch, const RotateParams& params);

}  // namespace glm5::cuda
