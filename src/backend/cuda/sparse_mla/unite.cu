// The union of what the tokens of a group chose: a byte for every position of the context, a bit in it for every token.
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/sparse_mla/groups.h"

namespace glm5::cuda {
namespace {

constexpr int kThreads = 1024;

__global__ void __launch_bounds__(kThreads, 1) unite_kernel(const __grid_constant__ UnionParams params) {
    extern __shared__ uint4 map[];
    __shared__ int warp_counts[32];
    auto* words = reinterpret_cast<uint32_t*>(map);
    const auto* bytes = reinterpret_cast<const uint8_t*>(map);
    const int first_token = blockIdx.x * params.tokens_per_group;
    const int num_tokens = min(params.tokens_per_group, params.num_tokens - first_token);
    const int32_t* chosen = params.chosen + static_cast<int64_t>(first_token) * params.top_k;
    const int32_t* counts = params.counts + first_token;
    bool one_sequence = true;
    int length = 0;
    for (int token = 0; token < num_tokens; ++token) {
        one_sequence &= params.sequence_ids[first_token + token] == params.sequence_ids[first_token];
        if (counts[token] > 0) length = max(length, chosen[token * params.top_k + counts[token] - 1] + 1);
    }
    if (!one_sequence || length > params.max_context_tokens) {
        if (threadIdx.x == 0) params.sizes[blockIdx.x] = 0;
        return;
    }
    for (int i = threadIdx.x; i * 16 < length; i += kThreads) map[i] = {0, 0, 0, 0};
    __syncthreads();
    for (int token = 0; token < num_tokens; ++token)
        for (int i = threadIdx.x; i < counts[token]; i += kThreads) {
            const int position = chosen[token * params.top_k + i];
            atomicOr(words + position / 4, 1u << (position % 4 * 8 + token));
        }
    __syncthreads();

    // Each warp counts, then writes, its share of the positions.
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int share = (length + kThreads - 1) / kThreads * 32;
    const int first = min(length, warp * share), end = min(length, first + share);
    unsigned found = 0;
    for (int i = first + lane; i < end; i += 32) found += bytes[i] != 0;
    found = __reduce_add_sync(kAllLanes, found);
    if (lane == 0) warp_counts[warp] = static_cast<int>(found);
    __syncthreads();
    const auto its_count = static_cast<unsigned>(warp_counts[lane]);
    const int total = static_cast<int>(__reduce_add_sync(kAllLanes, its_count));
    int at = static_cast<int>(__reduce_add_sync(kAllLanes, lane < warp ? its_count : 0u));
    const bool fits = total <= params.list_stride;
    if (threadIdx.x == 0) params.sizes[blockIdx.x] = fits ? total : 0;
    if (!fits) return;
    uint32_t* list = params.lists + blockIdx.x * params.list_stride;
    for (int base = first; base < end; base += 32) {
        const int i = base + lane;
        const uint32_t takers = i < end ? bytes[i] : 0;
        const uint32_t taken = __ballot_sync(kAllLanes, takers != 0);
        if (takers != 0)
            list[at + __popc(taken & ((1u << lane) - 1))] = static_cast<uint32_t>(i) | (~takers & 0xff) << 24;
        at += __popc(taken);
    }
}

}  // namespace

void unite(const Launch& launch, const UnionParams& params) {
    const int64_t groups = ceil_div(params.num_tokens, params.tokens_per_group);
    const auto shared_bytes = static_cast<int>(round_up(params.max_context_tokens, 16));
    check_cuda(cudaFuncSetAttribute(unite_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kMaxUnionContext),
               "unite");
    unite_kernel<<<static_cast<unsigned>(groups), kThreads, shared_bytes, launch.stream>>>(params);
    check_launch("unite");
}

}  // namespace glm5::cuda
