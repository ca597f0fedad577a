// Products of tiles (tiles.h) by mma.sync, on every architecture. e4m3 values are converted to f16, which holds them
// exactly.
#pragma once

#include <cuda_fp8.h>

#include <cstdint>

#include "backend/cuda/device/mma.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {

// Four e4m3 values → the first two and the last two as f16.
__device__ inline void expand_e4m3(uint32_t codes, uint32_t& low, uint32_t& high) {
    const __half2_raw first = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(codes), __NV_E4M3);
    const __half2_raw second = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(codes >> 16), __NV_E4M3);
    low = first.x | static_cast<uint32_t>(first.y) << 16;
    high = second.x | static_cast<uint32_t>(second.y) << 16;
}

__device__ inline uint32_t tile_word(const uint8_t* tile, int row, int chunk, int index) {
    return *reinterpret_cast<const uint32_t*>(tile + tile_offset(row, chunk) + index * 4);
}

// sum[block] += weight rows · token rows of one pair of tiles: warp w has rows 16 w … of the weights and all 8 · blocks
// tokens. With g = lane / 4 and q = lane % 4, sum[block] is of rows (g, g, g + 8, g + 8) and tokens 8 · block + (2 q,
// 2 q + 1, 2 q, 2 q + 1). A step of k is 16 values: one 16-byte chunk of e4m3, or two of bf16; in e4m3 the order of k
// within the chunk is that of the words, for both operands alike.
template <bool e4m3, int blocks>
__device__ void multiply_tiles(float (&sum)[blocks][4], const uint8_t* weight, const uint8_t* tokens) {
    const int group = threadIdx.x % 32 / 4, quad = threadIdx.x % 4, row = threadIdx.x / 32 * 16 + group;
    constexpr int kSteps = e4m3 ? 8 : 4;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
        uint32_t a[4];
        if constexpr (e4m3) {
            expand_e4m3(tile_word(weight, row, step, quad), a[0], a[2]);
            expand_e4m3(tile_word(weight, row + 8, step, quad), a[1], a[3]);
        } else {
            a[0] = tile_word(weight, row, step * 2, quad);
            a[1] = tile_word(weight, row + 8, step * 2, quad);
            a[2] = tile_word(weight, row, step * 2 + 1, quad);
            a[3] = tile_word(weight, row + 8, step * 2 + 1, quad);
        }
#pragma unroll
        for (int block = 0; block < blocks; ++block) {
            uint32_t b0, b1;
            if constexpr (e4m3) {
                expand_e4m3(tile_word(tokens, block * 8 + group, step, quad), b0, b1);
                mma_f16(sum[block], a[0], a[1], a[2], a[3], b0, b1);
            } else {
                b0 = tile_word(tokens, block * 8 + group, step * 2, quad);
                b1 = tile_word(tokens, block * 8 + group, step * 2 + 1, quad);
                mma_bf16(sum[block], a[0], a[1], a[2], a[3], b0, b1);
            }
        }
    }
}

}  // namespace glm5::cuda
