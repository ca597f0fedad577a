// Scheduler: the order of work. Pure: no device, no clock, no thread of its own; it owns all sequences.
//
// Sequences run in order of (priority, arrival). Each step takes the decodes first and fills the token budget with
// prefill chunks. A sequence begins with the pages that the prefix tree knows, and takes further ones as it grows. When
// none is left, the last running sequence that is not in the step yet gives up its pages and waits to be computed again
// (preemption by recompute); what it had in full pages stays known to the tree until the pages are needed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/dtype.h"
#include "cache/page_pool.h"
#include "cache/prefix_tree.h"
#include "schedule/sequence.h"
#include "schedule/step_plan.h"

namespace glm5::schedule {

struct SchedulerLimits {
    int max_num_seqs = 0;            // running at once
    int max_num_batched_tokens = 0;  // tokens in a step; ≥ max_num_seqs
    bool prefix_caching = true;
};

class Scheduler {
public:
    // `pool` outlives the scheduler.
    Scheduler(const SchedulerLimits& limits, cache::PagePool& pool);
    ~Scheduler();

    // Queues a sequence. Requires pages_needed(sequence.max_len) ≤ pool.num_pages(): otherwise it would wait for ever.
    void add(std::unique_ptr<Sequence> sequence);

    // Admits what fits, and plans the next step; empty only when nothing is runnable. The plan points into the sequences:
    // none of them is removed before it is committed or dropped.
    StepPlan plan();

    // Records that the last plan was computed: its query tokens are in the caches. A plan that failed is not committed.
    void commit(const StepPlan& plan);

    // The running or waiting sequence, or nullptr.
    Sequence* find(SequenceId id);

    // Drops a sequence; its pages are available at once. False when there is none.
    bool remove(SequenceId id);

    // Forgets every page that no sequence uses.
    void reset_prefix_cache() { tree_.evict(tree_.num_pages()); }

    int num_running() const { return static_cast<int>(running_.size()); }
    int num_waiting() const { return static_cast<int>(waiting_.size()); }
    int64_t num_preemptions() const { return num_preemptions_; }

    static int pages_needed(int num_tokens) { return (num_tokens + kPageTokens - 1) / kPageTokens; }

private:
    // (priority, arrival): the order of running, of waiting, and, backwards, of giving way.
    using Rank = std::pair<int64_t, uint64_t>;
    using Queue = std::map<Rank, std::unique_ptr<Sequence>>;

    static Rank rank_of(const Sequence& sequence) { return {sequence.priority, sequence.arrival}; }
    void admit();
    bool add_to_plan(StepPlan& plan, Sequence& sequence);
    bool take_available(Sequence& sequence, int num_pages);
    bool grow(const StepPlan& plan, Sequence& sequence, int num_pages);
    bool preempt_last(const StepPlan& plan, const Sequence& for_whom);
    void release_pages(Sequence& sequence);

    SchedulerLimits limits_;
    cache::PagePool& pool_;
    cache::PrefixTree tree_;
    Queue waiting_, running_;
    std::unordered_map<SequenceId, Sequence*> by_id_;
    uint64_t num_arrivals_ = 0;
    int64_t num_preemptions_ = 0;
};

}  // namespace glm5::schedule
