#include "backend/cpu/top_k.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

namespace glm5::cpu {
namespace {

constexpr int kBins = 2048;
constexpr int kBinShift = 21;  // a bin: sign, exponent and two bits of the mantissa

// Ordered as the scores are; -0 and +0 are equal, NaN is the least.
uint32_t sort_key(float score) {
    if (score != score) return 0;
    const auto bits = std::bit_cast<uint32_t>(score + 0.0f);
    return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}

}  // namespace

void select_top_k(const float* scores, int64_t n, int64_t k, int32_t* positions, Buffer& memory) {
    auto* keys = memory.get<uint32_t>(2 * n + kBins);
    uint32_t* candidates = keys + n;
    uint32_t* bins = candidates + n;
    std::memset(bins, 0, kBins * sizeof(uint32_t));
    for (int64_t i = 0; i < n; ++i) {
        keys[i] = sort_key(scores[i]);
        ++bins[keys[i] >> kBinShift];
    }
    // The bin of the k-th largest, and the k-th largest itself among its members.
    int64_t wanted = k;
    uint32_t bin = kBins - 1;
    for (; bins[bin] < wanted; --bin) wanted -= bins[bin];
    int64_t count = 0;
    for (int64_t i = 0; i < n; ++i) {
        candidates[count] = keys[i];
        count += keys[i] >> kBinShift == bin;
    }
    std::nth_element(candidates, candidates + wanted - 1, candidates + count, std::greater<>());
    const uint32_t threshold = candidates[wanted - 1];
    int64_t equal =
        wanted - std::count_if(candidates, candidates + wanted, [&](uint32_t key) { return key > threshold; });

    for (int64_t i = 0; i < n; ++i) {
        if (keys[i] < threshold) continue;
        if (keys[i] == threshold && equal-- <= 0) continue;
        *positions++ = static_cast<int32_t>(i);
    }
}

}  // namespace glm5::cpu
