// Applying the merges: a scan for the least rank on short pieces, a heap over a linked list on long ones.
#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/check.h"

namespace glm5::text {
namespace {

constexpr size_t kShortBytes = 48;  // up to here the scan is the faster one

}  // namespace

Bpe::Bpe(const std::array<int32_t, 256>& byte_ids, const std::vector<Merge>& merges)
    : byte_ids_(byte_ids),
      slots_(std::bit_ceil(2 * merges.size() + 2), kFreeSlot),
      shift_(64 - std::countr_zero(slots_.size())),
      seed_(random_seed()) {
    GLM5_CHECK(merges.size() <= kMaxMerges, "{}", merges.size());
    merged_.reserve(merges.size());
    for (const auto& [left, right, merged] : merges) {
        const uint64_t pair = static_cast<uint64_t>(left) << 21 | static_cast<uint64_t>(right);
        slots_[find_slot(pair)] = pair << 22 | merged_.size();
        merged_.push_back(merged);
    }
    byte_pair_ranks_.reserve(256 * 256);
    for (const int32_t left : byte_ids) {
        for (const int32_t right : byte_ids) byte_pair_ranks_.push_back(rank_of(left, right));
    }
}

void Bpe::encode_piece(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const {
    if (piece.size() <= kShortBytes) {
        encode_short(piece, out);
    } else {
        encode_long(piece, scratch, out);
    }
}

void Bpe::encode_short(std::string_view piece, std::vector<int32_t>& out) const {
    int32_t ids[kShortBytes];
    uint32_t ranks[kShortBytes];  // of the merge with the next one
    size_t count = piece.size();
    if (count == 0) return;
    for (size_t i = 0; i < count; ++i) ids[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
    for (size_t i = 0; i + 1 < count; ++i) ranks[i] = rank_of_bytes(piece[i], piece[i + 1]);
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; ++i) {
            if (ranks[i] < ranks[best]) best = i;
        }
        if (ranks[best] == kNoRank) break;
        ids[best] = merged_[ranks[best]];
        --count;
        std::copy(ids + best + 2, ids + count + 1, ids + best + 1);
        if (best + 1 < count) {
            std::copy(ranks + best + 2, ranks + count, ranks + best + 1);
            ranks[best] = rank_of(ids[best], ids[best + 1]);
        }
        if (best > 0) ranks[best - 1] = rank_of(ids[best - 1], ids[best]);
    }
    out.insert(out.end(), ids, ids + count);
}

void Bpe::encode_long(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const {
    auto& nodes = scratch.nodes;
    auto& heap = scratch.heap;
    const auto none = static_cast<uint32_t>(piece.size());
    nodes.resize(piece.size());
    heap.clear();
    const auto entry = [&](uint32_t place) { return static_cast<uint64_t>(nodes[place].rank) << 32 | place; };
    const auto push = [&](uint32_t place) {
        BpeScratch::Node& node = nodes[place];
        node.rank = node.next == none ? kNoRank : rank_of(node.id, nodes[node.next].id);
        if (node.rank == kNoRank) return;
        heap.push_back(entry(place));
        std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };

    for (uint32_t i = 0; i < none; ++i) {
        const uint32_t rank = i + 1 == none ? kNoRank : rank_of_bytes(piece[i], piece[i + 1]);
        nodes[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], rank, i == 0 ? none : i - 1, i + 1};
        if (rank != kNoRank) heap.push_back(entry(i));
    }
    std::make_heap(heap.begin(), heap.end(), std::greater<>());

    while (!heap.empty()) {
        const uint64_t least = heap.front();
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        heap.pop_back();
        const auto place = static_cast<uint32_t>(least);
        BpeScratch::Node& node = nodes[place];
        // An entry outlives its pair: a merge has changed the rank here, or taken this node away.
        if (node.id < 0 || node.rank != least >> 32) continue;
        const uint32_t next = node.next;
        node.id = merged_[node.rank];
        node.next = nodes[next].next;
        nodes[next].id = -1;
        if (node.next != none) nodes[node.next].previous = place;
        push(place);
        if (node.previous != none) push(node.previous);
    }
    for (uint32_t i = 0; i != none; i = nodes[i].next) out.push_back(nodes[i].id);
}

}  // namespace glm5::text
