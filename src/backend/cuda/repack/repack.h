// repack: a row-major matrix in device memory → tiles (tiles.h). Rows and columns that fill the last tiles are zero.
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

enum class RepackSource { fp8, bfloat16, float32 };  // float32 is rounded to bfloat16

struct RepackParams {
    uint8_t* out = nullptr;    // [ceil(rows / 64), k_tiles] tiles
    const void* in = nullptr;  // [rows, columns]
    int64_t rows = 0;
    int64_t columns = 0;
    int64_t k_tiles = 0;  // of 128 e4m3 or 64 bf16 values
    RepackSource source = RepackSource::fp8;
};

void repack(const Launch& launch, const RepackParams& params);

}  // namespace glm5::cuda
