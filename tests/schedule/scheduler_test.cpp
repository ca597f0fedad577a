// The scheduler's promises by example: budget, order, prefix reuse, preemption. simulator_test.cpp has the long run.
#include "schedule/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace glm5::schedule {
namespace {

std::unique_ptr<Sequence> sequence_of(SequenceId id, int prompt_len, int max_completion) {
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
    EXPECT_EQ(plan.sequences[0].id(), 1u);
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
    EXPECT_EQ(pool.num_available(), 0);
}

TEST(Scheduler, LowerPriorityNumbersRunFirst) {
    cache::PagePool pool(2);
    Scheduler scheduler({.max_num_seqs = 1, .max_num_batched_tokens = 64}, pool);
    for (SequenceId id : {1, 2, 3}) {
        auto sequence = sequence_of(id, 10, 2);
        sequence->priority = id == 3 ? -1 : 0;
        scheduler.add(std::move(sequence));
    }
    for (SequenceId expected : {3, 1, 2}) {
        EXPECT_EQ(scheduler.plan().sequences.at(0).id(), expected);
        scheduler.remove(expected);
    }
}

TEST(Scheduler, ASecondTurnComputesOnlyWhatIsNew) {
    cache::PagePool pool(16);
    Scheduler scheduler({.max_num_seqs = 2, .max_num_batched_tokens = 1024}, pool);
    auto first = sequence_of(1, 200, 20);
    for (int i = 0; i < 200; ++i) first->tokens[i] = i;
    auto second = std::make_unique<Sequence>(*first);
    scheduler.add(std::move(first));
    scheduler.commit(scheduler.plan());
    scheduler.remove(1);
    EXPECT_EQ(pool.num_used(), 0);

    second->id = 2;
    for (int i = 200; i < 260; ++i) second->tokens.push_back(i);
    second->prompt_len = 260;
    second->max_len = 300;
    scheduler.add(std::move(second));
    const StepPlan plan = scheduler.plan();
    EXPECT_EQ(plan.sequences[0].first_position, 192);  // three full pages were known
    EXPECT_EQ(plan.sequences[0].query_len(), 68);
    EXPECT_EQ(scheduler.find(2)->cached_len, 192);
}

TEST(Scheduler, AKnownPromptStillComputesItsLastToken) {
    cache::PagePool pool(8);
    Scheduler scheduler({.max_num_seqs = 1, .max_num_batched_tokens = 1024}, pool);
    scheduler.add(sequence_of(1, 128, 4));
    scheduler.commit(scheduler.plan());
    scheduler.remove(1);
    auto again = sequence_of(2, 128, 4);
    std::fill(again->tokens.begin(), again->tokens.end(), 1);
    scheduler.add(std::move(again));
    const StepPlan plan = scheduler.plan();
    EXPECT_EQ(plan.sequences[0].first_position, 64);
    EXPECT_TRUE(plan.sequences[0].wants_token);
}

TEST(Scheduler, TheLastToRunGivesWayAndComesBack) {
    cache::PagePool pool(3);
    Scheduler scheduler({.max_num_seqs = 2, .max_num_batched_tokens = 1024, .prefix_caching = false}, pool);
    scheduler.add(sequence_of(1, 64, 100));
    scheduler.add(sequence_of(2, 100, 20));
    scheduler.commit(scheduler.plan());
    EXPECT_EQ(pool.num_free(), 0);
    scheduler.find(1)->tokens.push_back(5);  // needs a second page
    scheduler.find(2)->tokens.push_back(6);
    const StepPlan plan = scheduler.plan();
    ASSERT_EQ(plan.sequences.size(), 1u);
    EXPECT_EQ(plan.sequences[0].id(), 1u);
    EXPECT_EQ(scheduler.num_preemptions(), 1);
    EXPECT_EQ(scheduler.find(2)->computed_len, 0);
    EXPECT_EQ(scheduler.find(2)->token_len(), 101);
    scheduler.remove(1);
    EXPECT_EQ(scheduler.plan().sequences.at(0).query_len(), 101);
}

TEST(Scheduler, RemovingAWaitingSequenceTouchesNoPage) {
    cache::PagePool pool(1);
    Scheduler scheduler({.max_num_seqs = 1, .max_num_batched_tokens = 64}, pool);
    scheduler.add(sequence_of(1, 10, 1));
    EXPECT_TRUE(scheduler.remove(1));
    EXPECT_FALSE(scheduler.remove(1));
    EXPECT_EQ(pool.num_free(), 1);
    EXPECT_TRUE(scheduler.plan().empty());
}

}  // namespace
}  // namespace glm5::schedule
