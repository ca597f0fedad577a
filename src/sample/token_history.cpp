#include "sample/token_history.h"

namespace glm5::sample {

void TokenHistory::follow(const schedule::Sequence& sequence) {
    if (sequence.token_len() < num_seen_) *this = {};
    for (; num_seen_ < sequence.token_len(); ++num_seen_) {
        const int32_t id = sequence.tokens[num_seen_];
        const auto [found, is_first] = index_of_.try_emplace(id, ids_.size());
        if (is_first) ids_.push_back(id), counts_.push_back(0);
        counts_[found->second] += num_seen_ >= sequence.prompt_len;
    }
}

}  // namespace glm5::sample
