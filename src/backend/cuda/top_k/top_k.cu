// Exact top-k of rows of scores. A cluster of CTAs has a row, each CTA a contiguous slice of it in shared memory.
//
// 1. The smallest and largest score of the row.
// 2. A histogram of 2048 bins of equal width between them. The bin is a monotone function of the score in floating point
//    too, so the bin of the k-th largest divides the row exactly: higher bins are chosen, lower ones not.
// 3. The scores in that bin, usually a few dozen: the wanted one is found by ranking all of them against each other. Are
//    there too many (equal scores, far outliers), or is the range not finite, the bin is refined by radix over the scores'
//    order-preserving bits, 11 + 11 + 10 of them.
// 4. Each warp counts and then writes the chosen positions of its contiguous share, in order. Of the scores equal to the
//    k-th, those with the lowest positions are taken.
#include <cmath>

#include "backend/cuda/device/cluster.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/order.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/top_k/top_k.h"

namespace glm5::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / 32;
constexpr int kBins = 2 * kThreads;
constexpr int kMaxRanked = kThreads / 2;
constexpr int kMaxRanks = 8;  // CTAs of a cluster

// NaN is the least.
__device__ inline uint32_t sort_key(float score) {
    return score != score ? 0 : order_key(score);
}

struct Shared {
    uint32_t bins[kBins];
    uint32_t candidates[kMaxRanked];      // keys in the bin of the k-th, of this CTA's slice
    uint32_t all_candidates[kMaxRanked];  // of the row
    int num_candidates;
    float smallest, largest;       // of the slice
    int greater, equal;            // in the slice: keys above and at the threshold
    int bin, above, in_bin;        // of the row: the bin of the k-th, how many lie above it and in it
    uint32_t threshold;            // the key of the k-th largest
    int equal_wanted;              // how many keys of its value are chosen
    int warp_first[kWarps], warp_second[kWarps];
    float warp_smallest[kWarps], warp_largest[kWarps];
};

struct Row {
    Shared& memory;
    const float* slice;  // shared memory, or device memory if it is too long
    int count;           // scores in it
    int begin;           // position of its first
    int rank, ranks;
    int lane, warp;

    float low = 0, bins_per_unit = 0;

    __device__ void sync() const {
        if (ranks > 1)
            cluster_sync();
        else
            __syncthreads();
    }
    template <typename T>
    __device__ const T& of_rank(const T& value, int other) const {
        return ranks > 1 ? *cluster_pointer(&value, other) : value;
    }

    __device__ int bin_of(float score) const {
        return score != score ? 0 : min(kBins - 1, __float2int_rz((score - low) * bins_per_unit));
    }

    // For every score of the slice, and for the lanes beyond its end, so that warps stay whole.
    template <typename Use>
    __device__ void for_each(const Use& use) const {
        for (int base = 0; base < count; base += kThreads) {
            const int i = base + static_cast<int>(threadIdx.x);
            use(i < count ? slice[i] : 0.0f, i < count);
        }
    }
    // Counts `bin` if `valid`. Often a warp has one bin only, as where most scores are zero.
    __device__ void count_in(int bin, bool valid) const {
        const int first = __shfl_sync(kAllLanes, bin, 0);  // by every lane, valid or not
        if (__all_sync(kAllLanes, valid && bin == first)) {
            if (lane == 0) atomicAdd(&memory.bins[bin], 32u);
        } else if (valid) {
            atomicAdd(&memory.bins[bin], 1u);
        }
    }
    __device__ void clear_bins() const {
        for (int i = threadIdx.x; i < kBins; i += kThreads) memory.bins[i] = 0;
    }

    // Loads the slice, finds the row's range and clears the bins.
    __device__ void load(const float* scores, float* room) {
        float smallest = INFINITY, largest = -INFINITY;
        for (int i = threadIdx.x * 4; i < count; i += kThreads * 4) {
            const float4 four = *reinterpret_cast<const float4*>(scores + i);
            if (room != nullptr) *reinterpret_cast<float4*>(room + i) = four;
            const float values[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                if (i + j >= count) continue;
                smallest = fminf(smallest, values[j]);
                largest = fmaxf(largest, values[j]);
            }
        }
        slice = room != nullptr ? room : scores;
        clear_bins();
        if (threadIdx.x == 0) memory.num_candidates = 0;
        smallest = -max_over(-smallest);
        largest = max_over(largest);
        if (lane == 0) memory.warp_smallest[warp] = smallest, memory.warp_largest[warp] = largest;
        __syncthreads();
        smallest = -max_over(-memory.warp_smallest[lane]);
        largest = max_over(memory.warp_largest[lane]);
        if (ranks > 1) {
            if (threadIdx.x == 0) memory.smallest = smallest, memory.largest = largest;
            cluster_sync();
            for (int other = 0; other < ranks; ++other) {
                smallest = fminf(smallest, of_rank(memory.smallest, other));
                largest = fmaxf(largest, of_rank(memory.largest, other));
            }
        }
        low = smallest;
        const float range = largest - smallest, per_unit = kBins / range;
        bins_per_unit = range > 0 && per_unit < INFINITY ? per_unit : 0;  // 0 puts all into bin 0
    }

    // Bin, above and in_bin of the `wanted`-th largest, from the bins of all CTAs. Ends with a barrier of the CTA.
    __device__ void find_bin(int wanted) const {
        // This thread's two bins, the higher one first; threads go down.
        const int pair = kThreads - 1 - static_cast<int>(threadIdx.x);
        uint2 counts = {0, 0};
#pragma unroll 8
        for (int other = 0; other < ranks; ++other) {
            const uint2 its = of_rank(reinterpret_cast<const uint2*>(memory.bins)[pair], other);
            counts.x += its.x;
            counts.y += its.y;
        }
        const int both = static_cast<int>(counts.x + counts.y);
        int sum = both;
        for (int step = 1; step < 32; step *= 2) {
            const int before = __shfl_up_sync(kAllLanes, sum, step);
            if (lane >= step) sum += before;
        }
        if (lane == 31) memory.warp_first[warp] = sum;
        __syncthreads();
        sum += sum_below(memory.warp_first[lane]);
        int above = sum - both;
        if (above < wanted && wanted <= sum) {
            const bool lower = above + static_cast<int>(counts.y) < wanted;
            memory.bin = pair * 2 + (lower ? 0 : 1);
            memory.above = lower ? above + static_cast<int>(counts.y) : above;
            memory.in_bin = static_cast<int>(lower ? counts.x : counts.y);
        }
        __syncthreads();
    }
    // The sum of the values of lanes below this warp's number: of what earlier warps have counted.
    __device__ int sum_below(int value) const {
        return static_cast<int>(__reduce_add_sync(kAllLanes, lane < warp ? static_cast<unsigned>(value) : 0u));
    }

    // The threshold among few keys in the bin.
    __device__ void rank_candidates(int bin, int in_bin, int wanted) {
        for_each([&](float score, bool valid) {
            if (valid && bin_of(score) == bin) memory.candidates[atomicAdd(&memory.num_candidates, 1)] = sort_key(score);
        });
        sync();
        const uint32_t* keys = memory.candidates;
        if (ranks > 1) {
            int first = 0;
            for (int other = 0; other < ranks; ++other) {
                const int its = of_rank(memory.num_candidates, other);
                for (int i = threadIdx.x; i < its; i += kThreads)
                    memory.all_candidates[first + i] = of_rank(memory.candidates[i], other);
                first += its;
            }
            __syncthreads();
            keys = memory.all_candidates;
        }
        // Two lanes compare a key with all others.
        const int index = threadIdx.x / 2;
        if (warp * 16 >= in_bin) return;
        const uint32_t key = keys[min(index, in_bin - 1)];
        int greater = 0, equal = 0;
        for (int i = lane % 2; i < in_bin; i += 2) {
            greater += keys[i] > key;
            equal += keys[i] == key;
        }
        greater += __shfl_xor_sync(kAllLanes, greater, 1);
        equal += __shfl_xor_sync(kAllLanes, equal, 1);
        if (index < in_bin && greater < wanted && wanted <= greater + equal) {
            memory.threshold = key;
            memory.equal_wanted = wanted - greater;
        }
    }

    // The threshold among any number of keys in the bin.
    __device__ void refine(int bin, int wanted) {
        uint32_t prefix = 0;
        int shift = 32;
        for (int round = 0; round < 3; ++round) {
            const int bits = round < 2 ? 11 : 10;
            sync();  // every CTA has read the bins
            clear_bins();
            __syncthreads();
            shift -= bits;
            for_each([&](float score, bool valid) {
                const uint32_t key = sort_key(score);
                const bool counts = valid && bin_of(score) == bin && (shift + bits == 32 || key >> (shift + bits) == prefix);
                count_in(static_cast<int>(key >> shift & ((1u << bits) - 1)), counts);
            });
            sync();
            find_bin(wanted);
            prefix = prefix << bits | static_cast<uint32_t>(memory.bin);
            wanted -= memory.above;
        }
        if (threadIdx.x == 0) {
            memory.threshold = prefix;
            memory.equal_wanted = wanted;
        }
    }

    __device__ void find_threshold(int top_k) {
        for_each([&](float score, bool valid) { count_in(bin_of(score), valid); });
        sync();
        find_bin(top_k);
        const int bin = memory.bin, in_bin = memory.in_bin, wanted = top_k - memory.above;
        if (in_bin <= kMaxRanked)
            rank_candidates(bin, in_bin, wanted);
        else
            refine(bin, wanted);
        __syncthreads();
    }

    // Writes the chosen positions.
    __device__ void emit(int32_t* chosen) const {
        const uint32_t threshold = memory.threshold, lanes_below = (1u << lane) - 1;
        const int share = (count + kThreads - 1) / kThreads * 32;  // of a warp
        const int first = min(count, warp * share), end = min(count, first + share);
        int greater = 0, equal = 0;
        for (int i = first + lane; i < end; i += 32) {
            const uint32_t key = sort_key(slice[i]);
            greater += key > threshold;
            equal += key == threshold;
        }
        greater = static_cast<int>(__reduce_add_sync(kAllLanes, static_cast<unsigned>(greater)));
        equal = static_cast<int>(__reduce_add_sync(kAllLanes, static_cast<unsigned>(equal)));
        if (lane == 0) memory.warp_first[warp] = greater, memory.warp_second[warp] = equal;
        __syncthreads();
        // Of this slice before this warp's share, then of the slices before.
        greater = sum_below(memory.warp_first[lane]);
        equal = sum_below(memory.warp_second[lane]);
        if (ranks > 1) {
            const unsigned all_greater = __reduce_add_sync(kAllLanes, static_cast<unsigned>(memory.warp_first[lane]));
            const unsigned all_equal = __reduce_add_sync(kAllLanes, static_cast<unsigned>(memory.warp_second[lane]));
            if (threadIdx.x == 0) {
                memory.greater = static_cast<int>(all_greater);
                memory.equal = static_cast<int>(all_equal);
            }
            cluster_sync();
            for (int other = 0; other < rank; ++other) {
                greater += of_rank(memory.greater, other);
                equal += of_rank(memory.equal, other);
            }
        }
        for (int base = first; base < end; base += 32) {
            const int i = base + lane;
            const uint32_t key = i < end ? sort_key(slice[i]) : 0;
            const uint32_t greater_lanes = __ballot_sync(kAllLanes, i < end && key > threshold);
            const uint32_t equal_lanes = __ballot_sync(kAllLanes, i < end && key == threshold);
            const int equal_before = equal + __popc(equal_lanes & lanes_below);
            const int at = greater + __popc(greater_lanes & lanes_below) + min(equal_before, memory.equal_wanted);
            const bool is_equal = equal_lanes >> lane & 1;
            if ((greater_lanes >> lane & 1) || (is_equal && equal_before < memory.equal_wanted)) chosen[at] = begin + i;
            greater += __popc(greater_lanes);
            equal += __popc(equal_lanes);
        }
    }
};

__global__ void __launch_bounds__(kThreads, 1)
    top_k_kernel(const __grid_constant__ TopKParams params, int ranks, int capacity) {
    __shared__ Shared memory;
    extern __shared__ float4 room[];
    let_next_start();
    wait_for_previous();
    const int token = blockIdx.x / ranks, rank = blockIdx.x % ranks;
    const int n = params.positions[token] + 1;
    int32_t* chosen = params.chosen + static_cast<int64_t>(token) * params.top_k;
    if (n <= params.top_k) {
        for (int i = rank * kThreads + threadIdx.x; i < params.top_k; i += ranks * kThreads) chosen[i] = i < n ? i : -1;
        if (rank == 0 && threadIdx.x == 0) params.counts[token] = n;
        return;
    }
    if (rank == 0 && threadIdx.x == 0) params.counts[token] = params.top_k;
    const int length = ((n + ranks - 1) / ranks + 127) / 128 * 128;
    const int begin = min(n, rank * length), count = min(n, begin + length) - begin;
    Row row{.memory = memory, .slice = nullptr, .count = count, .begin = begin, .rank = rank, .ranks = ranks,
            .lane = static_cast<int>(threadIdx.x % 32), .warp = static_cast<int>(threadIdx.x / 32)};
    row.load(params.scores + token * params.stride + begin,
             length <= capacity ? reinterpret_cast<float*>(room) : nullptr);
    __syncthreads();
    row.find_threshold(params.top_k);
    row.emit(chosen);
    if (ranks > 1) cluster_sync();  // no CTA leaves while others read its memory
}

}  // namespace

void top_k(const Launch& launch, const TopKParams& params) {
    if (params.num_tokens == 0) return;
    constexpr int kWorthwhile = 4096;  // scores of a CTA, for another to be worth two more barriers
    const int max_capacity = (launch.architecture == 120 ? 80 : 160) * 256;
    int ranks = 1;
    while (ranks < kMaxRanks && params.max_context_tokens > ranks * kWorthwhile &&
           params.num_tokens * ranks * 2 <= launch.num_sms)
        ranks *= 2;
    while (ranks < kMaxRanks && params.max_context_tokens > ranks * max_capacity) ranks *= 2;
    const int64_t length = round_up(ceil_div(params.max_context_tokens, ranks), 128);
    const int capacity = static_cast<int>(length < max_capacity ? length : max_capacity);

    launch_kernel(launch, "top_k", top_k_kernel,
                  {.grid = dim3(static_cast<unsigned>(params.num_tokens * ranks)),
                   .block = dim3(kThreads),
                   .shared_bytes = capacity * 4,
                   .cluster = ranks},
                  params, ranks, capacity);
}

}  // namespace glm5::cuda
