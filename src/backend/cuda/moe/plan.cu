// The first and the last part of moe: the pairs in order of their experts, and the sum of the experts' outputs.
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/moe/items.cuh"

namespace glm5::cuda {
namespace {

constexpr int kPlanThreads = 1024;
constexpr int kWarps = kPlanThreads / 32;
constexpr int kMaxExperts = 256;

// The sum over the threads before this one of a block of kPlanThreads; `total` of all.
__device__ int exclusive_sum(int value, int& total) {
    __shared__ int warp_sums[kWarps];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int inclusive = value;
    for (int distance = 1; distance < 32; distance *= 2) {
        const int other = __shfl_up_sync(~0u, inclusive, distance);
        if (lane >= distance) inclusive += other;
    }
    __syncthreads();
    if (lane == 31) warp_sums[warp] = inclusive;
    __syncthreads();
    int before = 0;
    total = 0;
    for (int i = 0; i < kWarps; ++i) {
        if (i < warp) before += warp_sums[i];
        total += warp_sums[i];
    }
    return before + inclusive - value;
}

// A counting sort in one block. Warps own consecutive ranges of pairs, so that the pairs of an expert keep the order
// of their tokens, whatever runs when.
__global__ void __launch_bounds__(kPlanThreads) plan_kernel(const __grid_constant__ MoeParams params) {
    __shared__ int counts[kWarps][kMaxExperts];  // of a warp's range; then where its pairs of an expert begin
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int pairs = params.num_tokens * params.slots;
    const int range = static_cast<int>(ceil_div(ceil_div(pairs, kWarps), 32)) * 32;
    const int begin = min(pairs, warp * range), end = min(pairs, begin + range);
    for (int expert = lane; expert < kMaxExperts; expert += 32) counts[warp][expert] = 0;
    __syncwarp();
    let_next_start();
    wait_for_previous();
    for (int first = begin; first < end; first += 32) {
        const int pair = first + lane;
        const int expert = pair < end ? params.expert_ids[pair] : -1;
        const unsigned same = __match_any_sync(~0u, expert);
        if (expert >= 0 && __ffs(same) - 1 == lane) counts[warp][expert] += __popc(same);
        __syncwarp();
    }
    __syncthreads();

    // Thread e has expert e.
    int count = 0;
    if (threadIdx.x < params.num_experts)
        for (int i = 0; i < kWarps; ++i) {
            const int of_warp = counts[i][threadIdx.x];
            counts[i][threadIdx.x] = count;
            count += of_warp;
        }
    int all, num_items;
    const int first_pair = exclusive_sum(count, all);
    const int num_chunks = (count + params.item_pairs - 1) / params.item_pairs;
    const int first_item = exclusive_sum(num_chunks, num_items);
    if (threadIdx.x < params.num_experts) {
        for (int i = 0; i < kWarps; ++i) counts[i][threadIdx.x] += first_pair;
        for (int i = 0; i < num_chunks; ++i) {
            const int start = i * params.item_pairs;
            params.items[first_item + i] = {static_cast<int>(threadIdx.x), first_pair + start,
                                            min(params.item_pairs, count - start)};
        }
    }
    const int shared_items = (params.num_tokens + params.item_pairs - 1) / params.item_pairs;
    for (int i = threadIdx.x; i < shared_items; i += kPlanThreads) {
        const int start = i * params.item_pairs;
        params.items[num_items + i] = {params.num_experts, pairs + start,
                                       min(params.item_pairs, params.num_tokens - start)};
    }
    if (threadIdx.x == 0) *params.num_items = num_items + shared_items;
    __syncthreads();

    for (int first = begin; first < end; first += 32) {
        const int pair = first + lane;
        const int expert = pair < end ? params.expert_ids[pair] : -1;
        const unsigned same = __match_any_sync(~0u, expert);
        if (expert >= 0) {
            const int place = counts[warp][expert] + __popc(same & ((1u << lane) - 1));
            params.pair_tokens[place] = pair / params.slots;
            params.pair_places[pair / params.slots * (params.slots + 1) + pair % params.slots] = place;
        }
        __syncwarp();
        if (expert >= 0 && __ffs(same) - 1 == lane) counts[warp][expert] += __popc(same);
        __syncwarp();
    }
    for (int token = threadIdx.x; token < params.num_tokens; token += kPlanThreads) {
        params.pair_tokens[pairs + token] = token;
        params.pair_places[token * (params.slots + 1) + params.slots] = pairs + token;
    }
}

constexpr int kFinishThreads = 128;

template <bool is_bf16>
__device__ float4 load_partial(const void* partial, int64_t at) {
    if constexpr (!is_bf16) return *reinterpret_cast<const float4*>(static_cast<const float*>(partial) + at);
    const uint2 words = *reinterpret_cast<const uint2*>(static_cast<const bf16*>(partial) + at);
    return make_float4(__uint_as_float(words.x << 16), __uint_as_float(words.x & 0xffff0000u),
                       __uint_as_float(words.y << 16), __uint_as_float(words.y & 0xffff0000u));
}

// Four outputs of a token a thread.
template <bool is_bf16>
__global__ void __launch_bounds__(kFinishThreads) finish_kernel(const __grid_constant__ MoeParams params) {
    const int token = blockIdx.y, at = (blockIdx.x * kFinishThreads + threadIdx.x) * 4;
    let_next_start();
    wait_for_previous();
    if (at >= params.hidden) return;
    const float* weights = params.expert_weights + int64_t{token} * params.slots;
    float4 sum = make_float4(0, 0, 0, 0);
    for (int slot = 0; slot <= params.slots; ++slot) {
        const float4 part =
            load_partial<is_bf16>(params.partial, int64_t{pair_place(params, token, slot)} * params.hidden + at);
        const float weight = slot < params.slots ? weights[slot] : 1.0f;
        sum.x += weight * part.x;
        sum.y += weight * part.y;
        sum.z += weight * part.z;
        sum.w += weight * part.w;
    }
    union {
        uint2 words;
        __nv_bfloat162 pairs[2];
    } out;
    out.pairs[0] = __floats2bfloat162_rn(sum.x, sum.y);
    out.pairs[1] = __floats2bfloat162_rn(sum.z, sum.w);
    *reinterpret_cast<uint2*>(params.out + int64_t{token} * params.hidden + at) = out.words;
}

}  // namespace

void moe_plan(const Launch& launch, const MoeParams& params) {
    launch_kernel(launch, "moe_plan", plan_kernel, {.grid = dim3(1), .block = dim3(kPlanThreads)}, params);
}

void moe_finish(const Launch& launch, const MoeParams& params) {
    const auto blocks = static_cast<unsigned>(ceil_div(params.hidden, kFinishThreads * 4));
    launch_kernel(launch, "moe_finish", params.many_pairs ? finish_kernel<true> : finish_kernel<false>,
                  {.grid = dim3(blocks, params.num_tokens), .block = dim3(kFinishThreads)}, params);
}

}  // namespace glm5::cuda
