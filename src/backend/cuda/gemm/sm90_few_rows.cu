// The product for few tokens on Hopper, where reading the weights is the work. 64 rows of weights fill the rows of a
// wgmma, tokens its columns; a cluster of CTAs shares the k of one weight tile. Each CTA finishes some rows of the
// tile: the others send it their sums, which it adds in rank order.
//
// One producer thread streams weight tiles through a ring; a warpgroup multiplies. The tokens' part of k (the slab)
// lies in shared memory whole before the first product, swizzled as the weights are: e4m3 tiles are copied as they lie,
// bf16 rows chunk by chunk. Weights are on their way before the kernel waits for its predecessor.
#include <algorithm>

#include "backend/cuda/device/cluster.cuh"
#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/wgmma.cuh"
#include "backend/cuda/gemm/work.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kConsumers = 128;
constexpr int kThreads = kConsumers + 32;
constexpr int kStages = 6;
constexpr int kMaxCluster = 8;
constexpr int kSlabTiles = 4;  // wanted of a CTA: 32 KB of weights, three CTAs an SM
constexpr int kMaxSharedBytes = 227 * 1024;

// Shared memory: the ring of weight tiles, the slab, the sums that a CTA is sent ([parts][n][64 / parts]), the slab's
// scales, the weights' scales, barriers.
template <int n>
struct Plan {
    static constexpr int kSumBytes = n * kTileRows * 4;
    static int bytes(int slab_tiles) {
        return 1024 + kStages * kTileBytes + slab_tiles * n * kTileRowBytes + kSumBytes + slab_tiles * (n + 1) * 4 +
               (2 * kStages + 1) * 8 + 16;
    }
};

// The slab and the scales of an e4m3 layer, by one thread. Rows that no token fills hold what lies in the tiles, or
// what shared memory held.
template <int n>
__device__ void copy_tiles(const GemmLayer& layer, int first_token, int num_tokens, int first_tile, int num_tiles,
                           uint32_t slab, uint32_t scales, uint32_t barrier) {
    constexpr int kRows = n < kTileRows ? n : kTileRows;  // of one tile of the tokens
    const int blocks = n > kTileRows && first_token + kTileRows < num_tokens ? 2 : 1;
    barrier_expect(barrier, blocks * num_tiles * kRows * (kTileRowBytes + 4));
    for (int block = 0; block < blocks; ++block) {
        const int token = first_token + block * kTileRows;
        const auto* x = static_cast<const uint8_t*>(layer.x) +
                        (int64_t{token / kTileRows} * layer.k_tiles + first_tile) * kTileBytes +
                        token % kTileRows * kTileRowBytes;
        const float* x_scales = layer.x_scales + scale_index(token, first_tile, layer.k_tiles);
        for (int tile = 0; tile < num_tiles; ++tile) {
            const int row = tile * n + block * kTileRows;
            copy_bulk(slab + row * kTileRowBytes, x + int64_t{tile} * kTileBytes, kRows * kTileRowBytes, barrier);
            copy_bulk(scales + row * 4, x_scales + tile * kTileRows, kRows * 4, barrier);
        }
    }
}

// The slab of a bf16 layer, by all consumers; rows that no token fills are zero.
template <int n>
__device__ void copy_rows(const GemmLayer& layer, const Work& work, int first_token, int num_tokens, int first_tile,
                          int num_tiles, uint32_t slab) {
    const bf16* x = static_cast<const bf16*>(layer.x) + work.matrix * layer.x_batch_stride + first_tile * 64;
    for (int i = threadIdx.x; i < num_tiles * n * 8; i += kConsumers) {
        const int row = i / (num_tiles * 8), tile = i / 8 % num_tiles, chunk = i % 8;
        const bool exists = first_token + row < num_tokens;
        const int64_t token = exists ? first_token + row : 0;
        const int64_t x_row = layer.x_rows ? layer.x_rows[token] : token;
        copy_async_16_or_zero(slab + tile * n * kTileRowBytes + tile_offset(row, chunk),
                              x + x_row * layer.x_row_stride + tile * 64 + chunk * 8, exists);
    }
    copy_async_commit();
    copy_async_wait<0>();
    async_proxy_fence();
}

#ifdef GLM5_SM90
template <int n, Operand operand>
__device__ void multiply(float (&sum)[n / 2], int num_tiles, uint32_t ring, uint32_t slab, const float* x_scales,
                         const float* weight_scales, uint32_t full, uint32_t empty) {
    for (int tile = 0; tile < num_tiles; ++tile) {
        const int stage = tile % kStages;
        barrier_wait(full + stage * 8, tile / kStages & 1);
        const float weight_scale = operand == Operand::e4m3 ? weight_scales[tile] : 1.0f;
        accumulate<n, operand>(sum, ring + stage * kTileBytes, slab + tile * n * kTileRowBytes, x_scales + tile * n,
                               weight_scale, tile == 0);
        if (threadIdx.x % 32 == 0) barrier_arrive(empty + stage * 8);
    }
}
#endif

__device__ void store_pair(const GemmLayer& layer, const Work& work, int token, int row, float2 value) {
    value.x *= layer.out_scale;
    value.y *= layer.out_scale;
    if (row >= layer.out_features) return;
    const int64_t at = work.matrix * layer.out_batch_stride + token * layer.out_row_stride + row;
    const bool both = row + 1 < layer.out_features && at % 2 == 0;
    if (layer.out_f32) {
        float* out = static_cast<float*>(layer.out) + at;
        if (both) {
            *reinterpret_cast<float2*>(out) = value;
        } else {
            out[0] = value.x;
            if (row + 1 < layer.out_features) out[1] = value.y;
        }
    } else {
        bf16* out = static_cast<bf16*>(layer.out) + at;
        if (both) {
            *reinterpret_cast<__nv_bfloat162*>(out) = __floats2bfloat162_rn(value.x, value.y);
        } else {
            out[0] = __float2bfloat16_rn(value.x);
            if (row + 1 < layer.out_features) out[1] = __float2bfloat16_rn(value.y);
        }
    }
}

template <int n>
__global__ void __launch_bounds__(kThreads)
    few_rows_kernel(const __grid_constant__ GemmParams params, int max_slab_tiles) {
#ifdef GLM5_SM90
    extern __shared__ uint8_t shared_memory[];
    const uint32_t base = static_cast<uint32_t>(round_up(shared_address(shared_memory), 1024));
    uint8_t* memory = shared_memory + (base - shared_address(shared_memory));
    uint8_t* slab = memory + kStages * kTileBytes;
    auto* sums = reinterpret_cast<float*>(slab + max_slab_tiles * n * kTileRowBytes);
    auto* x_scales = sums + Plan<n>::kSumBytes / 4;
    auto* weight_scales = x_scales + max_slab_tiles * n;
    const uint32_t full = static_cast<uint32_t>(round_up(shared_address(weight_scales + max_slab_tiles), 8));
    const uint32_t empty = full + kStages * 8, slab_full = empty + kStages * 8;

    const uint32_t rank = cluster_rank(), parts = cluster_size();
    const Work work = find_work(params, blockIdx.x / parts);
    const GemmLayer& layer = params.layers[work.layer];
    const int first_token = blockIdx.y * n;
    const int first_tile = layer.k_tiles * rank / parts, end_tile = layer.k_tiles * (rank + 1) / parts;
    const int num_tiles = end_tile - first_tile;

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < kStages; ++stage) {
            barrier_init(full + stage * 8, 1);
            barrier_init(empty + stage * 8, kConsumers / 32);
        }
        barrier_init(slab_full, 1);
        barrier_init_fence();
    }
    __syncthreads();
    cluster_arrive();
    let_next_start();

    float sum[n / 2];
#pragma unroll
    for (float& value : sum) value = 0;
    if (threadIdx.x >= kConsumers) {
        if (threadIdx.x == kConsumers) {
            const int64_t row = int64_t{work.matrix} * layer.row_tiles + work.row_tile;
            const uint8_t* source = layer.weight + (row * layer.k_tiles + first_tile) * kTileBytes;
            const auto copy_weights = [&](int tile) {
                const int stage = tile % kStages;
                if (tile >= kStages) barrier_wait(empty + stage * 8, (tile / kStages & 1) ^ 1);
                barrier_expect(full + stage * 8, kTileBytes);
                copy_bulk(base + stage * kTileBytes, source + int64_t{tile} * kTileBytes, kTileBytes, full + stage * 8);
            };
            const int before = min(kStages, num_tiles);
            for (int tile = 0; tile < before; ++tile) copy_weights(tile);
            wait_for_previous();
            if (layer.e4m3)
                copy_tiles<n>(layer, first_token, params.num_tokens, first_tile, num_tiles, shared_address(slab),
                              shared_address(x_scales), slab_full);
            for (int tile = before; tile < num_tiles; ++tile) copy_weights(tile);
        }
    } else {
        if (layer.e4m3) {
            const int64_t scale_rows = ceil_div(layer.out_features, 128);
            const float* scales =
                layer.weight_scales + (work.matrix * scale_rows + work.row_tile / 2) * layer.k_tiles + first_tile;
            for (int i = threadIdx.x; i < num_tiles; i += kConsumers) weight_scales[i] = scales[i];
        }
        wait_for_previous();
        if (!layer.e4m3)
            copy_rows<n>(layer, work, first_token, params.num_tokens, first_tile, num_tiles, shared_address(slab));
        asm volatile("bar.sync 1, %0;" ::"n"(kConsumers) : "memory");
        if (layer.e4m3) barrier_wait(slab_full, 0);
        if (layer.e4m3)
            multiply<n, Operand::e4m3>(sum, num_tiles, base, shared_address(slab), x_scales, weight_scales, full,
                                       empty);
        else
            multiply<n, Operand::bf16>(sum, num_tiles, base, shared_address(slab), x_scales, weight_scales, full,
                                       empty);
    }

    cluster_wait();  // every CTA of the cluster runs, so that its shared memory is there
    const int part_rows = kTileRows / parts;
    if (threadIdx.x < kConsumers) {
        const int first_row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int row = first_row + half * 8, owner = row / part_rows;
            const uint32_t place =
                cluster_address(shared_address(sums + rank * n * part_rows + row % part_rows), owner);
#pragma unroll
            for (int j = 0; j < n / 8; ++j)
#pragma unroll
                for (int i = 0; i < 2; ++i)
                    cluster_store_float(place + (j * 8 + column + i) * part_rows * 4, sum[4 * j + half * 2 + i]);
        }
    }
    cluster_sync();
    if (threadIdx.x >= kConsumers) return;
    for (int pair = threadIdx.x; pair < n * part_rows / 2; pair += kConsumers) {
        const int token = pair / (part_rows / 2), row = pair % (part_rows / 2) * 2;
        if (first_token + token >= params.num_tokens) break;
        float2 total = make_float2(0, 0);
        for (int part = 0; part < static_cast<int>(parts); ++part) {
            const float2 value = *reinterpret_cast<const float2*>(sums + (part * n + token) * part_rows + row);
            total.x += value.x;
            total.y += value.y;
        }
        store_pair(layer, work, first_token + token, work.row_tile * kTileRows + rank * part_rows + row, total);
    }
#endif
}

int max_k_tiles(const GemmParams& params) {
    int tiles = 1;
    for (int i = 0; i < params.num_layers; ++i) tiles = std::max(tiles, params.layers[i].k_tiles);
    return tiles;
}

// How many CTAs share the k of a tile: enough that a CTA's part is short, and that every SM has work. A function of the
// layers' shapes alone, and with it the order of every sum.
int choose_cluster(const GemmParams& params) {
    const int k_tiles = max_k_tiles(params);
    int cluster = 1;
    while (cluster < kMaxCluster && (ceil_div(k_tiles, cluster) > kSlabTiles ||
                                     (total_tiles(params) * cluster < 120 && ceil_div(k_tiles, cluster) >= 4)))
        cluster *= 2;
    return cluster;
}

int slab_tiles_of(const GemmParams& params) {
    return static_cast<int>(ceil_div(max_k_tiles(params), choose_cluster(params)));
}

template <int n>
bool fits(int slab_tiles) {
    return Plan<n>::bytes(slab_tiles) <= kMaxSharedBytes;
}

template <int n>
void launch_for(const Launch& launch, const GemmParams& params) {
    const int cluster = choose_cluster(params), slab_tiles = slab_tiles_of(params);
    const auto token_blocks = static_cast<unsigned>(ceil_div(params.num_tokens, n));
    launch_kernel(launch, "gemm_sm90_few_rows", few_rows_kernel<n>,
                  {.grid = dim3(total_tiles(params) * cluster, token_blocks),
                   .block = dim3(kThreads),
                   .shared_bytes = Plan<n>::bytes(slab_tiles),
                   .cluster = cluster},
                  params, slab_tiles);
}

}  // namespace

void gemm_sm90_few_rows(const Launch& launch, const GemmParams& params) {
    const int slab_tiles = slab_tiles_of(params);
    if (params.num_tokens <= 8) return launch_for<8>(launch, params);
    if (params.num_tokens <= 16 || !fits<32>(slab_tiles)) return launch_for<16>(launch, params);
    if (params.num_tokens <= 32 || !fits<64>(slab_tiles)) return launch_for<32>(launch, params);
    // 128 pay where much is read: not for the short sums of the layers by head, which are bf16.
    if (params.num_tokens <= 64 || !params.layers[0].e4m3 || !fits<128>(slab_tiles))
        return launch_for<64>(launch, params);
    launch_for<128>(launch, params);
}

}  // namespace glm5::cuda
