// The bf16 product for many tokens on Hopper: 128 tokens × 128 outputs a CTA. Two warpgroups have 64 tokens each; a
// third gathers the rows of the tokens, which lie plain, and streams the weights.
#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/gather.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/wgmma.cuh"
#include "backend/cuda/gemm/gemm.h"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kConsumers = 256;
constexpr int kThreads = kConsumers + 128;
constexpr int kOutputs = 128;
constexpr int kOperandBytes = 2 * kTileBytes;
constexpr int kStages = 5;
constexpr int kStageBytes = 2 * kOperandBytes;
constexpr int kLag = 3;  // gathered tiles under way before the oldest is announced
constexpr int kSharedBytes = 1024 + kStages * kStageBytes + 2 * kStages * 8;

__device__ void store_pair(const GemmLayer& layer, int64_t at, float x, float y) {
    x *= layer.out_scale;
    y *= layer.out_scale;
    if (layer.out_f32)
        *reinterpret_cast<float2*>(static_cast<float*>(layer.out) + at) = make_float2(x, y);
    else
        *reinterpret_cast<__nv_bfloat162*>(static_cast<bf16*>(layer.out) + at) = __floats2bfloat162_rn(x, y);
}

// grid: (blocks of outputs of each matrix, blocks of tokens)
__global__ void __launch_bounds__(kThreads, 1)
    many_rows_bf16_kernel(const __grid_constant__ GemmLayer layer, int num_tokens) {
#ifdef GLM5_SM90
    extern __shared__ uint8_t shared_memory[];
    const uint32_t base = static_cast<uint32_t>(round_up(shared_address(shared_memory), 1024));
    const uint32_t full = base + kStages * kStageBytes, empty = full + kStages * 8;
    const int blocks = static_cast<int>(ceil_div(layer.out_features, kOutputs));
    const int matrix = blockIdx.x / blocks, block = blockIdx.x % blocks;
    const int first_token = blockIdx.y * 128;
    const bool two_row_tiles = block * 2 + 1 < layer.row_tiles;

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < kStages; ++stage) {
            barrier_init(full + stage * 8, 128 + 1);  // each gathering thread, and the weights' bytes
            barrier_init(empty + stage * 8, kConsumers / 32);
        }
        barrier_init_fence();
    }
    __syncthreads();
    let_next_start();
    wait_for_previous();

    if (threadIdx.x >= kConsumers) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        const int row = threadIdx.x - kConsumers;
        const bool exists = first_token + row < num_tokens;
        const int64_t token = exists ? first_token + row : 0;
        const int64_t x_row = layer.x_rows ? layer.x_rows[token] : token;
        const auto* x = reinterpret_cast<const uint8_t*>(static_cast<const bf16*>(layer.x) +
                                                         matrix * layer.x_batch_stride + x_row * layer.x_row_stride);
        const uint8_t* weights =
            layer.weight + (int64_t{matrix} * layer.row_tiles + block * 2) * layer.k_tiles * kTileBytes;
        const int64_t next_rows = int64_t{layer.k_tiles} * kTileBytes;
        for (int tile = 0; tile < layer.k_tiles + kLag; ++tile) {
            if (tile < layer.k_tiles) {
                const int stage = tile % kStages;
                const uint32_t at = base + stage * kStageBytes, barrier = full + stage * 8;
                if (tile >= kStages) barrier_wait(empty + stage * 8, (tile / kStages & 1) ^ 1);
                if (row == 0) {
                    barrier_expect(barrier, (1 + two_row_tiles) * kTileBytes);
                    const uint8_t* from = weights + int64_t{tile} * kTileBytes;
                    copy_bulk(at + kOperandBytes, from, kTileBytes, barrier);
                    if (two_row_tiles)
                        copy_bulk(at + kOperandBytes + kTileBytes, from + next_rows, kTileBytes, barrier);
                }
                copy_row(at, row, x + int64_t{tile} * kTileRowBytes, kPlainRow, exists);
            } else {
                copy_async_commit();  // an empty group, so that counting goes on
            }
            if (tile >= kLag) {
                copy_async_wait<kLag>();
                async_proxy_fence();
                barrier_arrive(full + (tile - kLag) % kStages * 8);
            }
        }
        return;
    }

    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    const int group = threadIdx.x / 128, thread = threadIdx.x % 128;
    float sum[kOutputs / 2];
#pragma unroll
    for (float& value : sum) value = 0;
    for (int tile = 0; tile < layer.k_tiles; ++tile) {
        const int stage = tile % kStages;
        const uint32_t at = base + stage * kStageBytes;
        barrier_wait(full + stage * 8, tile / kStages & 1);
        wgmma_fence();
        multiply_tile<kOutputs, Operand::bf16>(sum, at + group * kTileBytes, at + kOperandBytes, tile > 0);
        wgmma_commit();
        wgmma_wait<0>();
        keep_registers(sum);
        if (thread % 32 == 0) barrier_arrive(empty + stage * 8);
    }

    const int first_row = group * kTileRows + thread / 32 * 16 + thread % 32 / 4;
    const int first_output = block * kOutputs + thread % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int64_t token = first_token + first_row + half * 8;
        if (token >= num_tokens) continue;
        const int64_t row = matrix * layer.out_batch_stride + token * layer.out_row_stride;
#pragma unroll
        for (int j = 0; j < kOutputs / 8; ++j) {
            const int output = first_output + j * 8;
            if (output >= layer.out_features) break;
            store_pair(layer, row + output, sum[4 * j + half * 2], sum[4 * j + half * 2 + 1]);
        }
    }
#endif
}

}  // namespace

// Outputs and strides of outputs are even.
void gemm_sm90_many_rows_bf16(const Launch& launch, const GemmLayer& layer, int num_tokens) {
    const int64_t blocks = ceil_div(layer.out_features, kOutputs) * layer.batch;
    launch_kernel(launch, "gemm_sm90_many_rows_bf16", many_rows_bf16_kernel,
                  {.grid = dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(ceil_div(num_tokens, 128))),
                   .block = dim3(kThreads),
                   .shared_bytes = kSharedBytes},
                  layer, num_tokens);
}

}  // namespace glm5::cuda
