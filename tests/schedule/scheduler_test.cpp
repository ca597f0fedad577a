// The scheduler's promises: budget, order, pages, progress; by example and over random arrivals and cancellations.
#include "schedule/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/dtype.h"

namespace glm5::schedule {
namespace {

std::unique_ptr<Sequence> sequence_of(RequestId id, int prompt_len, int max_completion) {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = id;
    sequence->tokens.assign(prompt_len, static_cast<int32_t>(id));
    sequence->prompt_len = prompt_len;
    sequence->max_len = prompt_len + max_completion;
    return sequence;
}

TEST(Scheduler, PrefillsInChunksOfTheBudgetAndSamplesAfterTheLast) {
    cache::PagePool pool(8);
    Scheduler scheduler({.max_num_seqs = 2, .max_num_batched_tokens = 64}, pool);
    scheduler.add(sequence_of(1, 150, 10));
    const std::vector<int> query_lens = {64, 64, 22};
    for (size_t chunk = 0; chunk < query_lens.size(); ++chunk) {
        const StepPlan plan = scheduler.plan();
        ASSERT_EQ(plan.sequences.size(), 1u);
        EXPECT_EQ(plan.sequences[0].first_position, static_cast<int>(64 * chunk));
        EXPECT_EQ(plan.sequences[0].query_len(), query_lens[chunk]);
        EXPECT_EQ(plan.sequences[0].pages.size(), chunk + 1);
        EXPECT_EQ(plan.sequences[0].wants_token, chunk == 2);
        scheduler.commit(plan);
    }
    EXPECT_TRUE(scheduler.plan().empty());  // waits for its token
}

TEST(Scheduler, DecodesComeBeforePrefillChunks) {
    cache::PagePool pool(16);
    Scheduler scheduler({.max_num_seqs = 4, .max_num_batched_tokens = 32}, pool);
    scheduler.add(sequence_of(1, 4, 10));
    scheduler.commit(scheduler.plan());
    scheduler.find(1)->tokens.push_back(7);
    scheduler.add(sequence_of(2, 100, 10));
    const StepPlan plan = scheduler.plan();
    ASSERT_EQ(plan.sequences.size(), 2u);
    EXPECT_EQ(plan.sequences[0].id, 1u);
    EXPECT_EQ(plan.sequences[0].query_len(), 1);
    EXPECT_EQ(plan.sequences[1].query_len(), 31);
    EXPECT_EQ(plan.num_tokens, 32);
}

TEST(Scheduler, AdmitsInOrderAndOnlyWhatFits) {
    cache::PagePool pool(4);
    Scheduler scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 4096}, pool);
    scheduler.add(sequence_of(1, 100, 28));  // two pages
    scheduler.add(sequence_of(2, 190, 2));   // three
    scheduler.add(sequence_of(3, 10, 2));    // one, but behind
    EXPECT_EQ(scheduler.plan().sequences.size(), 1u);
    EXPECT_EQ(scheduler.num_waiting(), 2);
    EXPECT_TRUE(scheduler.remove(1));
    EXPECT_EQ(scheduler.plan().sequences.size(), 2u);
    EXPECT_EQ(pool.num_free(), 0);
}

TEST(Scheduler, RemovingAWaitingSequenceTouchesNoPage) {
    cache::PagePool pool(1);
    Scheduler scheduler({.max_num_seqs = 1, .max_num_batched_tokens = 64}, pool);
    scheduler.add(sequence_of(1, 10, 1));
    EXPECT_TRUE(scheduler.remove(1));
    EXPECT_FALSE(scheduler.remove(1));
    EXPECT_EQ(pool.num_free(), 1);
}

// Random arrivals, cancellations and completions. After each step: budgets hold, no page has two owners, the plan's
// tokens continue where the caches end, and everything ends.
TEST(Scheduler, RandomArrivalsKeepEveryInvariant) {
    for (int seed = 0; seed < 40; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](int n) { return static_cast<int>(random() % n); };
        cache::PagePool pool(4 + below(40));
        const SchedulerLimits limits{.max_num_seqs = 1 + below(6), .max_num_batched_tokens = 8 + below(200)};
        Scheduler scheduler(limits, pool);
        std::map<RequestId, int> computed;  // live requests and what was computed of each
        RequestId next_id = 1;
        int arrivals_left = 60;
        for (int step = 0; arrivals_left > 0 || !computed.empty(); ++step) {
            ASSERT_LT(step, 100000) << "seed " << seed << ": no progress";
            if (arrivals_left > 0 && below(3) == 0) {
                const int max_tokens = 64 * pool.num_pages();
                const int prompt = 1 + below(max_tokens - 1);
                scheduler.add(sequence_of(next_id, prompt, 1 + below(std::min(20, max_tokens - prompt))));
                computed[next_id++] = 0;
                --arrivals_left;
            }
            if (!computed.empty() && below(20) == 0) {
                const RequestId victim = std::next(computed.begin(), below(static_cast<int>(computed.size())))->first;
                ASSERT_TRUE(scheduler.remove(victim));
                computed.erase(victim);
            }
            const StepPlan plan = scheduler.plan();
            ASSERT_LE(plan.num_tokens, limits.max_num_batched_tokens);
            ASSERT_LE(scheduler.num_running(), limits.max_num_seqs);
            std::set<int32_t> pages;
            size_t num_pages = 0;
            for (const PlannedSequence& planned : plan.sequences) {
                ASSERT_EQ(planned.first_position, computed.at(planned.id));
                ASSERT_GE(planned.query_len(), 1);
                ASSERT_GE(static_cast<int>(planned.pages.size()) * kPageTokens, planned.context_len());
                pages.insert(planned.pages.begin(), planned.pages.end());
                num_pages += planned.pages.size();
            }
            ASSERT_EQ(pages.size(), num_pages) << "a page belongs to two sequences";
            scheduler.commit(plan);
            for (const PlannedSequence& planned : plan.sequences) {
                Sequence& sequence = *scheduler.find(planned.id);
                computed[planned.id] = sequence.computed_len;
                if (!planned.wants_token) continue;
                sequence.tokens.push_back(1);
                if (sequence.token_len() < sequence.max_len) continue;
                computed.erase(planned.id);
                scheduler.remove(planned.id);
            }
            ASSERT_TRUE(pool.check_integrity().ok()) << pool.check_integrity().message();
        }
        EXPECT_EQ(pool.num_free(), pool.num_pages());
    }
}

}  // namespace
}  // namespace glm5::schedule
