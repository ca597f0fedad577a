// Sequence: the engine's progress on one request: its tokens, how far the caches hold them, and in which pages.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/page_pool.h"
#include "glm5/types.h"

namespace glm5::schedule {

// A choice of a request: request · kMaxChoices + choice.
using SequenceId = uint64_t;
inline constexpr int kMaxChoices = 128;

constexpr SequenceId sequence_id(RequestId request, int choice) { return request * kMaxChoices + choice; }
constexpr RequestId request_of(SequenceId id) { return id / kMaxChoices; }
constexpr int choice_of(SequenceId id) { return static_cast<int>(id % kMaxChoices); }

// cached_len ≤ computed_len ≤ token_len at every moment: the caches hold the first computed_len tokens, and the first
// cached_len of them were found in the prefix tree when the sequence was admitted last.
struct Sequence {
    SequenceId id = 0;
    std::vector<int32_t> tokens;  // prompt, then what was accepted
    int prompt_len = 0;
    int max_len = 0;       // prompt and completion together; ≥ prompt_len + 1
    int64_t priority = 0;  // lower runs first
    Sampling sampling;

    uint64_t arrival = 0;  // set by the scheduler; equal priorities run in this order
    int cached_len = 0;
    int computed_len = 0;
    int num_preemptions = 0;
    TimePoint queued, scheduled;  // the engine's, for Event; not looked at by the scheduler
    std::vector<cache::PageId> pages;  // of positions 0 … 64 · pages.size() - 1

    int token_len() const { return static_cast<int>(tokens.size()); }
    int completion_len() const { return token_len() - prompt_len; }
    // The only token that the caches lack is one just accepted.
    bool is_decoding() const { return computed_len >= prompt_len && token_len() == computed_len + 1; }
};

}  // namespace glm5::schedule
