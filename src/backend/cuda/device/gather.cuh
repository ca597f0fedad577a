// Rows from anywhere into an operand of 128 rows × 128 bytes (two tiles), one thread a row.
#pragma once

#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {

inline constexpr int kPlainRow = -1;

// The 128 bytes of operand row `row`, as one group of asynchronous copies: from `source`, the first byte of a row that
// lies plain (kPlainRow), or of row `source_row` of a tile. Zero when the row does not exist.
__device__ inline void copy_row(uint32_t operand, int row, const uint8_t* source, int source_row, bool exists) {
    const uint32_t tile = operand + row / kTileRows * kTileBytes;
#pragma unroll
    for (int chunk = 0; chunk < 8; ++chunk) {
        const int at = source_row == kPlainRow ? chunk : chunk ^ (source_row & 7);
        copy_async_16_or_zero(tile + tile_offset(row % kTileRows, chunk), source + at * 16, exists);
    }
    copy_async_commit();
}

}  // namespace glm5::cuda
