// Building a TokenTable.
#include "text/token_table.h"

#include <algorithm>

namespace glm5::text {

void TokenTable::append(std::string_view bytes) {
    bytes_.append(bytes);
    offsets_.push_back(bytes_.size());
}

void TokenTable::index(int32_t id) {
    if ((num_indexed_ + 1) * 2 > slots_.size()) grow();
    const std::string_view bytes = (*this)[id];
    const uint64_t hash = hash_bytes(bytes, seed_);
    insert({static_cast<uint32_t>(hash), id}, hash);
    ++num_indexed_;
    longest_indexed_ = std::max(longest_indexed_, bytes.size());
}

void TokenTable::insert(Slot slot, uint64_t hash) {
    size_t place = hash >> shift_;
    while (slots_[place].id >= 0) place = (place + 1) & (slots_.size() - 1);
    slots_[place] = slot;
}

void TokenTable::grow() {
    std::vector<Slot> before(slots_.empty() ? 16 : slots_.size() * 2);
    before.swap(slots_);
    shift_ = 64 - __builtin_ctzll(slots_.size());
    for (const Slot& slot : before) {
        if (slot.id >= 0) insert(slot, hash_bytes((*this)[slot.id], seed_));
    }
}

}  // namespace glm5::text
