// RowPart: a CTA's part of one row of logits, which a cluster of kRanks CTAs shares, with the maxima, sums and messages
// over the cluster. Parts follow each other in the order of ids. Only integers are added up, so that no result depends on
// an order.
#pragma once

#include <cstdint>

#include "backend/cuda/device/cluster.cuh"
#include "backend/cuda/device/order.cuh"
#include "backend/cuda/device/reduce.cuh"

namespace glm5::cuda {

constexpr int kSampleThreads = 512;
constexpr int kSampleWarps = kSampleThreads / 32;
constexpr int kRanks = 8;  // the largest cluster that every device runs
constexpr int kBins = 1024;
constexpr int kBinsPerRank = kBins / kRanks;
constexpr int kMassParts = 3, kMassPartBits = 14;  // a mass is below 2^42; 2^18 parts are below 2^32

// A bin of a histogram over the whole row.
struct Bin {
    uint32_t index;
    uint64_t before;  // amount in the bins before it
    uint64_t amount;
};

struct RowShared {
    uint64_t inbox[2][kRanks];
    uint64_t warp_values[kSampleWarps];
    Bin found;
    uint32_t found_id;
    uint32_t histogram[kMassParts][kBins];
};

struct RowPart {
    RowShared& shared;
    float* values;  // [count] shared memory
    int first_id;
    int count;
    uint32_t rank;
    int turn = 0;
};

// A larger value before a smaller one, equal values by the lower id. Above 0.
__device__ inline uint64_t ranked(float value, int id) {
    return static_cast<uint64_t>(order_key(value)) << 32 | (0xffffffffu - static_cast<uint32_t>(id));
}
__device__ inline int ranked_id(uint64_t ranked) {
    return static_cast<int>(0xffffffffu - static_cast<uint32_t>(ranked));
}

// The values of all CTAs by rank. All threads of a CTA give the same one. An inbox is written again two exchanges later,
// when the one between has shown that every CTA is done with it.
__device__ inline const uint64_t* exchange(RowPart& part, uint64_t value) {
    uint64_t* inbox = part.shared.inbox[part.turn];
    part.turn ^= 1;
    if (threadIdx.x < kRanks) *cluster_pointer(&inbox[part.rank], threadIdx.x) = value;
    __syncwarp();
    cluster_sync();
    return inbox;
}

__device__ inline uint64_t cluster_max(RowPart& part, uint64_t value) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2)
        value = max(value, __shfl_xor_sync(kAllLanes, value, distance));
    if (lane == 0) part.shared.warp_values[warp] = value;
    __syncthreads();
#pragma unroll
    for (uint64_t other : part.shared.warp_values) value = max(value, other);
    const uint64_t* inbox = exchange(part, value);
#pragma unroll
    for (int i = 0; i < kRanks; ++i) value = max(value, inbox[i]);
    return value;
}

struct Scan {
    uint64_t before;  // of the threads before this one, in all CTAs
    uint64_t total;
};

__device__ inline Scan cluster_scan(RowPart& part, uint64_t amount) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    uint64_t before = amount;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
        const uint64_t other = __shfl_up_sync(kAllLanes, before, distance);
        if (lane >= distance) before += other;
    }
    if (lane == 31) part.shared.warp_values[warp] = before;
    before -= amount;
    __syncthreads();
    uint64_t cta_total = 0;
#pragma unroll
    for (int i = 0; i < kSampleWarps; ++i) {
        if (i == warp) before += cta_total;
        cta_total += part.shared.warp_values[i];
    }
    const uint64_t* inbox = exchange(part, cta_total);
    uint64_t total = 0;
#pragma unroll
    for (uint32_t i = 0; i < kRanks; ++i) {
        if (i == part.rank) before += total;
        total += inbox[i];
    }
    return {before, total};
}

}  // namespace glm5::cuda
