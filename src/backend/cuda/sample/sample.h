// sample (ops/sample.h) for rows of logits. Every parameter is device memory, so that one launch serves whatever the rows
// ask for.
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

struct SampleParams {
    int32_t* tokens = nullptr;      // [rows]
    const float* logits = nullptr;  // row r at logits + r · stride
    int64_t stride = 0;
    int64_t rows = 0;
    int num_ids = 0;  // ids of a row that may be chosen; their eighth must fit the shared memory of a CTA

    // [rows]
    const float* temperature = nullptr;
    const float* top_p = nullptr;
    const float* min_p = nullptr;
    const int32_t* top_k = nullptr;
    const float* repetition_penalty = nullptr;
    const float* presence_penalty = nullptr;
    const float* frequency_penalty = nullptr;
    const int64_t* seed = nullptr;
    const int32_t* position = nullptr;

    // Of row r: entries start[r] … start[r + 1] - 1.
    const int32_t* edit_start = nullptr;
    const int32_t* edit_ids = nullptr;
    const float* edit_values = nullptr;
    const int32_t* history_start = nullptr;
    const int32_t* history_ids = nullptr;
    const int32_t* history_counts = nullptr;
};

void sample(const Launch& launch, const SampleParams& params);

}  // namespace glm5::cuda
