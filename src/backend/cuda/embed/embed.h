// embed: rows of the embedding table. rope_table: cosines and sines of positions.
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

// Ids outside the table, which no step has, read its first row.
struct EmbedParams {
    bf16* out = nullptr;          // [rows, width]
    const void* table = nullptr;  // [vocab_size, width] bf16, or f32
    bool table_is_f32 = false;
    const int32_t* ids = nullptr;  // [rows]
    int64_t rows = 0;
    int64_t width = 0;  // a multiple of 8
    int64_t vocab_size = 0;
};
void embed(const Launch& launch, const EmbedParams& params);

struct RopeTableParams {
    float* cos_sin = nullptr;                  // [rows, pairs, 2]
    const float* inverse_frequency = nullptr;  // [pairs]
    const int32_t* positions = nullptr;        // [rows]
    int64_t rows = 0;
    int64_t pairs = 0;
};
void rope_table(const Launch& launch, const RopeTableParams& params);

}  // namespace glm5::cuda
