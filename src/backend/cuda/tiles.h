// The layout of every operand of a matrix product: tiles of 64 rows × 128 bytes, stored one after the other as a tensor
// core reads them from shared memory. So a tile travels with one bulk copy, and weights and activations share one path.
//
// A tile holds 128 e4m3 values or 64 bf16 values of 64 rows. Within it, the 16-byte chunk c of row r lies at
// r · 128 + (c ^ (r mod 8)) · 16: the 128-byte swizzle of TMA and wgmma (PTX ISA, "Shared memory matrix layout").
// Tiles of 64 rows follow each other along the row of the matrix (k), then down its rows.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define GLM5_HOST_DEVICE __host__ __device__ constexpr
#else
#define GLM5_HOST_DEVICE constexpr
#endif

namespace glm5::cuda {

inline constexpr int kTileRows = 64;
inline constexpr int kTileRowBytes = 128;
inline constexpr int kTileBytes = kTileRows * kTileRowBytes;

// Within a tile: the byte of 16-byte chunk `chunk` (0 … 7) of row `row` (0 … 63).
GLM5_HOST_DEVICE int tile_offset(int row, int chunk) {
    return row * kTileRowBytes + ((chunk ^ (row & 7)) << 4);
}

// In a matrix of `k_tiles` tiles a row: the byte of byte `k_byte` of row `row`.
GLM5_HOST_DEVICE int64_t tiled_offset(int64_t row, int64_t k_byte, int64_t k_tiles) {
    const int64_t tile = (row / kTileRows) * k_tiles + k_byte / kTileRowBytes;
    const int in_row = static_cast<int>(k_byte % kTileRowBytes);
    return tile * kTileBytes + tile_offset(static_cast<int>(row % kTileRows), in_row / 16) + in_row % 16;
}

// The scales of a quantised activation: one f32 per row and tile column, 64 rows of a tile side by side.
GLM5_HOST_DEVICE int64_t scale_index(int64_t row, int64_t k_tile, int64_t k_tiles) {
    return ((row / kTileRows) * k_tiles + k_tile) * kTileRows + row % kTileRows;
}

}  // namespace glm5::cuda
