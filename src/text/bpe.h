// Byte-pair encoding: the merge list as a hash table, and its application to one pre-token.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/hash.h"

namespace glm5::text {

// Buffers that encode_piece uses for long pieces; keep one for many calls.
struct BpeScratch {
    struct Node {
        int32_t id;         // -1: merged into the node before it
        uint32_t rank;      // of the merge with the next node
        uint32_t previous;  // places of the neighbours; the number of nodes stands for none
        uint32_t next;
    };
    std::vector<Node> nodes;
    std::vector<uint64_t> heap;  // rank << 32 | place, least first
};

// Immutable once built, and thread safe.
class Bpe {
public:
    // The bounds that the packing of the merge table sets.
    static constexpr int32_t kMaxTokens = (1 << 21) - 1;
    static constexpr uint32_t kMaxMerges = (1 << 22) - 1;

    struct Merge {
        int32_t left, right, merged;  // ids below kMaxTokens
    };

    // `byte_ids` are the tokens of the single bytes; the rank of a merge is its place in the list, which has at most
    // kMaxMerges. A pair that comes again takes the later rank, as in the Hugging Face library.
    Bpe(const std::array<int32_t, 256>& byte_ids, const std::vector<Merge>& merges);

    // Appends the tokens of `piece` (under 2^32 bytes): each byte one token, then always the adjacent pair of lowest
    // rank merged, the leftmost of equals, until none is in the list. O(n log n).
    void encode_piece(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const;

private:
    static constexpr uint32_t kNoRank = kMaxMerges;
    static constexpr uint64_t kFreeSlot = ~uint64_t{0};

    uint32_t rank_of_bytes(char left, char right) const {
        return byte_pair_ranks_[static_cast<unsigned char>(left) << 8 | static_cast<unsigned char>(right)];
    }
    // The place of the pair's slot, or of the free one where it would stand.
    size_t find_slot(uint64_t pair) const;
    uint32_t rank_of(int32_t left, int32_t right) const;
    void encode_short(std::string_view piece, std::vector<int32_t>& out) const;
    void encode_long(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const;

    std::array<int32_t, 256> byte_ids_;
    std::vector<int32_t> merged_;  // [rank]
    std::vector<uint64_t> slots_;  // left << 43 | right << 22 | rank: a power of two, at most half full
    int shift_;                    // the place of a pair is the upper bits of its hash
    uint64_t seed_;
    std::vector<uint32_t> byte_pair_ranks_;  // [256 * 256] rank_of two bytes: half of all that is looked up
};

inline size_t Bpe::find_slot(uint64_t pair) const {
    size_t place = hash_u64(pair, seed_) >> shift_;
    while (slots_[place] != kFreeSlot && slots_[place] >> 22 != pair) place = (place + 1) & (slots_.size() - 1);
    return place;
}

// kNoRank when the pair is not in the list: that is also what a free slot has in its lower bits.
inline uint32_t Bpe::rank_of(int32_t left, int32_t right) const {
    const uint64_t pair = static_cast<uint64_t>(left) << 21 | static_cast<uint64_t>(right);
    return static_cast<uint32_t>(slots_[find_slot(pair)] & kNoRank);
}

}  // namespace glm5::text
