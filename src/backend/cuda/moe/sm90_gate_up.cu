// gate_up on Hopper. A cluster has one item and 128 of the expert's rows, and shares k among its CTAs: weights in the
// rows of wgmma, pairs in its columns, as in gemm/sm90_few_rows.cu. Two warpgroups have 64 rows each, of gate and of up
// alike. Each CTA finishes some of the pairs: the others send it their sums, which it adds in rank order. The 128 rows
// are a block of the FP8 form, so that one warp finishes a pair.
#include "backend/cuda/device/cluster.cuh"
#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/wgmma.cuh"
#include "backend/cuda/moe/hidden.cuh"
#include "backend/cuda/moe/items.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kConsumers = 256;
constexpr int kThreads = kConsumers + 32;
constexpr int kRows = 128;

// What lets two CTAs share an SM, or as much as one has room for.
template <int n>
constexpr int kStages = n == 16 ? 2 : 3;

constexpr int kStageBytes = 4 * kTileBytes;  // gate, gate + 64 rows, up, up + 64 rows
constexpr int kMaxCluster = 8;

// What a CTA is sent: [parts][gate, up][n / parts][128].
template <int n>
constexpr int kSumsBytes = 2 * n* kRows * 4;

template <int n>
int shared_bytes(int slab_tiles) {
    return 1024 + kStages<n> * kStageBytes + slab_tiles * n * kTileRowBytes + kSumsBytes<n> + slab_tiles * (n + 2) * 4 +
           2 * kStages<n> * 8 + 16;
}

// The pairs' part of k, swizzled for the place that a pair has here; pairs that are not there are zero.
template <int n, Operand operand>
__device__ void copy_slab(const MoeParams& params, const MoeItem& item, int k_tiles, int first_tile, int num_tiles,
                          uint32_t slab, float* scales) {
    const auto* x = static_cast<const uint8_t*>(params.x);
    for (int i = threadIdx.x; i < num_tiles * n * 8; i += kConsumers) {
        const int row = i / (num_tiles * 8), tile = i / 8 % num_tiles, chunk = i % 8;
        const bool exists = row < item.num_pairs;
        const int64_t token = pair_token(params, item.first_pair + (exists ? row : 0));
        const int64_t at = operand == Operand::e4m3
                               ? tiled_offset(token, (first_tile + tile) * kTileRowBytes + chunk * 16, k_tiles)
                               : (token * k_tiles + first_tile + tile) * kTileRowBytes + chunk * 16;
        copy_async_16_or_zero(slab + tile * n * kTileRowBytes + tile_offset(row, chunk), x + at, exists);
    }
    copy_async_commit();
    if constexpr (operand == Operand::e4m3)
        for (int i = threadIdx.x; i < num_tiles * n; i += kConsumers) {
            const int token = pair_token(params, item.first_pair + min(i % n, item.num_pairs - 1));
            scales[i] = params.x_scales[scale_index(token, first_tile + i / n, k_tiles)];
        }
    copy_async_wait<0>();
    async_proxy_fence();
}

// A thread's sums of gate (`which` 0) or up (1) to the CTAs that finish their pairs.
template <int n>
__device__ void send_sums(const float (&sum)[n / 2], float* sums, int which, int rank, int parts) {
    const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
    const int its_pairs = n / parts;
#pragma unroll
    for (int j = 0; j < n / 8; ++j)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const int pair = j * 8 + column + i;
            const uint32_t place = cluster_address(
                shared_address(sums + ((rank * 2 + which) * its_pairs + pair / parts) * kRows + row), pair % parts);
            cluster_store_float(place, sum[4 * j + i]);
            cluster_store_float(place + 8 * 4, sum[4 * j + 2 + i]);
        }
}

__device__ float4 sum_of_parts(const float* first, int stride, int parts) {
    float4 total = make_float4(0, 0, 0, 0);
    for (int part = 0; part < parts; ++part) {
        const float4 value = *reinterpret_cast<const float4*>(first + part * stride);
        total.x += value.x, total.y += value.y, total.z += value.z, total.w += value.w;
    }
    return total;
}

template <int n, Operand operand>
__global__ void __launch_bounds__(kThreads)
    gate_up_kernel(const __grid_constant__ MoeParams params, int k_tiles, int max_slab_tiles) {
#ifdef GLM5_SM90
    let_next_start();
    wait_for_previous();
    MoeItem item;
    if (!find_item(params, blockIdx.y, item)) return;  // of the whole cluster
    extern __shared__ uint8_t shared_memory[];
    const uint32_t base = static_cast<uint32_t>(round_up(shared_address(shared_memory), 1024));
    uint8_t* memory = shared_memory + (base - shared_address(shared_memory));
    uint8_t* slab = memory + kStages<n> * kStageBytes;
    auto* sums = reinterpret_cast<float*>(slab + max_slab_tiles * n * kTileRowBytes);
    auto* x_scales = sums + kSumsBytes<n> / 4;
    auto* weight_scales = x_scales + max_slab_tiles * n;  // gate, up
    const uint32_t full = static_cast<uint32_t>(round_up(shared_address(weight_scales + 2 * max_slab_tiles), 8));
    const uint32_t empty = full + kStages<n> * 8;

    const auto [weights, expert] = expert_of(params, item);
    const uint32_t rank = cluster_rank(), parts = cluster_size();
    const int block = blockIdx.x / parts;
    const int first_tile = k_tiles * rank / parts, num_tiles = k_tiles * (rank + 1) / parts - first_tile;

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < kStages<n>; ++stage) {
            barrier_init(full + stage * 8, 1);
            barrier_init(empty + stage * 8, kConsumers / 32);
        }
        barrier_init_fence();
    }
    __syncthreads();
    cluster_arrive();

    float gate[n / 2], up[n / 2];
#pragma unroll
    for (int i = 0; i < n / 2; ++i) gate[i] = up[i] = 0;
    if (threadIdx.x >= kConsumers) {
        if (threadIdx.x == kConsumers) {
            const int64_t row_tile = (expert * params.width + block * kRows) / kTileRows;
            const int64_t source = (row_tile * k_tiles + first_tile) * kTileBytes;
            const int64_t next_rows = int64_t{k_tiles} * kTileBytes;
            for (int tile = 0; tile < num_tiles; ++tile) {
                const int stage = tile % kStages<n>;
                if (tile >= kStages<n>) barrier_wait(empty + stage * 8, (tile / kStages<n> & 1) ^ 1);
                barrier_expect(full + stage * 8, kStageBytes);
                const uint32_t at = base + stage * kStageBytes;
                const int64_t from = source + int64_t{tile} * kTileBytes;
                copy_bulk(at, weights.gate + from, kTileBytes, full + stage * 8);
                copy_bulk(at + kTileBytes, weights.gate + from + next_rows, kTileBytes, full + stage * 8);
                copy_bulk(at + 2 * kTileBytes, weights.up + from, kTileBytes, full + stage * 8);
                copy_bulk(at + 3 * kTileBytes, weights.up + from + next_rows, kTileBytes, full + stage * 8);
            }
        }
    } else {
        if constexpr (operand == Operand::e4m3) {
            const int64_t row = (expert * (params.width / kRows) + block) * k_tiles + first_tile;
            for (int i = threadIdx.x; i < num_tiles; i += kConsumers) {
                weight_scales[i] = weights.gate_scales[row + i];
                weight_scales[max_slab_tiles + i] = weights.up_scales[row + i];
            }
        }
        copy_slab<n, operand>(params, item, k_tiles, first_tile, num_tiles, shared_address(slab), x_scales);
        asm volatile("bar.sync 1, %0;" ::"n"(kConsumers) : "memory");

        const int group = threadIdx.x / 128;
        for (int tile = 0; tile < num_tiles; ++tile) {
            const int stage = tile % kStages<n>;
            barrier_wait(full + stage * 8, tile / kStages<n> & 1);
            const uint32_t weight = base + stage * kStageBytes + group * kTileBytes;
            const uint32_t x = shared_address(slab) + tile * n * kTileRowBytes;
            accumulate<n, operand>(gate, weight, x, x_scales + tile * n, weight_scales[tile], tile == 0);
            accumulate<n, operand>(up, weight + 2 * kTileBytes, x, x_scales + tile * n,
                                   weight_scales[max_slab_tiles + tile], tile == 0);
            if (threadIdx.x % 32 == 0) barrier_arrive(empty + stage * 8);
        }
    }

    cluster_wait();  // every CTA of the cluster runs, so that its shared memory is there
    if (threadIdx.x < kConsumers) {
        send_sums<n>(gate, sums, 0, rank, parts);
        send_sums<n>(up, sums, 1, rank, parts);
    }
    cluster_sync();
    if (threadIdx.x >= kConsumers) return;
    const int its_pairs = n / parts, stride = 2 * its_pairs * kRows;
    for (int own = threadIdx.x / 32; own < its_pairs; own += kConsumers / 32) {
        const int pair = own * parts + rank;
        if (pair >= item.num_pairs) break;
        const float* first = sums + own * kRows + threadIdx.x % 32 * 4;
        const float4 its_gate = sum_of_parts(first, stride, parts);
        const float4 its_up = sum_of_parts(first + its_pairs * kRows, stride, parts);
        store_hidden<operand == Operand::e4m3>(params, item.first_pair + pair, block * kRows, its_gate, its_up);
    }
#endif
}

template <int n, Operand operand>
void launch_for(const Launch& launch, const MoeParams& params) {
    const int k_tiles = params.hidden * (operand == Operand::e4m3 ? 1 : 2) / kTileRowBytes;
    int cluster = 1;
    while (cluster < kMaxCluster && k_tiles / cluster >= 4) cluster *= 2;
    const int slab_tiles = static_cast<int>(ceil_div(k_tiles, cluster));
    launch_kernel(launch, "moe_gate_up_sm90", gate_up_kernel<n, operand>,
                  {.grid = dim3(params.width / kRows * cluster, params.max_items()),
                   .block = dim3(kThreads),
                   .shared_bytes = shared_bytes<n>(slab_tiles),
                   .cluster = cluster},
                  params, k_tiles, slab_tiles);
}

template <int n>
void launch_format(const Launch& launch, const MoeParams& params) {
    if (params.e4m3)
        launch_for<n, Operand::e4m3>(launch, params);
    else
        launch_for<n, Operand::bf16>(launch, params);
}

}  // namespace

void moe_gate_up_sm90(const Launch& launch, const MoeParams& params) {
    switch (params.item_pairs) {
        case 8: return launch_format<8>(launch, params);
        case 16: return launch_format<16>(launch, params);
        case 32: return launch_format<32>(launch, params);
        default: return launch_format<64>(launch, params);
    }
}

}  // namespace glm5::cuda
