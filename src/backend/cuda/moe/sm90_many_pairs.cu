// gate_up and down on Hopper for many pairs an expert, in e4m3: 128 pairs in the rows of wgmma, 128 rows of weights in
// its columns, so that an item's weights are read once. Two warpgroups have 64 pairs each; a third gathers the pairs
// and streams the weights.
#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/gather.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/wgmma.cuh"
#include "backend/cuda/moe/hidden.cuh"
#include "backend/cuda/moe/items.cuh"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kPairs = 128;
constexpr int kConsumers = 256;
constexpr int kThreads = kConsumers + 128;
constexpr int kOperandBytes = 2 * kTileBytes;  // 128 rows of a k tile

#ifdef GLM5_SM90
// sum += scale · (pairs · weightsᵀ) of one k tile, with the scales of the thread's two pairs.
__device__ void accumulate(float (&sum)[64], uint32_t pairs, uint32_t weights, float scale0, float scale1) {
    float part[64];
    wgmma_fence();
    multiply_tile<kPairs, Operand::e4m3>(part, pairs, weights, false);
    wgmma_commit();
    wgmma_wait<0>();
    keep_registers(part);
#pragma unroll
    for (int i = 0; i < 64; ++i) sum[i] += (i % 4 < 2 ? scale0 : scale1) * part[i];
}
#endif

constexpr int kStages = 4;
constexpr int kStageBytes = 3 * kOperandBytes;  // pairs, gate, up
constexpr int kLag = 2;                         // gathered tiles under way before the oldest is announced
constexpr int kGateUpSharedBytes = 1024 + kStages * kStageBytes + 2 * kStages * 8;

__global__ void __launch_bounds__(kThreads, 1) gate_up_kernel(const __grid_constant__ MoeParams params, int k_tiles) {
#ifdef GLM5_SM90
    let_next_start();
    wait_for_previous();
    MoeItem item;
    if (!find_item(params, blockIdx.y, item)) return;
    extern __shared__ uint8_t shared_memory[];
    const uint32_t base = static_cast<uint32_t>(round_up(shared_address(shared_memory), 1024));
    const uint32_t full = base + kStages * kStageBytes, empty = full + kStages * 8;
    const Expert expert = expert_of(params, item);
    const int block = blockIdx.x;

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < kStages; ++stage) {
            barrier_init(full + stage * 8, 128 + 1);  // each gathering thread, and the weights' bytes
            barrier_init(empty + stage * 8, kConsumers / 32);
        }
        barrier_init_fence();
    }
    __syncthreads();

    if (threadIdx.x >= kConsumers) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        const int row = threadIdx.x - kConsumers;
        const bool exists = row < item.num_pairs;
        const int token = pair_token(params, item.first_pair + (exists ? row : 0));
        const uint8_t* x = static_cast<const uint8_t*>(params.x) + (int64_t{token / kTileRows} * k_tiles) * kTileBytes +
                           token % kTileRows * kTileRowBytes;
        const int64_t first = (expert.index * params.width + block * 128) / kTileRows * k_tiles * kTileBytes;
        const int64_t next_rows = int64_t{k_tiles} * kTileBytes;
        for (int tile = 0; tile < k_tiles + kLag; ++tile) {
            if (tile < k_tiles) {
                const int stage = tile % kStages;
                const uint32_t at = base + stage * kStageBytes, barrier = full + stage * 8;
                if (tile >= kStages) barrier_wait(empty + stage * 8, (tile / kStages & 1) ^ 1);
                if (row == 0) {
                    const int64_t from = first + int64_t{tile} * kTileBytes;
                    barrier_expect(barrier, 2 * kOperandBytes);
                    copy_bulk(at + kOperandBytes, expert.weights.gate + from, kTileBytes, barrier);
                    copy_bulk(at + kOperandBytes + kTileBytes, expert.weights.gate + from + next_rows, kTileBytes,
                              barrier);
                    copy_bulk(at + 2 * kOperandBytes, expert.weights.up + from, kTileBytes, barrier);
                    copy_bulk(at + 2 * kOperandBytes + kTileBytes, expert.weights.up + from + next_rows, kTileBytes,
                              barrier);
                }
                copy_row(at, row, x + int64_t{tile} * kTileBytes, token, exists);
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
    const int row = group * kTileRows + thread / 32 * 16 + thread % 32 / 4;
    const bool works = group * kTileRows < item.num_pairs;
    const int last = item.num_pairs - 1;
    const float* scales0 =
        params.x_scales + scale_index(pair_token(params, item.first_pair + min(row, last)), 0, k_tiles);
    const float* scales1 =
        params.x_scales + scale_index(pair_token(params, item.first_pair + min(row + 8, last)), 0, k_tiles);
    const int64_t scale_row = (expert.index * (params.width / 128) + block) * k_tiles;
    const float *gate_scales = expert.weights.gate_scales + scale_row,
                *up_scales = expert.weights.up_scales + scale_row;
    float gate[64], up[64];
#pragma unroll
    for (int i = 0; i < 64; ++i) gate[i] = up[i] = 0;
    float next0 = __ldg(scales0), next1 = __ldg(scales1), next_gate = __ldg(gate_scales), next_up = __ldg(up_scales);
    for (int tile = 0; tile < k_tiles; ++tile) {
        const float scale0 = next0, scale1 = next1, gate_scale = next_gate, up_scale = next_up;
        const int ahead = min(tile + 1, k_tiles - 1);
        next0 = __ldg(scales0 + ahead * kTileRows), next1 = __ldg(scales1 + ahead * kTileRows);
        next_gate = __ldg(gate_scales + ahead), next_up = __ldg(up_scales + ahead);
        const int stage = tile % kStages;
        const uint32_t at = base + stage * kStageBytes;
        barrier_wait(full + stage * 8, tile / kStages & 1);
        if (works) {
            accumulate(gate, at + group * kTileBytes, at + kOperandBytes, gate_scale * scale0, gate_scale * scale1);
            accumulate(up, at + group * kTileBytes, at + 2 * kOperandBytes, up_scale * scale0, up_scale * scale1);
        }
        if (thread % 32 == 0) barrier_arrive(empty + stage * 8);
    }

    // The 128 values of a pair lie in four lanes.
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int pair = row + half * 8;
        float largest = 0;
#pragma unroll
        for (int i = half * 2; i < 64; i += i % 4 == half * 2 ? 1 : 3) {
            gate[i] = gated(gate[i], up[i]);
            largest = fmaxf(largest, fabsf(gate[i]));
        }
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 1));
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 2));
        if (pair >= item.num_pairs) continue;
        const float scale = fmaxf(largest, 1e-10f) / 448.0f;
        const int64_t place = item.first_pair + pair;
        uint8_t* codes =
            static_cast<uint8_t*>(params.hidden_values) + place * params.width + block * 128 + thread % 4 * 2;
#pragma unroll
        for (int j = 0; j < 16; ++j) {
            const float2 values = make_float2(gate[4 * j + half * 2] / scale, gate[4 * j + half * 2 + 1] / scale);
            *reinterpret_cast<uint16_t*>(codes + j * 8) = __nv_cvt_float2_to_fp8x2(values, __NV_SATFINITE, __NV_E4M3);
        }
        if (thread % 4 == 0) params.hidden_scales[place * (params.width / 128) + block] = scale;
    }
#endif
}

constexpr int kDownStages = 5;
constexpr int kMaxDownTiles = 4;  // of k: what the pairs' slab has room for

int down_shared_bytes(int k_tiles) {
    return 1024 + k_tiles * kOperandBytes + kDownStages * kOperandBytes + (2 * kDownStages + 1) * 8;
}

// A CTA takes some blocks of 128 outputs one after the other; its pairs stay.
__global__ void __launch_bounds__(kThreads, 1)
    down_kernel(const __grid_constant__ MoeParams params, int k_tiles, int blocks_per_cta) {
#ifdef GLM5_SM90
    let_next_start();
    wait_for_previous();
    MoeItem item;
    if (!find_item(params, blockIdx.y, item)) return;
    extern __shared__ uint8_t shared_memory[];
    const uint32_t base = static_cast<uint32_t>(round_up(shared_address(shared_memory), 1024));
    const uint32_t ring = base + k_tiles * kOperandBytes;
    const uint32_t full = ring + kDownStages * kOperandBytes, empty = full + kDownStages * 8,
                   pairs_full = empty + kDownStages * 8;
    const Expert expert = expert_of(params, item);
    const int blocks = params.hidden / 128, first_block = blockIdx.x * blocks_per_cta;
    const int num_steps = (min(blocks, first_block + blocks_per_cta) - first_block) * k_tiles;

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < kDownStages; ++stage) {
            barrier_init(full + stage * 8, 1);
            barrier_init(empty + stage * 8, kConsumers / 32);
        }
        barrier_init(pairs_full, 128);
        barrier_init_fence();
    }
    __syncthreads();

    if (threadIdx.x >= kConsumers) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        const int row = threadIdx.x - kConsumers;
        const bool exists = row < item.num_pairs;
        const uint8_t* hidden = static_cast<const uint8_t*>(params.hidden_values) +
                                int64_t{item.first_pair + (exists ? row : 0)} * params.width;
        for (int tile = 0; tile < k_tiles; ++tile)
            copy_row(base + tile * kOperandBytes, row, hidden + tile * kTileRowBytes, kPlainRow, exists);
        copy_async_wait<0>();
        async_proxy_fence();
        barrier_arrive(pairs_full);
        if (row != 0) return;
        const uint8_t* source =
            expert.weights.down + (expert.index * (params.hidden / kTileRows) + first_block * 2) * k_tiles * kTileBytes;
        const int64_t next_rows = int64_t{k_tiles} * kTileBytes;
        for (int step = 0; step < num_steps; ++step) {
            const int stage = step % kDownStages;
            const uint32_t at = ring + stage * kOperandBytes, barrier = full + stage * 8;
            if (step >= kDownStages) barrier_wait(empty + stage * 8, (step / kDownStages & 1) ^ 1);
            const uint8_t* from = source + (int64_t{step / k_tiles} * 2 * k_tiles + step % k_tiles) * kTileBytes;
            barrier_expect(barrier, kOperandBytes);
            copy_bulk(at, from, kTileBytes, barrier);
            copy_bulk(at + kTileBytes, from + next_rows, kTileBytes, barrier);
        }
        return;
    }

    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    const int group = threadIdx.x / 128, thread = threadIdx.x % 128;
    const int row = group * kTileRows + thread / 32 * 16 + thread % 32 / 4;
    const bool works = group * kTileRows < item.num_pairs;
    float scales0[kMaxDownTiles], scales1[kMaxDownTiles];
#pragma unroll
    for (int tile = 0; tile < kMaxDownTiles; ++tile) {
        const int last = item.num_pairs - 1, at = min(tile, k_tiles - 1);
        scales0[tile] = params.hidden_scales[int64_t{item.first_pair + min(row, last)} * k_tiles + at];
        scales1[tile] = params.hidden_scales[int64_t{item.first_pair + min(row + 8, last)} * k_tiles + at];
    }
    barrier_wait(pairs_full, 0);
    auto* partial = reinterpret_cast<bf16*>(params.partial);
    for (int step = 0; step < num_steps;) {
        const int block = first_block + step / k_tiles;
        float sum[64];
#pragma unroll
        for (float& value : sum) value = 0;
#pragma unroll
        for (int tile = 0; tile < kMaxDownTiles; ++tile) {
            if (tile >= k_tiles) break;
            const int stage = step % kDownStages;
            const float weight_scale =
                __ldg(expert.weights.down_scales + (expert.index * blocks + block) * k_tiles + tile);
            barrier_wait(full + stage * 8, step / kDownStages & 1);
            if (works)
                accumulate(sum, base + tile * kOperandBytes + group * kTileBytes, ring + stage * kOperandBytes,
                           weight_scale * scales0[tile], weight_scale * scales1[tile]);
            if (thread % 32 == 0) barrier_arrive(empty + stage * 8);
            ++step;
        }
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int pair = row + half * 8;
            if (pair >= item.num_pairs) continue;
            bf16* out = partial + int64_t{item.first_pair + pair} * params.hidden + block * 128 + thread % 4 * 2;
#pragma unroll
            for (int j = 0; j < 16; ++j)
                *reinterpret_cast<__nv_bfloat162*>(out + j * 8) =
                    __floats2bfloat162_rn(sum[4 * j + half * 2], sum[4 * j + half * 2 + 1]);
        }
    }
#endif
}

}  // namespace

void moe_many_pairs_sm90(const Launch& launch, const MoeParams& params) {
    constexpr int kBlocksPerCta = 8;
    const auto items = static_cast<unsigned>(params.max_items());
    launch_kernel(
        launch, "moe_gate_up_many_sm90", gate_up_kernel,
        {.grid = dim3(params.width / 128, items), .block = dim3(kThreads), .shared_bytes = kGateUpSharedBytes}, params,
        params.hidden / kTileRowBytes);
    const int k_tiles = params.width / kTileRowBytes;
    launch_kernel(launch, "moe_down_many_sm90", down_kernel,
                  {.grid = dim3(static_cast<unsigned>(ceil_div(params.hidden / 128, kBlocksPerCta)), items),
                   .block = dim3(kThreads),
                   .shared_bytes = down_shared_bytes(k_tiles)},
                  params, k_tiles, kBlocksPerCta);
}

bool moe_many_pairs_sm90_fits(const MoeParams& params) {
    return params.e4m3 && params.sorted && params.width / kTileRowBytes <= kMaxDownTiles;
}

}  // namespace glm5::cuda
