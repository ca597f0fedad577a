// The e4m3 product for many tokens on Hopper: 128 tokens × 128 outputs a CTA, two warpgroups of 64 tokens each, so that
// one scales its sums while the other multiplies. A producer warp streams tiles of both operands through a ring.
#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/wgmma.cuh"
#include "backend/cuda/gemm/gemm.h"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kGroups = 2;  // warpgroups that multiply
constexpr int kThreads = kGroups * 128 + 128;
constexpr int kOutputs = 128;
constexpr int kStages = 5;
constexpr int kStageBytes = 4 * kTileBytes;  // two tiles of tokens, two of weights
constexpr int kScaleFloats = 128;            // of the tokens, beside each stage
constexpr int kSharedBytes = 1024 + kStages * (kStageBytes + kScaleFloats * 4) + 2 * kStages * 8;

__device__ __host__ int blocks_of(const GemmLayer& layer, int num_tokens) {
    return static_cast<int>(ceil_div(num_tokens, 128) * ceil_div(layer.out_features, kOutputs));
}

// Blocks of outputs that share the same tokens run together, eight at a time, so that both operands stay in L2.
struct Block {
    int token_block, output_block;
};
__device__ Block find_block(int index, int token_blocks, int output_blocks) {
    constexpr int kWidth = 8;
    const int per_band = kWidth * token_blocks, band = index / per_band;
    const int width = min(kWidth, output_blocks - band * kWidth);
    const int within = index - band * per_band;
    return {within / width, band * kWidth + within % width};
}

__global__ void __launch_bounds__(kThreads, 1) many_rows_kernel(const __grid_constant__ GemmParams params) {
#ifdef GLM5_SM90
    extern __shared__ uint8_t shared_memory[];
    const uint32_t base = static_cast<uint32_t>(round_up(shared_address(shared_memory), 1024));
    const uint32_t scales_base = base + kStages * kStageBytes;
    const float* scales = reinterpret_cast<const float*>(shared_memory + (scales_base - shared_address(shared_memory)));
    const uint32_t full = scales_base + kStages * kScaleFloats * 4, empty = full + kStages * 8;

    const int num_tokens = params.num_tokens, token_blocks = static_cast<int>(ceil_div(num_tokens, 128));
    int index = 0, first_block = 0;  // of the layer
    while (static_cast<int>(blockIdx.x) >= first_block + blocks_of(params.layers[index], num_tokens))
        first_block += blocks_of(params.layers[index++], num_tokens);
    const GemmLayer& layer = params.layers[index];
    const Block block =
        find_block(blockIdx.x - first_block, token_blocks, static_cast<int>(ceil_div(layer.out_features, kOutputs)));
    // The last block of outputs or tokens may have one tile only.
    const int row_tile = block.output_block * 2, token_tile = block.token_block * 2;
    const bool two_row_tiles = row_tile + 1 < layer.row_tiles;
    const bool two_token_tiles = token_tile + 1 < static_cast<int>(ceil_div(num_tokens, kTileRows));

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < kStages; ++stage) {
            barrier_init(full + stage * 8, 1);
            barrier_init(empty + stage * 8, kGroups * 4);
        }
        barrier_init_fence();
    }
    __syncthreads();
    let_next_start();
    wait_for_previous();

    if (threadIdx.x >= kGroups * 128) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x != kGroups * 128) return;
        const uint8_t* tokens = static_cast<const uint8_t*>(layer.x) + int64_t{token_tile} * layer.k_tiles * kTileBytes;
        const uint8_t* weights = layer.weight + int64_t{row_tile} * layer.k_tiles * kTileBytes;
        const float* token_scales = layer.x_scales + scale_index(int64_t{token_tile} * kTileRows, 0, layer.k_tiles);
        const int64_t next_tile = int64_t{layer.k_tiles} * kTileBytes;
        for (int k_tile = 0; k_tile < layer.k_tiles; ++k_tile) {
            const int stage = k_tile % kStages;
            if (k_tile >= kStages) barrier_wait(empty + stage * 8, (k_tile / kStages & 1) ^ 1);
            const uint32_t at = base + stage * kStageBytes, barrier = full + stage * 8;
            const int tiles = 2 + two_row_tiles + two_token_tiles;
            barrier_expect(barrier, tiles * kTileBytes + (1 + two_token_tiles) * kTileRows * 4);
            const int64_t offset = int64_t{k_tile} * kTileBytes;
            copy_bulk(at, tokens + offset, kTileBytes, barrier);
            if (two_token_tiles) copy_bulk(at + kTileBytes, tokens + next_tile + offset, kTileBytes, barrier);
            copy_bulk(at + 2 * kTileBytes, weights + offset, kTileBytes, barrier);
            if (two_row_tiles) copy_bulk(at + 3 * kTileBytes, weights + next_tile + offset, kTileBytes, barrier);
            const uint32_t scales_at = scales_base + stage * kScaleFloats * 4;
            copy_bulk(scales_at, token_scales + k_tile * kTileRows, kTileRows * 4, barrier);
            if (two_token_tiles)
                copy_bulk(scales_at + kTileRows * 4, token_scales + (int64_t{layer.k_tiles} + k_tile) * kTileRows,
                          kTileRows * 4, barrier);
        }
        return;
    }

    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    const int group = threadIdx.x / 128, thread = threadIdx.x % 128;
    const int row = thread / 32 * 16 + thread % 32 / 4;
    const float* weight_scales = layer.weight_scales + int64_t{block.output_block} * layer.k_tiles;
    float sum[kOutputs / 2], part[kOutputs / 2];
#pragma unroll
    for (float& value : sum) value = 0;
    for (int k_tile = 0; k_tile < layer.k_tiles; ++k_tile) {
        const int stage = k_tile % kStages;
        const float weight_scale = __ldg(weight_scales + k_tile);
        barrier_wait(full + stage * 8, k_tile / kStages & 1);
        const float* token_scales = scales + stage * kScaleFloats + group * kTileRows;
        const float scale0 = token_scales[row] * weight_scale, scale1 = token_scales[row + 8] * weight_scale;
        const uint32_t at = base + stage * kStageBytes;
        wgmma_fence();
        multiply_tile<kOutputs, Operand::e4m3>(part, at + group * kTileBytes, at + 2 * kTileBytes, false);
        wgmma_commit();
        wgmma_wait<0>();
        keep_registers(part);
        if (thread % 32 == 0) barrier_arrive(empty + stage * 8);
#pragma unroll
        for (int i = 0; i < kOutputs / 2; ++i) sum[i] += (i % 4 < 2 ? scale0 : scale1) * part[i];
    }

    const int first_token = (token_tile + group) * kTileRows + row;
    const int first_output = block.output_block * kOutputs + thread % 4 * 2;
    bf16* out = static_cast<bf16*>(layer.out);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int token = first_token + half * 8;
        if (token >= num_tokens) continue;
#pragma unroll
        for (int j = 0; j < kOutputs / 8; ++j) {
            const int output = first_output + j * 8;
            if (output >= layer.out_features) break;
            *reinterpret_cast<__nv_bfloat162*>(out + token * layer.out_row_stride + output) =
                __floats2bfloat162_rn(sum[4 * j + half * 2], sum[4 * j + half * 2 + 1]);
        }
    }
#endif
}

}  // namespace

// The layers have batch 1, outputs in bf16 and an even number of them.
void gemm_sm90_many_rows_e4m3(const Launch& launch, const GemmParams& params) {
    int blocks = 0;
    for (int i = 0; i < params.num_layers; ++i) blocks += blocks_of(params.layers[i], params.num_tokens);
    launch_kernel(launch, "gemm_sm90_many_rows_e4m3", many_rows_kernel,
                  {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads), .shared_bytes = kSharedBytes},
                  params);
}

}  // namespace glm5::cuda
