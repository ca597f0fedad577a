// A list of byte strings numbered from 0, some of which can be looked up: open addressing over one arena.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/hash.h"

namespace glm5::text {

class TokenTable {
public:
    TokenTable() : seed_(random_seed()), offsets_(1, 0) {}

    // The id of the string is the number of strings before it.
    void append(std::string_view bytes);
    // Makes the string of `id` findable. A later equal string is not found.
    void index(int32_t id);

    int32_t size() const { return static_cast<int32_t>(offsets_.size()) - 1; }
    std::string_view operator[](int32_t id) const {
        return std::string_view(bytes_).substr(offsets_[id], offsets_[id + 1] - offsets_[id]);
    }
    // The id of an indexed string, or -1.
    int32_t find(std::string_view bytes) const;

private:
    struct Slot {
        uint32_t hash = 0;  // the lower half, compared before the strings are
        int32_t id = -1;    // -1: free
    };

    void insert(Slot slot, uint64_t hash);
    void grow();

    uint64_t seed_;
    std::string bytes_;
    std::vector<uint64_t> offsets_;  // [size + 1]
    std::vector<Slot> slots_;        // a power of two, at most half full
    int shift_ = 64;                 // 64 - log2 of the number of slots: the place is the upper bits of the hash
    size_t num_indexed_ = 0;
    size_t longest_indexed_ = 0;
};

inline int32_t TokenTable::find(std::string_view bytes) const {
    if (bytes.size() > longest_indexed_ || slots_.empty()) return -1;
    const uint64_t hash = hash_bytes(bytes, seed_);
    for (size_t place = hash >> shift_;; place = (place + 1) & (slots_.size() - 1)) {
        const Slot& slot = slots_[place];
        if (slot.id < 0) return -1;
        if (slot.hash == static_cast<uint32_t>(hash) && (*this)[slot.id] == bytes) return slot.id;
    }
}

}  // namespace glm5::text
