// The product on every architecture: weights in the rows of mma.sync, tokens in its columns. Of e4m3 values, 128 are
// summed, then scaled and added.
#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/tile_product.cuh"
#include "backend/cuda/gemm/work.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kTokens = 64;    // of a CTA
constexpr int kThreads = 128;  // each warp has 16 rows of weights and all tokens
constexpr int kBlocks = kTokens / 8;

struct Tiles {
    uint8_t weight[kTileBytes];
    uint8_t tokens[kTileBytes];
};

__global__ void __launch_bounds__(kThreads) gemm_kernel(const __grid_constant__ GemmParams params) {
    __shared__ __align__(128) Tiles buffers[2];
    const Work work = find_work(params, blockIdx.x);
    const GemmLayer& layer = params.layers[work.layer];
    const int matrix = work.matrix, row_tile = work.row_tile;
    const int first_token = blockIdx.y * kTokens;

    const auto load = [&](int k_tile) {
        Tiles& to = buffers[k_tile % 2];
        const uint8_t* weight =
            layer.weight + ((int64_t{matrix} * layer.row_tiles + row_tile) * layer.k_tiles + k_tile) * kTileBytes;
        for (int i = threadIdx.x; i < kTileBytes / 16; i += kThreads)
            copy_async_16(shared_address(to.weight + i * 16), weight + i * 16);
        for (int i = threadIdx.x; i < kTileBytes / 16; i += kThreads) {
            const int row = i / 8, chunk = i % 8;
            if (layer.e4m3) {
                const auto* source =
                    static_cast<const uint8_t*>(layer.x) + (int64_t{blockIdx.y} * layer.k_tiles + k_tile) * kTileBytes;
                copy_async_16(shared_address(to.tokens + i * 16), source + i * 16);
            } else if (first_token + row < params.num_tokens) {
                const int64_t x_row = layer.x_rows ? layer.x_rows[first_token + row] : first_token + row;
                const bf16* source = static_cast<const bf16*>(layer.x) + matrix * layer.x_batch_stride +
                                     x_row * layer.x_row_stride + k_tile * 64 + chunk * 8;
                copy_async_16(shared_address(to.tokens + tile_offset(row, chunk)), source);
            } else {
                *reinterpret_cast<uint4*>(to.tokens + tile_offset(row, chunk)) = make_uint4(0, 0, 0, 0);
            }
        }
        copy_async_commit();
    };

    const int lane = threadIdx.x % 4;
    float sum[kBlocks][4] = {};
    let_next_start();
    wait_for_previous();
    load(0);
    for (int k_tile = 0; k_tile < layer.k_tiles; ++k_tile) {
        if (k_tile + 1 < layer.k_tiles) {
            load(k_tile + 1);
            copy_async_wait<1>();
        } else {
            copy_async_wait<0>();
        }
        __syncthreads();
        const Tiles& tiles = buffers[k_tile % 2];
        if (layer.e4m3) {
            float part[kBlocks][4] = {};
            multiply_tiles<true>(part, tiles.weight, tiles.tokens);
            const float weight_scale =
                layer.weight_scales[(matrix * ceil_div(layer.out_features, 128) + row_tile / 2) * layer.k_tiles +
                                    k_tile];
            for (int block = 0; block < kBlocks; ++block)
                for (int i = 0; i < 4; ++i) {
                    const int token = first_token + block * 8 + lane * 2 + i % 2;
                    sum[block][i] +=
                        weight_scale * layer.x_scales[scale_index(token, k_tile, layer.k_tiles)] * part[block][i];
                }
        } else {
            multiply_tiles<false>(sum, tiles.weight, tiles.tokens);
        }
        __syncthreads();
    }

    const int row = row_tile * kTileRows + threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
    for (int block = 0; block < kBlocks; ++block)
        for (int i = 0; i < 4; ++i) {
            const int token = first_token + block * 8 + lane * 2 + i % 2, out_row = row + i / 2 * 8;
            if (token >= params.num_tokens || out_row >= layer.out_features) continue;
            const int64_t at = matrix * layer.out_batch_stride + token * layer.out_row_stride + out_row;
            const float value = sum[block][i] * layer.out_scale;
            if (layer.out_f32)
                static_cast<float*>(layer.out)[at] = value;
            else
                static_cast<bf16*>(layer.out)[at] = __float2bfloat16_rn(value);
        }
}

}  // namespace

void gemm_smxx(const Launch& launch, const GemmParams& params) {
    const auto token_blocks = static_cast<unsigned>(ceil_div(params.num_tokens, kTokens));
    launch_kernel(launch, "gemm_smxx", gemm_kernel,
                  {.grid = dim3(total_tiles(params), token_blocks), .block = dim3(kThreads)}, params);
}

}  // namespace glm5::cuda
