#include "schedule/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace glm5::schedule {
namespace {

// A decode's only uncomputed token is the one just accepted.
bool is_decode(const Sequence& sequence) {
    return sequence.computed_len >= sequence.prompt_len && sequence.token_len() == sequence.computed_len + 1;
}

template <typename Sequences>
auto find_in(Sequences& sequences, RequestId id) {
    return std::find_if(sequences.begin(), sequences.end(), [&](const auto& sequence) { return sequence->id == id; });
}

}  // namespace

Scheduler::Scheduler(const SchedulerLimits& limits, cache::PagePool& pool) : limits_(limits), pool_(pool) {
    GLM5_CHECK(limits.max_num_seqs >= 1 && limits.max_num_batched_tokens >= limits.max_num_seqs);
}

Scheduler::~Scheduler() {
    for (auto& sequence : running_) release_pages(*sequence);
}

void Scheduler::add(std::unique_ptr<Sequence> sequence) {
    GLM5_CHECK(sequence->prompt_len >= 1 && sequence->prompt_len < sequence->max_len);
    GLM5_CHECK(pages_needed(sequence->max_len) <= pool_.num_pages());
    waiting_.push_back(std::move(sequence));
}

void Scheduler::admit() {
    while (!waiting_.empty() && num_running() < limits_.max_num_seqs) {
        Sequence& next = *waiting_.front();
        const int pages = pages_needed(next.max_len);
        if (pages > pool_.num_free()) return;
        next.pages.reserve(pages);
        for (int i = 0; i < pages; ++i) next.pages.push_back(pool_.allocate());
        running_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
}

// Gives the sequence as many query tokens as the budget leaves. False when it leaves none.
bool Scheduler::add_to_plan(StepPlan& plan, Sequence& sequence) const {
    const int budget = limits_.max_num_batched_tokens - plan.num_tokens;
    const int query_len = std::min(sequence.token_len() - sequence.computed_len, budget);
    if (query_len <= 0) return false;
    const int context_len = sequence.computed_len + query_len;
    plan.sequences.push_back({
        .id = sequence.id,
        .first_position = sequence.computed_len,
        .query_tokens = std::span(sequence.tokens).subspan(sequence.computed_len, query_len),
        .pages = std::span(sequence.pages).first(pages_needed(context_len)),
        .wants_token = context_len == sequence.token_len(),
    });
    plan.num_tokens += query_len;
    return true;
}

StepPlan Scheduler::plan() {
    admit();
    StepPlan plan;
    for (auto& sequence : running_)
        if (is_decode(*sequence)) add_to_plan(plan, *sequence);
    for (auto& sequence : running_)
        if (!is_decode(*sequence) && !add_to_plan(plan, *sequence)) break;
    return plan;
}

void Scheduler::commit(const StepPlan& plan) {
    for (const PlannedSequence& planned : plan.sequences)
        if (Sequence* sequence = find(planned.id)) sequence->computed_len = planned.context_len();
}

Sequence* Scheduler::find(RequestId id) {
    if (auto found = find_in(running_, id); found != running_.end()) return found->get();
    if (auto found = find_in(waiting_, id); found != waiting_.end()) return found->get();
    return nullptr;
}

bool Scheduler::remove(RequestId id) {
    if (auto found = find_in(running_, id); found != running_.end()) {
        release_pages(**found);
        running_.erase(found);
        return true;
    }
    if (auto found = find_in(waiting_, id); found != waiting_.end()) {
        waiting_.erase(found);
        return true;
    }
    return false;
}

void Scheduler::release_pages(Sequence& sequence) {
    for (cache::PageId page : sequence.pages) pool_.release(page);
    sequence.pages.clear();
}

}  // namespace glm5::schedule
