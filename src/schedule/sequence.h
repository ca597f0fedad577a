// Sequence: the engine's progress on one request: its tokens, how far the caches hold them, and in which pages.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/page_pool.h"
#include "glm5/types.h"

namespace glm5::schedule {

// computed_len ≤ token_len at every moment: the caches hold the first computed_len tokens.
struct Sequence {
    RequestId id = 0;
    std::vector<int32_t> tokens;  // prompt, then what was accepted
    int prompt_len = 0;
    int max_len = 0;  // prompt and completion together; ≥ prompt_len + 1
    Sampling sampling;

    int computed_len = 0;
    std::vector<cache::PageId> pages;  // of positions 0 … 64 · pages.size() - 1

    int token_len() const { return static_cast<int>(tokens.size()); }
    int completion_len() const { return token_len() - prompt_len; }
};

}  // namespace glm5::schedule
