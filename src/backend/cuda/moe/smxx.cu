// gate_up and down on every architecture, by mma.sync: a CTA has up to 32 pairs of an item at a time.
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/tile_product.cuh"
#include "backend/cuda/moe/hidden.cuh"
#include "backend/cuda/moe/items.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kPairs = 32;
constexpr int kBlocks = kPairs / 8;

__device__ void copy_tile(uint8_t* to, const uint8_t* from) {
    for (int i = threadIdx.x; i < kTileBytes / 16; i += kThreads)
        reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(from)[i];
}

// sum += weight tile · pairs, of e4m3 with its scales.
template <bool e4m3>
__device__ void accumulate(float (&sum)[kBlocks][4], const uint8_t* weight, const uint8_t* pairs, const float* x_scales,
                           float weight_scale) {
    if constexpr (!e4m3) {
        multiply_tiles<false>(sum, weight, pairs);
        return;
    }
    float part[kBlocks][4] = {};
    multiply_tiles<e4m3>(part, weight, pairs);
    for (int block = 0; block < kBlocks; ++block)
        for (int i = 0; i < 4; ++i)
            sum[block][i] += weight_scale * x_scales[block * 8 + threadIdx.x % 4 * 2 + i % 2] * part[block][i];
}

// Chunk `chunk` of pair `row`'s k tile; zero where no pair is.
template <typename Source>
__device__ void load_pairs(uint8_t* to, int num_pairs, const Source& source) {
    for (int i = threadIdx.x; i < kPairs * 8; i += kThreads) {
        const int row = i / 8, chunk = i % 8;
        uint4 value = make_uint4(0, 0, 0, 0);
        if (row < num_pairs) value = *reinterpret_cast<const uint4*>(source(row, chunk));
        *reinterpret_cast<uint4*>(to + tile_offset(row, chunk)) = value;
    }
}

// 128 rows of gate and of up: one block of the FP8 form.
template <bool e4m3>
__global__ void __launch_bounds__(kThreads) gate_up_kernel(const __grid_constant__ MoeParams params, int k_tiles) {
    __shared__ __align__(128) uint8_t weight[4][kTileBytes];
    __shared__ __align__(128) uint8_t pairs[kPairs * kTileRowBytes];
    __shared__ float x_scales[kPairs];
    let_next_start();
    wait_for_previous();
    MoeItem item;
    if (!find_item(params, blockIdx.y, item)) return;
    const Expert expert = expert_of(params, item);
    const int block = blockIdx.x;
    const int64_t row_tile = expert.index * (params.width / kTileRows) + block * 2;

    for (int first = 0; first < item.num_pairs; first += kPairs) {
        const int num_pairs = min(kPairs, item.num_pairs - first);
        const auto token_of = [&](int row) { return pair_token(params, item.first_pair + first + row); };
        float sum[4][kBlocks][4] = {};  // gate, gate + 64 rows, up, up + 64 rows
        for (int tile = 0; tile < k_tiles; ++tile) {
            __syncthreads();
            for (int i = 0; i < 4; ++i)
                copy_tile(weight[i], (i < 2 ? expert.weights.gate : expert.weights.up) +
                                         ((row_tile + i % 2) * k_tiles + tile) * kTileBytes);
            load_pairs(pairs, num_pairs, [&](int row, int chunk) {
                const int64_t at = e4m3 ? tiled_offset(token_of(row), tile * kTileRowBytes + chunk * 16, k_tiles)
                                        : (int64_t{token_of(row)} * k_tiles + tile) * kTileRowBytes + chunk * 16;
                return static_cast<const uint8_t*>(params.x) + at;
            });
            if (e4m3 && threadIdx.x < kPairs)
                x_scales[threadIdx.x] =
                    threadIdx.x < num_pairs ? params.x_scales[scale_index(token_of(threadIdx.x), tile, k_tiles)] : 0;
            __syncthreads();
            const int64_t scale = (expert.index * (params.width / 128) + block) * k_tiles + tile;
            for (int i = 0; i < 4; ++i)
                accumulate<e4m3>(sum[i], weight[i], pairs, x_scales,
                                 e4m3 ? (i < 2 ? expert.weights.gate_scales : expert.weights.up_scales)[scale] : 1.0f);
        }
        // [2, pairs, 128] in the weights' place: the values of a pair meet in one warp.
        __syncthreads();
        auto* sums = reinterpret_cast<float*>(weight);
        const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
        for (int i = 0; i < 4; ++i)
            for (int b = 0; b < kBlocks; ++b)
                for (int j = 0; j < 4; ++j)
                    sums[(i / 2 * kPairs + b * 8 + threadIdx.x % 4 * 2 + j % 2) * 128 + i % 2 * 64 + row + j / 2 * 8] =
                        sum[i][b][j];
        __syncthreads();
        for (int pair = threadIdx.x / 32; pair < num_pairs; pair += kThreads / 32) {
            const float4 gate = reinterpret_cast<const float4*>(sums + pair * 128)[threadIdx.x % 32];
            const float4 up = reinterpret_cast<const float4*>(sums + (kPairs + pair) * 128)[threadIdx.x % 32];
            store_hidden<e4m3>(params, item.first_pair + first + pair, block * 128, gate, up);
        }
    }
}

template <bool e4m3>
__global__ void __launch_bounds__(kThreads) down_kernel(const __grid_constant__ MoeParams params, int k_tiles) {
    __shared__ __align__(128) uint8_t weight[kTileBytes];
    __shared__ __align__(128) uint8_t pairs[kPairs * kTileRowBytes];
    __shared__ float x_scales[kPairs];
    let_next_start();
    wait_for_previous();
    MoeItem item;
    if (!find_item(params, blockIdx.y, item)) return;
    const Expert expert = expert_of(params, item);
    const int row_tile = blockIdx.x, row_tiles = params.hidden / kTileRows;
    const auto* hidden = static_cast<const uint8_t*>(params.hidden_values);

    for (int first = 0; first < item.num_pairs; first += kPairs) {
        const int num_pairs = min(kPairs, item.num_pairs - first);
        const int64_t first_pair = item.first_pair + first;
        float sum[kBlocks][4] = {};
        for (int tile = 0; tile < k_tiles; ++tile) {
            __syncthreads();
            copy_tile(weight,
                      expert.weights.down + ((expert.index * row_tiles + row_tile) * k_tiles + tile) * kTileBytes);
            load_pairs(pairs, num_pairs, [&](int row, int chunk) {
                return hidden + ((first_pair + row) * k_tiles + tile) * kTileRowBytes + chunk * 16;
            });
            if (e4m3 && threadIdx.x < kPairs)
                x_scales[threadIdx.x] =
                    threadIdx.x < num_pairs ? params.hidden_scales[(first_pair + threadIdx.x) * k_tiles + tile] : 0;
            __syncthreads();
            const int64_t scale_row = expert.index * ceil_div(params.hidden, 128) + row_tile / 2;
            accumulate<e4m3>(sum, weight, pairs, x_scales,
                             e4m3 ? expert.weights.down_scales[scale_row * k_tiles + tile] : 1.0f);
        }
        const int row = row_tile * kTileRows + threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
        for (int b = 0; b < kBlocks; ++b)
            for (int i = 0; i < 4; ++i) {
                const int pair = b * 8 + threadIdx.x % 4 * 2 + i % 2;
                if (pair < num_pairs)
                    static_cast<float*>(params.partial)[(first_pair + pair) * params.hidden + row + i / 2 * 8] =
                        sum[b][i];
            }
    }
}

}  // namespace

void moe_gate_up_smxx(const Launch& launch, const MoeParams& params) {
    const int k_tiles = params.hidden * (params.e4m3 ? 1 : 2) / kTileRowBytes;
    auto* kernel = params.e4m3 ? gate_up_kernel<true> : gate_up_kernel<false>;
    launch_kernel(launch, "moe_gate_up_smxx", kernel,
                  {.grid = dim3(params.width / 128, params.max_items()), .block = dim3(kThreads)}, params, k_tiles);
}

void moe_down_smxx(const Launch& launch, const MoeParams& params) {
    const int k_tiles = params.width * (params.e4m3 ? 1 : 2) / kTileRowBytes;
    auto* kernel = params.e4m3 ? down_kernel<true> : down_kernel<false>;
    launch_kernel(launch, "moe_down_smxx", kernel,
                  {.grid = dim3(params.hidden / kTileRows, params.max_items()), .block = dim3(kThreads)}, params,
                  k_tiles);
}

}  // namespace glm5::cuda
