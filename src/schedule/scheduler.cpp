#include "schedule/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace glm5::schedule {

Scheduler::Scheduler(const SchedulerLimits& limits, cache::PagePool& pool) : limits_(limits), pool_(pool), tree_(pool) {
    GLM5_CHECK(limits.max_num_seqs >= 1 && limits.max_num_batched_tokens >= limits.max_num_seqs);
}

Scheduler::~Scheduler() {
    for (auto& [rank, sequence] : running_) release_pages(*sequence);
}

void Scheduler::add(std::unique_ptr<Sequence> sequence) {
    GLM5_CHECK(sequence->prompt_len >= 1 && sequence->prompt_len < sequence->max_len);
    GLM5_CHECK(pages_needed(sequence->max_len) <= pool_.num_pages());
    sequence->arrival = num_arrivals_++;
    by_id_.emplace(sequence->id, sequence.get());
    waiting_.emplace(rank_of(*sequence), std::move(sequence));
}

// In order, as long as the pool has pages for all of the next one's present tokens, which it takes at once: a sequence
// that is admitted gets to its next token, unless one before it grows meanwhile.
void Scheduler::admit() {
    while (!waiting_.empty() && num_running() < limits_.max_num_seqs) {
        auto next = waiting_.begin();
        Sequence& sequence = *next->second;
        // The last token is always computed: its logits are wanted.
        if (limits_.prefix_caching)
            sequence.pages = tree_.match(std::span(sequence.tokens).first(sequence.tokens.size() - 1));
        const int num_cached = static_cast<int>(sequence.pages.size());
        const int num_pages = pages_needed(sequence.token_len());
        if (num_pages - num_cached > pool_.num_available()) return release_pages(sequence);
        GLM5_CHECK(take_available(sequence, num_pages));
        sequence.cached_len = sequence.computed_len = num_cached * kPageTokens;
        running_.insert(waiting_.extract(next));
    }
}

// Gives the sequence as many query tokens as the budget leaves. False when the step is full.
bool Scheduler::add_to_plan(StepPlan& plan, Sequence& sequence) {
    const int budget = limits_.max_num_batched_tokens - plan.num_tokens;
    const int query_len = std::min(sequence.token_len() - sequence.computed_len, budget);
    if (query_len <= 0) return budget > 0;
    const int context_len = sequence.computed_len + query_len;
    const int num_pages = pages_needed(context_len);
    if (!grow(plan, sequence, num_pages)) return true;  // waits for pages
    plan.sequences.push_back({
        .sequence = &sequence,
        .first_position = sequence.computed_len,
        .query_tokens = std::span(sequence.tokens).subspan(sequence.computed_len, query_len),
        .pages = std::span(sequence.pages).first(num_pages),
        .wants_token = context_len == sequence.token_len(),
    });
    plan.num_tokens += query_len;
    return true;
}

// Takes free pages and idle ones until the sequence has num_pages. False when the pool ran out before.
bool Scheduler::take_available(Sequence& sequence, int num_pages) {
    const int missing = num_pages - static_cast<int>(sequence.pages.size());
    if (missing > pool_.num_free()) tree_.evict(missing - pool_.num_free());
    while (static_cast<int>(sequence.pages.size()) < num_pages && pool_.num_free() > 0)
        sequence.pages.push_back(pool_.allocate());
    return static_cast<int>(sequence.pages.size()) >= num_pages;
}

// The same; then those of the sequences that run last.
bool Scheduler::grow(const StepPlan& plan, Sequence& sequence, int num_pages) {
    while (!take_available(sequence, num_pages))
        if (!preempt_last(plan, sequence)) return false;
    return true;
}

// Sends the last running sequence behind `for_whom` that is not planned back to the waiting ones.
bool Scheduler::preempt_last(const StepPlan& plan, const Sequence& for_whom) {
    for (auto last = running_.rbegin(); last != running_.rend() && last->second.get() != &for_whom; ++last) {
        Sequence& victim = *last->second;
        const bool planned = std::any_of(plan.sequences.begin(), plan.sequences.end(),
                                         [&](const PlannedSequence& other) { return other.sequence == &victim; });
        if (planned || victim.pages.empty()) continue;
        release_pages(victim);
        ++victim.num_preemptions;
        ++num_preemptions_;
        waiting_.insert(running_.extract(last->first));
        return true;
    }
    return false;
}

StepPlan Scheduler::plan() {
    admit();
    StepPlan plan;
    for (const bool decoding : {true, false}) {
        for (auto next = running_.begin(); next != running_.end(); ++next)
            if (next->second->is_decoding() == decoding && !add_to_plan(plan, *next->second)) return plan;
    }
    return plan;
}

void Scheduler::commit(const StepPlan& plan) {
    for (const PlannedSequence& planned : plan.sequences) {
        Sequence& sequence = *find(planned.id());
        const int full_before = sequence.computed_len / kPageTokens;
        sequence.computed_len = planned.context_len();
        const int full = sequence.computed_len / kPageTokens;
        if (limits_.prefix_caching && full > full_before)
            tree_.insert(std::span(sequence.tokens).first(full * kPageTokens), std::span(sequence.pages).first(full),
                         full_before);
    }
}

Sequence* Scheduler::find(SequenceId id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

bool Scheduler::remove(SequenceId id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return false;
    Sequence& sequence = *found->second;
    by_id_.erase(found);
    release_pages(sequence);
    const Rank rank = rank_of(sequence);
    if (running_.erase(rank) == 0) waiting_.erase(rank);
    return true;
}

void Scheduler::release_pages(Sequence& sequence) {
    tree_.release(sequence.pages);
    sequence.pages.clear();
    sequence.cached_len = sequence.computed_len = 0;
}

}  // namespace glm5::schedule
