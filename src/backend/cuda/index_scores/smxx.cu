// Index scores by mma.sync m16n8k16 on every architecture: a warp has 16 keys in the rows and the 32 heads of a token in
// the columns. e4m3 values become f16, which holds them exactly, so that scores have the precision of f32 sums.
#include "backend/cuda/device/tile_product.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/index_scores/tile.cuh"

namespace glm5::cuda {
namespace {

constexpr int kThreads = 128;  // a page: 16 keys a warp
constexpr int kQueryWords = 16;  // uint4 of a lane and token

__device__ inline uint32_t word(const uint4& value, int i) {
    return i == 0 ? value.x : i == 1 ? value.y : i == 2 ? value.z : value.w;
}

// A token's heads as column operands: of columns 8 u …, halves j of the dimensions, words 2 i and 2 i + 1 of the lane's 16
// bytes, at [u · 4 + j · 2 + i].
__device__ inline void load_query(uint4 (&operands)[kQueryWords], const uint8_t* token, int lane) {
#pragma unroll
    for (int u = 0; u < 4; ++u)
#pragma unroll
        for (int j = 0; j < 2; ++j) {
            const uint4 codes = __ldg(reinterpret_cast<const uint4*>(
                token + head_of_column(u * 8 + lane / 4) * kIndexDim + j * 64 + lane % 4 * 16));
            uint4* out = &operands[u * 4 + j * 2];
            expand_e4m3(codes.x, out[0].x, out[0].y);
            expand_e4m3(codes.y, out[0].z, out[0].w);
            expand_e4m3(codes.z, out[1].x, out[1].y);
            expand_e4m3(codes.w, out[1].z, out[1].w);
        }
}

struct HeadWeights {
    float4 low, high;  // heads 8 q … 8 q + 7
    __device__ float of(int u, int e) const {
        const float4& four = u < 2 ? low : high;
        return u % 2 == 0 ? (e == 0 ? four.x : four.y) : (e == 0 ? four.z : four.w);
    }
};
__device__ inline HeadWeights load_weights(const float* token, int lane) {
    const auto* four = reinterpret_cast<const float4*>(token + lane % 4 * 8);
    return {__ldg(four), __ldg(four + 1)};
}

// Scores of keys g and g + 8, complete in every lane.
__device__ inline float2 score(const IndexKeys& keys, const uint4 (&query)[kQueryWords], const HeadWeights& weights) {
    float d[4][4] = {};
#pragma unroll
    for (int step = 0; step < 8; ++step) {
        const int j = step / 4, i = step % 4;
        uint32_t a0, a1, a2, a3;
        expand_e4m3(word(keys.values[0][j], i), a0, a2);
        expand_e4m3(word(keys.values[1][j], i), a1, a3);
#pragma unroll
        for (int u = 0; u < 4; ++u) {
            const uint4& b = query[u * 4 + j * 2 + i / 2];
            mma_f16(d[u], a0, a1, a2, a3, i % 2 == 0 ? b.x : b.z, i % 2 == 0 ? b.y : b.w);
        }
    }
    float2 sum = {0, 0};
#pragma unroll
    for (int u = 0; u < 4; ++u)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
            sum.x += fmaxf(d[u][e], 0.0f) * weights.of(u, e);
            sum.y += fmaxf(d[u][2 + e], 0.0f) * weights.of(u, e);
        }
    return {sum_over<4>(sum.x) * keys.scales[0], sum_over<4>(sum.y) * keys.scales[1]};
}

__device__ inline void store(const IndexScoresParams& params, int token, int page, int lane, float2 score) {
    const int key = page * kPage + threadIdx.x / 32 * 16 + lane / 4;
    float* row = params.scores + token * params.stride + key;
    if (lane % 4 == 0) row[0] = score.x;
    if (lane % 4 == 1) row[8] = score.y;
}

// A token a CTA; its query stays in registers.
__global__ void __launch_bounds__(kThreads, 3) index_scores_kernel(const __grid_constant__ IndexScoresParams params) {
    const int token = blockIdx.y, lane = threadIdx.x % 32;
    const Run run = run_from(params, token, token + 1);
    if (static_cast<int>(blockIdx.x) >= run.pages) return;
    KeyStream stream(params, run.sequence, blockIdx.x, gridDim.x, run.pages, threadIdx.x / 32 * 16, lane);
    uint4 query[kQueryWords];
    load_query(query, params.query + static_cast<int64_t>(token) * kIndexHeads * kIndexDim, lane);
    const HeadWeights weights = load_weights(params.weights + static_cast<int64_t>(token) * kIndexHeads, lane);
    stream.for_each([&](const IndexKeys& keys, int page) {
        store(params, token, page, lane, score(keys, query, weights));
    });
}

// Several tokens a CTA, which share the keys; their queries lie in shared memory as the warps read them.
constexpr int kTokens = 4;

__global__ void __launch_bounds__(kThreads, 3)
    index_scores_tile_kernel(const __grid_constant__ IndexScoresParams params) {
    __shared__ uint4 queries[kTokens][kQueryWords][32];
    const int first = blockIdx.y * kTokens, end = min(params.num_tokens, first + kTokens);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    static_assert(kTokens == kThreads / 32);
    if (first + warp < end) {
        uint4 query[kQueryWords];
        load_query(query, params.query + static_cast<int64_t>(first + warp) * kIndexHeads * kIndexDim, lane);
#pragma unroll
        for (int i = 0; i < kQueryWords; ++i) queries[warp][i][lane] = query[i];
    }
    __syncthreads();
    for (int begin = first; begin < end;) {
        const Run run = run_from(params, begin, end);
        KeyStream stream(params, run.sequence, blockIdx.x, gridDim.x, run.pages, warp * 16, lane);
        stream.for_each([&](const IndexKeys& keys, int page) {
            for (int token = run.begin; token < run.end; ++token) {
                uint4 query[kQueryWords];
#pragma unroll
                for (int i = 0; i < kQueryWords; ++i) query[i] = queries[token - first][i][lane];
                const HeadWeights weights =
                    load_weights(params.weights + static_cast<int64_t>(token) * kIndexHeads, lane);
                store(params, token, page, lane, score(keys, query, weights));
            }
        });
        begin = run.end;
    }
}

}  // namespace

void index_scores(const Launch& launch, const IndexScoresParams& params) {
    if (params.num_tokens == 0) return;
    constexpr int kManyTokens = 8;
    if (launch.architecture == 90 && params.tokens_per_sequence >= kManyTokens)
        return index_scores_sm90(launch, params);
    const bool shared = params.tokens_per_sequence > 1;
    const int64_t tiles = shared ? ceil_div(params.num_tokens, kTokens) : params.num_tokens;
    // Three CTAs live on an SM. More of them than that even out contexts of different lengths.
    const int64_t wanted = int64_t{3} * launch.num_sms * (tiles == 1 ? 1 : 2);
    const dim3 grid(index_splits(params, tiles, wanted), static_cast<unsigned>(tiles));
    if (shared)
        index_scores_tile_kernel<<<grid, kThreads, 0, launch.stream>>>(params);
    else
        index_scores_kernel<<<grid, kThreads, 0, launch.stream>>>(params);
    check_launch("index_scores");
}

}  // namespace glm5::cuda
