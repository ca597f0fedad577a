// Where top_k and top_p cut the order of (x descending, id ascending): a search by histograms of 1024 bins over ever
// narrower intervals of x, until one value is left, and then among the ids that have it. Exact: amounts are counts and
// masses of 64 bits.
#pragma once

#include <climits>

#include "backend/cuda/sample/row.cuh"
#include "ops/sampling_math.h"

namespace glm5::cuda {

// What stays: keys above `key`, and of those that equal it the ids up to `id`.
struct Cut {
    uint32_t key;
    int id;
    __device__ bool keeps(uint32_t other, int other_id) const { return other > key || (other == key && other_id <= id); }
};
__device__ inline Cut keep_all_above_minus_infinity() { return {order_key(-INFINITY), -1}; }

// top_k: an id stays while fewer than `limit` are before it.
struct CountRule {
    uint64_t limit;
    __device__ bool cuts(uint64_t total) const { return limit < total; }
    __device__ bool stays(uint64_t before, uint64_t) const { return before < limit; }
    __device__ void add(RowShared& shared, int bin, float) const { atomicAdd(&shared.histogram[0][bin], 1u); }
    __device__ static uint64_t amount_of(float) { return 1; }
};

// top_p: an id stays while the mass before it is within the limit; the first always does. Ids without mass never do,
// since the mass before them is all.
struct MassRule {
    float top_p;
    __device__ bool cuts(uint64_t total) const { return total > 0; }
    __device__ bool stays(uint64_t before, uint64_t total) const {
        return before == 0 || ops::within_top_p(before, top_p, total);
    }
    __device__ void add(RowShared& shared, int bin, float x) const {
        const uint64_t mass = ops::mass(x);
#pragma unroll
        for (int i = 0; i < kMassParts; ++i) {
            const auto bits = static_cast<uint32_t>(mass >> (i * kMassPartBits)) & ((1u << kMassPartBits) - 1);
            if (bits != 0) atomicAdd(&shared.histogram[i][bin], bits);
        }
    }
    __device__ static uint64_t amount_of(float x) { return ops::mass(x); }
};

// Keys from `high` down to `low`; the first bins are 1/32 wide in x and cover 32, the last one all below.
struct Interval {
    uint32_t low, high;
    int shift;
    bool linear;

    static constexpr float kLinearBins = 32;

    // Of a key within the interval, whose value is x.
    __device__ int bin(uint32_t key, float x) const {
        return linear ? static_cast<int>(fminf(x * -kLinearBins, kBins - 1)) : static_cast<int>((high - key) >> shift);
    }
    __device__ void enter(uint32_t bin) {
        if (linear) {
            const auto index = static_cast<float>(bin);
            high = order_key(-index / kLinearBins);
            low = bin == kBins - 1 ? order_key(-FLT_MAX) : order_key(-(index + 1) / kLinearBins) + 1;
            linear = false;
        } else {
            high -= bin << shift;
            low = max(low, high - ((1u << shift) - 1));
        }
        shift = max(0, 32 - __clz(high - low) - 10);
    }
};

// Over all CTAs, of this thread's bin; 0 for threads without one.
__device__ inline uint64_t amount_in_bin(RowPart& part, uint32_t bin) {
    if (threadIdx.x >= kBinsPerRank) return 0;
    uint64_t amount = 0;
#pragma unroll
    for (uint32_t rank = 0; rank < kRanks; ++rank) {
        const uint32_t* histogram = cluster_pointer(&part.shared.histogram[0][0], rank);
#pragma unroll
        for (int i = 0; i < kMassParts; ++i)
            amount += static_cast<uint64_t>(histogram[i * kBins + bin]) << (i * kMassPartBits);
    }
    return amount;
}

// Of the values that `cut` keeps and whose key is `key`: the id of the one that has wanted - 1 before it.
__device__ inline int id_of_tie(RowPart& part, const Cut& cut, uint32_t key, uint64_t wanted) {
    const int per_thread = ((part.count + kSampleThreads - 1) / kSampleThreads) | 1;  // odd: no two in one bank
    const int begin = min(static_cast<int>(threadIdx.x) * per_thread, part.count);
    const int end = min(begin + per_thread, part.count);
    const auto is_tie = [&](int i) {
        return order_key(part.values[i]) == key && cut.keeps(key, part.first_id + i);
    };
    uint64_t ties = 0;
    for (int i = begin; i < end; ++i) ties += is_tie(i);
    const Scan scan = cluster_scan(part, ties);
    if (scan.before < wanted && wanted <= scan.before + ties) {
        uint64_t left = wanted - scan.before;
        int i = begin;
        while (!is_tie(i) || --left > 0) ++i;
        for (uint32_t rank = 0; rank < kRanks; ++rank)
            *cluster_pointer(&part.shared.found_id, rank) = static_cast<uint32_t>(part.first_id + i);
    }
    __syncwarp();
    cluster_sync();
    return static_cast<int>(part.shared.found_id);
}

// The narrower cut of `rule` among what `cut` keeps. x is at most 0, and 0 for some id.
template <typename Rule>
__device__ Cut narrow(RowPart& part, const Rule& rule, const Cut& cut) {
    RowShared& shared = part.shared;
    Interval interval{.low = 0, .high = UINT_MAX, .shift = 0, .linear = true};
    uint64_t total = 0;
    Bin found{.index = 0, .before = 0, .amount = 0};
    do {
        for (int i = threadIdx.x; i < kMassParts * kBins; i += kSampleThreads) (&shared.histogram[0][0])[i] = 0;
        __syncthreads();
#pragma unroll 2
        for (int i = threadIdx.x; i < part.count; i += kSampleThreads) {
            const float x = part.values[i];
            const uint32_t key = order_key(x);
            if (key < interval.low || key > interval.high || !cut.keeps(key, part.first_id + i)) continue;
            rule.add(shared, interval.bin(key, x), x);
        }
        cluster_sync();
        const uint32_t bin = part.rank * kBinsPerRank + threadIdx.x;
        const uint64_t amount = amount_in_bin(part, bin);
        const Scan scan = cluster_scan(part, amount);
        if (interval.linear) {
            total = scan.total;
            if (!rule.cuts(total)) return cut;
        }
        const uint64_t before = found.before + scan.before;
        if (amount > 0 && rule.stays(before, total) && !rule.stays(before + amount, total))
            for (uint32_t rank = 0; rank < kRanks; ++rank)
                *cluster_pointer(&shared.found, rank) = {.index = bin, .before = before, .amount = amount};
        __syncwarp();
        cluster_sync();
        found = shared.found;
        interval.enter(found.index);
    } while (interval.low != interval.high);

    // The first of the ids with this value stays, and what follows all of them does not: how many stay is in between.
    const uint32_t key = interval.high;
    const uint64_t one = Rule::amount_of(order_value(key)), ties = found.amount / one;
    uint64_t few = 1, many = ties;
    while (few < many) {
        const uint64_t middle = (few + many) / 2;
        if (rule.stays(found.before + middle * one, total))
            few = middle + 1;
        else
            many = middle;
    }
    if (few < ties) return {key, id_of_tie(part, cut, key, few)};
    return {key, key == cut.key ? cut.id : INT_MAX};
}

}  // namespace glm5::cuda
