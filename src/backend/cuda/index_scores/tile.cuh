// What both forms of index_scores share: which tokens a CTA has, how keys come from a page, how heads lie in columns.
//
// Keys go from a page to registers as the tensor core wants them in its rows, without shared memory: with g = lane / 4
// and q = lane % 4, a lane holds bytes 16 q … 16 q + 15 and 64 + 16 q … of keys g and g + 8 of its warp's 16. That
// fixes the order in which the product runs over the 128 dimensions, and queries are arranged alike.
//
// Column 8 u + 2 q + e of a token's 32 is head 8 q + 2 u + e: a lane's 8 columns are heads 8 q … 8 q + 7.
#pragma once

#include "backend/cuda/index_scores/index_scores.h"
#include "backend/cuda/shapes.h"

namespace glm5::cuda {

__device__ inline int head_of_column(int column) {
    return (column % 8 / 2) * 8 + column / 8 * 2 + column % 2;
}

// Keys of a warp: [key g, g + 8], [bytes 16 q …, bytes 64 + 16 q …].
struct IndexKeys {
    uint4 values[2][2];
    float scales[2];
};

__device__ inline void load_keys(IndexKeys& keys, const std::byte* page, int first_key, int lane) {
    const std::byte* row = page + (first_key + lane / 4) * kIndexDim + lane % 4 * 16;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        keys.values[i][0] = __ldg(reinterpret_cast<const uint4*>(row + i * 8 * kIndexDim));
        keys.values[i][1] = __ldg(reinterpret_cast<const uint4*>(row + i * 8 * kIndexDim + 64));
        keys.scales[i] =
            __ldg(reinterpret_cast<const float*>(page + kPage * kIndexDim) + first_key + lane / 4 + i * 8);
    }
}

// The keys of pages first, first + step, … of a sequence, in two sets of registers by turns: while one is used, the
// other is on its way.
class KeyStream {
public:
    __device__ KeyStream(const IndexScoresParams& params, int sequence, int first, int step, int end, int first_key,
                         int lane)
        : params_(params), table_(params.page_table + sequence * params.max_pages), first_(first), step_(step), end_(end), first_key_(first_key), lane_(lane),
          numbers_{number(first), number(first + step)} {
        load(0, first);
        load(1, first + step);
    }

    // use(keys, page) for every page.
    template <typename Use>
    __device__ void for_each(const Use& use) {
        for (int page = first_; page < end_; page += 2 * step_) {
            use(keys_[0], page);
            load(0, page + 2 * step_);
            if (page + step_ >= end_) return;
            use(keys_[1], page + step_);
            load(1, page + 3 * step_);
        }
    }

private:
    __device__ int number(int page) const { return page < end_ ? __ldg(table_ + page) : 0; }
    // Looks up the page that follows in this set, too, so that its place is known by then.
    __device__ void load(int set, int page) {
        if (page >= end_) return;
        load_keys(keys_[set], params_.pages + numbers_[set] * params_.page_bytes, first_key_, lane_);
        numbers_[set] = number(page + 2 * step_);
    }

    const IndexScoresParams& params_;
    const int32_t* table_;
    int first_, step_, end_, first_key_, lane_;
    int numbers_[2];  // of the pages that are loaded next
    IndexKeys keys_[2];
};

// Tokens [begin, end) of a tile that are of one sequence, and the pages that they see; none if they need no scores.
struct Run {
    int begin, end, sequence, pages;
};
__device__ inline Run run_from(const IndexScoresParams& params, int begin, int tile_end) {
    Run run{.begin = begin, .end = begin + 1, .sequence = params.sequence_ids[begin], .pages = 0};
    while (run.end < tile_end && params.sequence_ids[run.end] == run.sequence) ++run.end;
    const int last = params.positions[run.end - 1];
    if (last >= params.top_k) run.pages = last / kPage + 1;
    return run;
}

}  // namespace glm5::cuda
