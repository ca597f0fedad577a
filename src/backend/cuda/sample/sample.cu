// A cluster of CTAs per row, which keeps the row in its shared memory through all steps of ops/sample.h.
#include "backend/cuda/sample/sample.h"

#include "backend/cuda/sample/cut.cuh"
#include "backend/cuda/sample/row.cuh"
#include "ops/sampling_math.h"

namespace glm5::cuda {
namespace {

// Steps 1 and 2. An id stands at most once in each list.
__device__ void edit(const SampleParams& params, RowPart& part, int row) {
    const int edits_end = params.edit_start[row + 1], history_end = params.history_start[row + 1];
    for (int i = params.edit_start[row] + threadIdx.x; i < edits_end; i += kSampleThreads) {
        const int at = params.edit_ids[i] - part.first_id;
        if (at >= 0 && at < part.count) part.values[at] += params.edit_values[i];
    }
    __syncthreads();
    const float repetition = params.repetition_penalty[row], presence = params.presence_penalty[row];
    const float frequency = params.frequency_penalty[row];
    for (int i = params.history_start[row] + threadIdx.x; i < history_end; i += kSampleThreads) {
        const int at = params.history_ids[i] - part.first_id;
        if (at < 0 || at >= part.count) continue;
        part.values[at] =
            ops::penalised(part.values[at], repetition, presence, frequency, params.history_counts[i]);
    }
}

// Step 3, and the largest value with its id, ranked.
__device__ uint64_t largest_logit(RowPart& part) {
    float top = -INFINITY;
    int best = part.first_id;
    for (int i = threadIdx.x; i < part.count; i += kSampleThreads) {
        const float value = ops::usable_logit(part.values[i]);
        part.values[i] = value;
        if (value > top) top = value, best = part.first_id + i;
    }
    return cluster_max(part, ranked(top, best));
}

// x of step 4; -inf for ids that steps 4 and 5 remove.
__device__ void to_differences(RowPart& part, float largest, float temperature, float min_p) {
    for (int i = threadIdx.x; i < part.count; i += kSampleThreads) {
        const float x = (part.values[i] - largest) / temperature;
        const bool stays = x > -INFINITY && !(min_p > 0 && ops::sampling_exp(x) < min_p);
        part.values[i] = stays ? x : -INFINITY;
    }
}

// Step 8; 0 when nothing stayed.
__device__ uint64_t winner(RowPart& part, const Cut& cut, uint64_t seed, uint32_t position) {
    float best_score = -INFINITY;
    int best = -1;
    for (int i = threadIdx.x; i < part.count; i += kSampleThreads) {
        const float x = part.values[i];
        const int id = part.first_id + i;
        if (!cut.keeps(order_key(x), id)) continue;
        const uint32_t word = ops::random_word(seed, position, static_cast<uint32_t>(id));
        if (x + ops::gumbel_bound(word) < best_score) continue;
        const float score = x + ops::gumbel(word);
        if (score > best_score) best_score = score, best = id;
    }
    return cluster_max(part, best < 0 ? 0 : ranked(best_score, best));
}

__global__ void __cluster_dims__(kRanks, 1, 1) __launch_bounds__(kSampleThreads, 2) sample_kernel(SampleParams params) {
    extern __shared__ float values[];
    __shared__ RowShared shared;
    const int row = static_cast<int>(blockIdx.x) / kRanks;
    const uint32_t rank = cluster_rank();
    const int per_rank = (params.num_ids + kRanks - 1) / kRanks;
    const int first_id = static_cast<int>(rank) * per_rank;
    const int count = max(0, min(per_rank, params.num_ids - first_id));
    RowPart part{.shared = shared, .values = values, .first_id = first_id, .count = count, .rank = rank};

    const float* __restrict__ logits = params.logits + row * params.stride + first_id;
#pragma unroll 8
    for (int i = threadIdx.x; i < count; i += kSampleThreads) values[i] = logits[i];
    __syncthreads();
    edit(params, part, row);
    cluster_sync();  // from here on the CTAs write into each other's shared memory

    const uint64_t largest_ranked = largest_logit(part);
    const float largest = order_value(static_cast<uint32_t>(largest_ranked >> 32));
    const float temperature = params.temperature[row];
    const bool leads = rank == 0 && threadIdx.x == 0;
    if (largest == -INFINITY || temperature == 0) {
        if (leads) params.tokens[row] = largest == -INFINITY ? 0 : ranked_id(largest_ranked);
        return;
    }
    to_differences(part, largest, temperature, params.min_p[row]);
    Cut cut = keep_all_above_minus_infinity();
    const int top_k = params.top_k[row];
    const float top_p = params.top_p[row];
    if (top_k > 0) cut = narrow(part, CountRule{static_cast<uint64_t>(top_k)}, cut);
    if (top_p < 1) cut = narrow(part, MassRule{top_p}, cut);
    const uint64_t chosen = winner(part, cut, static_cast<uint64_t>(params.seed[row]),
                                   static_cast<uint32_t>(params.position[row]));
    if (leads) params.tokens[row] = chosen == 0 ? 0 : ranked_id(chosen);
}

}  // namespace

void sample(const Launch& launch, const SampleParams& params) {
    if (params.rows == 0) return;
    const auto shared_bytes = static_cast<int>(ceil_div(params.num_ids, kRanks) * sizeof(float));
    check_cuda(cudaFuncSetAttribute(sample_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes),
               "shared memory for a row of logits");
    sample_kernel<<<static_cast<unsigned>(params.rows * kRanks), kSampleThreads, shared_bytes, launch.stream>>>(params);
    check_launch("sample");
}

}  // namespace glm5::cuda
