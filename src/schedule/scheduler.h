// Scheduler: the order of work. Pure: no device, no clock, no thread of its own; it owns all sequences.
//
// First come, first served. A sequence is admitted when the pool has pages for the longest that it can become, so a
// running one never lacks a page. Each step takes the decodes first and fills the token budget with prefill chunks.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/dtype.h"
#include "cache/page_pool.h"
#include "schedule/sequence.h"
#include "schedule/step_plan.h"

namespace glm5::schedule {

struct SchedulerLimits {
    int max_num_seqs = 0;            // running at once
    int max_num_batched_tokens = 0;  // tokens in a step; ≥ max_num_seqs
};

class Scheduler {
public:
    Scheduler(const SchedulerLimits& limits, cache::PagePool& pool);
    ~Scheduler();

    // Queues a sequence. Requires pages_needed(sequence.max_len) ≤ pool.num_pages(): otherwise it would wait for ever.
    void add(std::unique_ptr<Sequence> sequence);

    // Admits what fits, and plans the next step; empty when nothing is runnable. The plan is to be committed or its
    // sequences removed before the next call.
    StepPlan plan();

    // Records that the plan was computed: its query tokens are in the caches.
    void commit(const StepPlan& plan);

    // The running or waiting sequence, or nullptr.
    Sequence* find(RequestId id);

    // Drops a sequence and releases its pages. False when there is none.
    bool remove(RequestId id);

    int num_running() const { return static_cast<int>(running_.size()); }
    int num_waiting() const { return static_cast<int>(waiting_.size()); }

    static int pages_needed(int num_tokens) { return (num_tokens + kPageTokens - 1) / kPageTokens; }

private:
    void admit();
    bool add_to_plan(StepPlan& plan, Sequence& sequence) const;
    void release_pages(Sequence& sequence);

    SchedulerLimits limits_;
    cache::PagePool& pool_;
    std::deque<std::unique_ptr<Sequence>> waiting_;
    std::vector<std::unique_ptr<Sequence>> running_;  // in order of admission
};

}  // namespace glm5::schedule
