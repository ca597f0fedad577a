#include "schedule/simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace glm5::schedule {
namespace {

// What the cache entry of position i depends on: the tokens up to it. Never 0, which stands for "not written".
uint64_t entry_after(uint64_t before, int32_t token) {
    uint64_t x = (before ^ static_cast<uint32_t>(token)) * 0x9e3779b97f4a7c15u + 1;
    x ^= x >> 29;
    return x | 1;
}

// The fake model: the next token is a function of all tokens before.
int32_t next_token(uint64_t entry, int vocabulary) { return static_cast<int32_t>((entry >> 8) % vocabulary); }

}  // namespace

Simulator::Simulator(const SimulatorOptions& options)
    : options_(options),
      random_(options.seed),
      pool_(options.num_pages),
      scheduler_(options.limits, pool_),
      memory_(static_cast<size_t>(options.num_pages) * kPageTokens, 0) {}

void Simulator::arrive() {
    const int capacity = options_.num_pages * kPageTokens;
    auto sequence = std::make_unique<Sequence>();
    sequence->id = next_id_++;
    sequence->prompt_len = 1 + below(std::min(options_.max_prompt_tokens, capacity - 1));
    const int completion = 1 + below(std::min(options_.max_completion_tokens, capacity - sequence->prompt_len));
    sequence->max_len = sequence->prompt_len + completion;
    sequence->priority = below(options_.num_priorities);
    // A family's prompts are one text of which each takes a part, some with a tail of their own.
    std::mt19937 family(static_cast<unsigned>(below(options_.num_prompt_families)));
    for (int i = 0; i < sequence->prompt_len; ++i)
        sequence->tokens.push_back(static_cast<int32_t>(family() % options_.vocabulary));
    const int own_tail = chance(0.5) ? below(sequence->prompt_len) : 0;
    for (int i = sequence->prompt_len - own_tail; i < sequence->prompt_len; ++i)
        sequence->tokens[i] = below(options_.vocabulary);
    live_[sequence->id] = completion;
    scheduler_.add(std::move(sequence));
}

void Simulator::cancel() {
    if (live_.empty()) return;
    const SequenceId id = std::next(live_.begin(), below(static_cast<int>(live_.size())))->first;
    scheduler_.remove(id);
    live_.erase(id);
    ++num_cancelled_;
}

std::string Simulator::check_plan(const StepPlan& plan) {
    int num_tokens = 0;
    std::set<int64_t> written;
    std::set<SequenceId> ids;
    for (const PlannedSequence& planned : plan.sequences) {
        const Sequence* sequence = scheduler_.find(planned.id());
        if (!sequence) return fmt::format("planned {} is not there", planned.id());
        if (!ids.insert(planned.id()).second) return fmt::format("{} is planned twice", planned.id());
        if (planned.query_len() < 1) return fmt::format("{} has no query token", planned.id());
        if (planned.first_position != sequence->computed_len) return fmt::format("{} begins in the wrong place", planned.id());
        if (static_cast<int>(planned.pages.size()) != Scheduler::pages_needed(planned.context_len()))
            return fmt::format("{} has {} pages for {} tokens", planned.id(), planned.pages.size(), planned.context_len());
        if (planned.wants_token != (planned.context_len() == sequence->token_len()))
            return fmt::format("{} wants a token in the wrong place", planned.id());
        for (int position = planned.first_position; position < planned.context_len(); ++position)
            if (!written.insert(planned.pages[position / kPageTokens] * kPageTokens + position % kPageTokens).second)
                return fmt::format("two tokens of the step write one slot, {} at {}", planned.id(), position);
        num_tokens += planned.query_len();
    }
    if (num_tokens != plan.num_tokens || num_tokens > options_.limits.max_num_batched_tokens)
        return fmt::format("{} tokens planned, {} counted", num_tokens, plan.num_tokens);
    if (scheduler_.num_running() > options_.limits.max_num_seqs) return "too many run";
    return {};
}

// Writes the entries of the query tokens, after checking those of every position before.
std::string Simulator::compute(const StepPlan& plan) {
    for (const PlannedSequence& planned : plan.sequences) {
        const Sequence& sequence = *scheduler_.find(planned.id());
        uint64_t entry = 0;
        for (int position = 0; position < planned.context_len(); ++position) {
            entry = entry_after(entry, sequence.tokens[position]);
            uint64_t& slot = memory_[planned.pages[position / kPageTokens] * kPageTokens + position % kPageTokens];
            if (position >= planned.first_position)
                slot = entry;
            else if (slot != entry)
                return fmt::format("{} reads a wrong entry at {} of {}", planned.id(), position, planned.context_len());
        }
        num_computed_tokens_ += planned.query_len();
    }
    return {};
}

std::string Simulator::accept(const StepPlan& plan) {
    for (const PlannedSequence& planned : plan.sequences) {
        Sequence& sequence = *scheduler_.find(planned.id());
        if (!planned.wants_token) continue;
        if (sequence.completion_len() == 0) num_cached_tokens_ += sequence.cached_len;
        uint64_t entry = 0;
        for (int32_t token : sequence.tokens) entry = entry_after(entry, token);
        sequence.tokens.push_back(next_token(entry, options_.vocabulary));
        if (sequence.token_len() < sequence.max_len) continue;
        if (sequence.completion_len() != live_.at(sequence.id)) return fmt::format("{} has the wrong length", sequence.id);
        live_.erase(sequence.id);
        scheduler_.remove(sequence.id);  // ends the sequence
        ++num_finished_;
    }
    return {};
}

std::string Simulator::step() {
    if (chance(options_.arrivals_per_step)) arrive();
    if (chance(options_.cancels_per_step)) cancel();
    if (static_cast<int>(live_.size()) != scheduler_.num_running() + scheduler_.num_waiting()) return "a request is lost";
    const StepPlan plan = scheduler_.plan();
    if (plan.empty() && !live_.empty()) return "nothing runs though something could";
    if (std::string error = check_plan(plan); !error.empty()) return error;
    if (chance(options_.faults_per_step)) {  // the device failed: whatever was to be written is not
        for (const PlannedSequence& planned : plan.sequences) {
            const SequenceId id = planned.id();
            scheduler_.remove(id);
            live_.erase(id);
            ++num_cancelled_;
        }
    } else {
        if (std::string error = compute(plan); !error.empty()) return error;
        scheduler_.commit(plan);
        if (std::string error = accept(plan); !error.empty()) return error;
    }
    const Status integrity = pool_.check_integrity();
    return integrity.ok() ? std::string() : integrity.message();
}

std::string Simulator::drain() {
    options_.arrivals_per_step = 0;
    while (!live_.empty())
        if (std::string error = step(); !error.empty()) return error;
    if (pool_.num_used() != 0) return fmt::format("{} pages are used by nobody", pool_.num_used());
    scheduler_.reset_prefix_cache();
    if (pool_.num_free() != pool_.num_pages()) return "pages are left when the prefix tree is empty";
    return {};
}

}  // namespace glm5::schedule
