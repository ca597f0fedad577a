// A deterministic world around the scheduler: a fake model, seeded arrivals, cancellations and faults. The fake model
// writes what a position's cache entry depends on, the tokens before it, into the slots of the plan; so an entry that is
// stale, foreign or overwritten shows when a later step reads it.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "schedule/scheduler.h"

namespace glm5::schedule {

struct SimulatorOptions {
    uint64_t seed = 0;
    int num_pages = 16;
    SchedulerLimits limits{.max_num_seqs = 4, .max_num_batched_tokens = 64};
    int max_prompt_tokens = 400;
    int max_completion_tokens = 100;
    int num_prompt_families = 5;       // prompts of a family begin alike
    int vocabulary = 50;
    double arrivals_per_step = 0.2;
    double cancels_per_step = 0.01;
    double faults_per_step = 0.0005;  // a step fails: everything running is dropped
    int num_priorities = 1;
};

class Simulator {
public:
    explicit Simulator(const SimulatorOptions& options);

    // One engine step; an empty string, or the invariant that does not hold.
    std::string step();
    // Stops arrivals and runs until nothing is left.
    std::string drain();

    int64_t num_finished() const { return num_finished_; }
    int64_t num_cancelled() const { return num_cancelled_; }
    int64_t num_cached_tokens() const { return num_cached_tokens_; }
    int64_t num_computed_tokens() const { return num_computed_tokens_; }
    const Scheduler& scheduler() const { return scheduler_; }

private:
    bool chance(double probability) { return std::uniform_real_distribution<>(0, 1)(random_) < probability; }
    int below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

    void arrive();
    void cancel();
    std::string check_plan(const StepPlan& plan);
    std::string compute(const StepPlan& plan);
    std::string accept(const StepPlan& plan);

    SimulatorOptions options_;
    std::mt19937_64 random_;
    cache::PagePool pool_;
    Scheduler scheduler_;
    std::vector<uint64_t> memory_;  // [num_pages · 64] what the fake model wrote
    std::map<SequenceId, int> live_;  // completion length at which each ends
    SequenceId next_id_ = 1;
    int64_t num_finished_ = 0, num_cancelled_ = 0, num_cached_tokens_ = 0, num_computed_tokens_ = 0;
};

}  // namespace glm5::schedule
