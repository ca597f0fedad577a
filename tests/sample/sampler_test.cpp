// Sampler: from Sequences to the op's parameters, over steps in which sequences come, pause and go.
#include "sample/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/sampling_math.h"
#include "support.h"

namespace glm5::sample {
namespace {

using schedule::Sequence;

constexpr int kVocabulary = 10;  // of which the last is padding
constexpr int32_t kEos = 8;

class SamplerTest : public ::testing::Test {
protected:
    // One step: a token for each sequence, all with the same logits, appended to it.
    std::vector<int32_t> step(const std::vector<Sequence*>& sequences, const std::vector<float>& logits) {
        schedule::StepPlan plan;
        std::vector<float> rows;
        for (Sequence* sequence : sequences) {
            plan.sequences.push_back({.sequence = sequence, .wants_token = true});
            rows.insert(rows.end(), logits.begin(), logits.end());
        }
        const auto num_rows = static_cast<int64_t>(sequences.size());
        const schedule::StepResult result =
            sampler_.sample(plan, {rows.data(), DType::f32, {num_rows, static_cast<int64_t>(logits.size())}});
        std::vector<int32_t> tokens;
        EXPECT_EQ(result.accepted.size(), sequences.size());
        for (size_t i = 0; i < result.accepted.size(); ++i) {
            EXPECT_EQ(result.accepted[i].id, sequences[i]->id);
            sequences[i]->tokens.push_back(result.accepted[i].token);
            tokens.push_back(result.accepted[i].token);
        }
        return tokens;
    }

    static Sequence make(RequestId id, std::vector<int32_t> prompt, Sampling sampling, int choice = 0) {
        Sequence sequence;
        sequence.id = schedule::sequence_id(id, choice);
        sequence.prompt_len = static_cast<int>(prompt.size());
        sequence.tokens = std::move(prompt);
        sequence.sampling = std::move(sampling);
        return sequence;
    }

    std::unique_ptr<ops::Backend> backend_ = sample_test::make_backend(2);
    Sampler sampler_{*backend_, {.max_num_rows = 8, .max_model_len = 100, .num_vocab_tokens = kVocabulary - 1}, {kEos, 9}};
};

const std::vector<float> kFalling = {1.5f, 1.3f, 1.1f, 0.9f, 0.7f, 0.5f, 0.3f, 0.1f, 2, 9};

TEST_F(SamplerTest, OnlySequencesThatWantATokenHaveRows) {
    Sequence a = make(1, {1}, {}), b = make(2, {2}, {});
    schedule::StepPlan plan;
    plan.sequences = {{.sequence = &a}, {.sequence = &b, .wants_token = true}};
    std::vector<float> logits = {0, 0, 0, 4, 0, 0, 0, 0, 0, 9};
    const auto result = sampler_.sample(plan, {logits.data(), DType::f32, {1, kVocabulary}});
    ASSERT_EQ(result.accepted.size(), 1u);
    EXPECT_EQ(result.accepted[0].id, b.id);
    EXPECT_EQ(result.accepted[0].token, 3);
    plan.sequences = {{.sequence = &a}};
    EXPECT_TRUE(sampler_.sample(plan, {}).accepted.empty());
}

// Each token costs its id 1: the largest of what is left, and the next round at the second token of each.
TEST_F(SamplerTest, CountsTheCompletionOverSteps) {
    Sequence sequence = make(1, {0, 0, 1}, {.frequency_penalty = 0.25f, .ignore_eos = true});
    const std::vector<int32_t> expected = {0, 1, 0, 2, 1, 0, 3, 2, 1};  // 1.5 1.3 1.25 1.1 1.05 1.0 .9 .85 .8
    for (int32_t token : expected) EXPECT_EQ(step({&sequence}, kFalling)[0], token);
}

TEST_F(SamplerTest, ThePromptCountsForRepetitionOnly) {
    Sequence presence = make(1, {0}, {.presence_penalty = 1, .ignore_eos = true});
    EXPECT_EQ(step({&presence}, kFalling)[0], 0);
    EXPECT_EQ(step({&presence}, kFalling)[0], 1);
    Sequence repetition = make(2, {0}, {.repetition_penalty = 2, .ignore_eos = true});
    EXPECT_EQ(step({&repetition}, kFalling)[0], 1);
    EXPECT_EQ(step({&repetition}, kFalling)[0], 2);
}

// A sequence that pauses while others run, as a preempted one does, goes on as if it had not.
TEST_F(SamplerTest, APauseChangesNothing) {
    const Sampling sampling{.repetition_penalty = 1.1f, .presence_penalty = 0.1f, .frequency_penalty = 0.25f, .ignore_eos = true};
    Sequence steady = make(1, {3, 4}, sampling), pausing = make(2, {3, 4}, sampling), other = make(3, {5}, sampling);
    for (int i = 0; i < 12; ++i) step({&steady, &other}, kFalling);
    for (int i = 0; i < 12; ++i) {
        if (i % 3 == 2) step({&other}, kFalling);
        step({&pausing}, kFalling);
    }
    EXPECT_EQ(pausing.tokens, steady.tokens);
    EXPECT_GT(std::count(steady.tokens.begin(), steady.tokens.end(), 1), 1);
}

TEST_F(SamplerTest, HistoryFollowsASequenceThatBecomesShorter) {
    Sequence sequence = make(1, {7, 5, 7}, {});
    sequence.tokens.insert(sequence.tokens.end(), {5, 6, 5});
    TokenHistory history;
    history.follow(sequence);
    EXPECT_EQ(std::vector(history.ids().begin(), history.ids().end()), (std::vector<int32_t>{7, 5, 6}));
    EXPECT_EQ(std::vector(history.counts().begin(), history.counts().end()), (std::vector<int32_t>{0, 2, 1}));
    sequence.tokens.resize(4);
    history.follow(sequence);
    EXPECT_EQ(std::vector(history.counts().begin(), history.counts().end()), (std::vector<int32_t>{0, 1}));
}

TEST_F(SamplerTest, MinTokensMasksEosAndStopTokens) {
    Sequence sequence = make(1, {1}, {.min_tokens = 2, .stop_token_ids = {0, 1}});
    EXPECT_EQ(step({&sequence}, kFalling)[0], 2);
    EXPECT_EQ(step({&sequence}, kFalling)[0], 2);
    EXPECT_EQ(step({&sequence}, kFalling)[0], kEos);
    sequence = make(2, {1}, {.min_tokens = 1, .ignore_eos = true, .stop_token_ids = {0}});
    EXPECT_EQ(step({&sequence}, kFalling)[0], 1);
    EXPECT_EQ(step({&sequence}, kFalling)[0], 0) << "a stop token ends it, an eos never comes";
}

TEST_F(SamplerTest, BiasesAddAndMasksGoBeforeThem) {
    Sequence sequence = make(1, {1}, {.logit_bias = {{5, 100.0f}, {5, -100.0f}, {kEos, 100.0f}}, .ignore_eos = true});
    EXPECT_EQ(step({&sequence}, kFalling)[0], 5) << "of two biases the first counts";
    sequence.sampling.ignore_eos = false;
    sequence.sampling.logit_bias = {{-4, 100.0f}, {9, 100.0f}, {1000000, 100.0f}};
    EXPECT_EQ(step({&sequence}, kFalling)[0], kEos) << "ids that no token has are skipped";
}

// Seeds, positions and every parameter arrive at the op: sampled tokens are those of the op called directly.
TEST_F(SamplerTest, PassesEveryParameter) {
    const std::vector<float> logits(kFalling.begin(), kFalling.end() - 1);
    std::vector<Sequence> sequences;
    std::vector<Sampling> variants = {{.temperature = 1.7f}, {.temperature = 1, .top_p = 0.6f}, {.temperature = 2, .top_k = 3},
                                      {.temperature = 1, .min_p = 0.5f}, {.temperature = 1, .seed = ~uint64_t{0}}};
    for (size_t i = 0; i < variants.size(); ++i) sequences.push_back(make(i, {1, 2, 3}, variants[i], static_cast<int>(i)));
    std::vector<Sequence*> all;
    for (Sequence& sequence : sequences) all.push_back(&sequence);
    for (int round = 0; round < 60; ++round) {
        std::vector<sample_test::Row> rows;
        for (const Sequence& s : sequences)
            rows.push_back({.logits = logits,
                            .temperature = s.sampling.temperature,
                            .top_p = s.sampling.top_p,
                            .min_p = s.sampling.min_p,
                            .top_k = s.sampling.top_k,
                            .seed = ops::choice_seed(s.sampling.seed, schedule::choice_of(s.id)),
                            .position = s.token_len()});
        const auto expected = sample_test::choose(rows);
        EXPECT_EQ(step(all, kFalling), expected) << round;
    }
}

}  // namespace
}  // namespace glm5::sample
