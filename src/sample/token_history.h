// TokenHistory: which ids a sequence has, and how often its completion has each. Follows the sequence as it grows.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "schedule/sequence.h"

namespace glm5::sample {

class TokenHistory {
public:
    // Counts the tokens since the last call; all of them again when the sequence has become shorter.
    void follow(const schedule::Sequence& sequence);

    // Every id of prompt and completion once, and beside it its count in the completion.
    std::span<const int32_t> ids() const { return ids_; }
    std::span<const int32_t> counts() const { return counts_; }

private:
    std::vector<int32_t> ids_, counts_;
    std::unordered_map<int32_t, size_t> index_of_;  // in ids_
    int num_seen_ = 0;                              // tokens of the sequence
};

}  // namespace glm5::sample
