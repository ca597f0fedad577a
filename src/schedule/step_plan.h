// StepPlan: what one step computes. Plain data: every rank builds the same Batch from it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedule/sequence.h"

namespace glm5::schedule {

// One sequence's part. The sequence and the spans of its memory hold until the step is committed.
struct PlannedSequence {
    const Sequence* sequence = nullptr;
    int first_position = 0;                 // of the query tokens; the caches hold what is before
    std::span<const int32_t> query_tokens;  // query_len ≥ 1
    std::span<const int32_t> pages;         // of every position up to the last query token
    bool wants_token = false;               // the last query token is the sequence's last: sample after it

    SequenceId id() const { return sequence->id; }
    int query_len() const { return static_cast<int>(query_tokens.size()); }
    int context_len() const { return first_position + query_len(); }
};

struct StepPlan {
    std::vector<PlannedSequence> sequences;
    int num_tokens = 0;  // sum of query_len

    bool empty() const { return sequences.empty(); }
};

// One token for each planned sequence that wants one, in the plan's order.
struct StepResult {
    struct Accepted {
        SequenceId id = 0;
        int32_t token = 0;
    };
    std::vector<Accepted> accepted;
};

}  // namespace glm5::schedule
