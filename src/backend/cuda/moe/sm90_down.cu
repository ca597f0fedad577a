// down on Hopper: a CTA has one item and some tiles of 64 output rows, which it takes one after the other through one
// ring of weight tiles. Weights in the rows of wgmma, pairs in its columns.
#include <algorithm>

#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/wgmma.cuh"
#include "backend/cuda/moe/items.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kConsumers = 128;
constexpr int kThreads = kConsumers + 32;
constexpr int kStages = 8;

template <int n>
int shared_bytes(int k_tiles) {
    return 1024 + kStages * kTileBytes + k_tiles * n * kTileRowBytes + k_tiles * n * 4 + 2 * kStages * 8 + 16;
}

template <int n, Operand operand>
__global__ void __launch_bounds__(kThreads)
    down_kernel(const __grid_constant__ MoeParams params, int k_tiles, int tiles_per_block) {
#ifdef GLM5_SM90
    let_next_start();
    wait_for_previous();
    MoeItem item;
    if (!find_item(params, blockIdx.y, item)) return;
    extern __shared__ uint8_t shared_memory[];
    const uint32_t base = static_cast<uint32_t>(round_up(shared_address(shared_memory), 1024));
    uint8_t* slab = shared_memory + (base - shared_address(shared_memory)) + kStages * kTileBytes;
    auto* x_scales = reinterpret_cast<float*>(slab + k_tiles * n * kTileRowBytes);
    const uint32_t full = static_cast<uint32_t>(round_up(shared_address(x_scales + k_tiles * n), 8));
    const uint32_t empty = full + kStages * 8;

    const auto [weights, expert] = expert_of(params, item);
    const int row_tiles = params.hidden / kTileRows;
    const int first_tile = blockIdx.x * tiles_per_block, end_tile = min(row_tiles, first_tile + tiles_per_block);
    const int num_steps = (end_tile - first_tile) * k_tiles;

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < kStages; ++stage) {
            barrier_init(full + stage * 8, 1);
            barrier_init(empty + stage * 8, kConsumers / 32);
        }
        barrier_init_fence();
    }
    __syncthreads();

    if (threadIdx.x >= kConsumers) {
        if (threadIdx.x != kConsumers) return;
        const uint8_t* source = weights.down + (expert * row_tiles + first_tile) * k_tiles * kTileBytes;
        for (int step = 0; step < num_steps; ++step) {
            const int stage = step % kStages;
            if (step >= kStages) barrier_wait(empty + stage * 8, (step / kStages & 1) ^ 1);
            barrier_expect(full + stage * 8, kTileBytes);
            copy_bulk(base + stage * kTileBytes, source + int64_t{step} * kTileBytes, kTileBytes, full + stage * 8);
        }
        return;
    }

    const auto* hidden = static_cast<const uint8_t*>(params.hidden_values);
    for (int i = threadIdx.x; i < k_tiles * n * 8; i += kConsumers) {
        const int row = i / (k_tiles * 8), tile = i / 8 % k_tiles, chunk = i % 8;
        const bool exists = row < item.num_pairs;
        const int64_t pair = item.first_pair + (exists ? row : 0);
        copy_async_16_or_zero(shared_address(slab) + tile * n * kTileRowBytes + tile_offset(row, chunk),
                              hidden + (pair * k_tiles + tile) * kTileRowBytes + chunk * 16, exists);
    }
    copy_async_commit();
    if constexpr (operand == Operand::e4m3)
        for (int i = threadIdx.x; i < k_tiles * n; i += kConsumers)
            x_scales[i] =
                params.hidden_scales[int64_t{item.first_pair + min(i % n, item.num_pairs - 1)} * k_tiles + i / n];
    copy_async_wait<0>();
    async_proxy_fence();
    asm volatile("bar.sync 1, %0;" ::"n"(kConsumers) : "memory");

    const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
    int step = 0;
    for (int row_tile = first_tile; row_tile < end_tile; ++row_tile) {
        float sum[n / 2];
#pragma unroll
        for (float& value : sum) value = 0;
        const float* weight_scales = nullptr;
        if constexpr (operand == Operand::e4m3)
            weight_scales = weights.down_scales + (expert * ceil_div(params.hidden, 128) + row_tile / 2) * k_tiles;
        for (int tile = 0; tile < k_tiles; ++tile, ++step) {
            const int stage = step % kStages;
            const uint32_t x = shared_address(slab) + tile * n * kTileRowBytes, weight = base + stage * kTileBytes;
            const float weight_scale = operand == Operand::e4m3 ? __ldg(weight_scales + tile) : 1.0f;
            barrier_wait(full + stage * 8, step / kStages & 1);
            accumulate<n, operand>(sum, weight, x, x_scales + tile * n, weight_scale, tile == 0);
            if (threadIdx.x % 32 == 0) barrier_arrive(empty + stage * 8);
        }
#pragma unroll
        for (int j = 0; j < n / 8; ++j)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int pair = j * 8 + column + i % 2;
                if (pair < item.num_pairs)
                    static_cast<float*>(params.partial)[int64_t{item.first_pair + pair} * params.hidden +
                                                        row_tile * kTileRows + row + i / 2 * 8] = sum[4 * j + i];
            }
    }
#endif
}

template <int n, Operand operand>
void launch_for(const Launch& launch, const MoeParams& params) {
    const int k_tiles = params.width * (operand == Operand::e4m3 ? 1 : 2) / kTileRowBytes;
    const int row_tiles = params.hidden / kTileRows, items = params.max_items();
    // As many rows a CTA as leave every SM some, and at most a ring of tiles.
    int tiles_per_block = 1;
    while (tiles_per_block * 2 * k_tiles <= kStages &&
           int64_t{items} * row_tiles / (tiles_per_block * 2) >= 2 * launch.num_sms)
        tiles_per_block *= 2;
    const auto blocks = static_cast<unsigned>(ceil_div(row_tiles, tiles_per_block));
    launch_kernel(launch, "moe_down_sm90", down_kernel<n, operand>,
                  {.grid = dim3(blocks, items), .block = dim3(kThreads), .shared_bytes = shared_bytes<n>(k_tiles)},
                  params, k_tiles, tiles_per_block);
}

template <int n>
void launch_format(const Launch& launch, const MoeParams& params) {
    if (params.e4m3)
        launch_for<n, Operand::e4m3>(launch, params);
    else
        launch_for<n, Operand::bf16>(launch, params);
}

}  // namespace

void moe_down_sm90(const Launch& launch, const MoeParams& params) {
    switch (params.item_pairs) {
        case 8: return launch_format<8>(launch, params);
        case 16: return launch_format<16>(launch, params);
        case 32: return launch_format<32>(launch, params);
        default: return launch_format<64>(launch, params);
    }
}

}  // namespace glm5::cuda
