// The step buffers that a plan becomes, entry by entry.
#include "batch/batch_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/registry.h"

namespace glm5::batch {
namespace {

using ::testing::_;
using ::testing::ElementsAre;

std::vector<int32_t> values(const ops::Tensor& tensor) {
    return {tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements()};
}

class BatchBuilderTest : public ::testing::Test {
protected:
    std::unique_ptr<ops::Backend> backend_ = backend::make_backend({.kind = "cpu", .num_threads = 1}, {}).value();
    BatchBuilder builder_{*backend_, {.max_num_seqs = 4, .max_num_tokens = 16, .max_context_tokens = 256}};
};

TEST_F(BatchBuilderTest, MixesAPrefillChunkAndADecode) {
    const std::vector<int32_t> chunk = {11, 12, 13, 14}, decode = {21};
    const std::vector<int32_t> chunk_pages = {5, 2}, decode_pages = {9, 7, 3};
    schedule::StepPlan plan;
    plan.sequences.push_back({.first_position = 62, .query_tokens = chunk, .pages = chunk_pages});
    plan.sequences.push_back(
        {.first_position = 130, .query_tokens = decode, .pages = decode_pages, .wants_token = true});
    plan.num_tokens = 5;

    const ops::Batch batch = builder_.build(plan);
    EXPECT_EQ(batch.num_tokens, 5);
    EXPECT_EQ(batch.num_seqs, 2);
    EXPECT_EQ(batch.num_logit_rows, 1);
    EXPECT_EQ(batch.max_context_tokens, 131);
    EXPECT_THAT(values(batch.token_ids), ElementsAre(11, 12, 13, 14, 21));
    EXPECT_THAT(values(batch.positions), ElementsAre(62, 63, 64, 65, 130));
    EXPECT_THAT(values(batch.sequence_ids), ElementsAre(0, 0, 0, 0, 1));
    EXPECT_THAT(values(batch.slots), ElementsAre(5 * 64 + 62, 5 * 64 + 63, 2 * 64, 2 * 64 + 1, 3 * 64 + 2));
    EXPECT_THAT(values(batch.query_start), ElementsAre(0, 4, 5));
    EXPECT_THAT(values(batch.context_len), ElementsAre(66, 131));
    EXPECT_EQ(batch.page_table.shape[0], 2);
    EXPECT_EQ(batch.page_table.shape[1], 3);
    EXPECT_THAT(values(batch.page_table), ElementsAre(5, 2, _, 9, 7, 3));  // 131 tokens: three pages a row
    EXPECT_FALSE(repeat_key(batch));
    EXPECT_THAT(values(batch.logit_rows), ElementsAre(4));
}

TEST_F(BatchBuilderTest, ReusesItsBuffers) {
    const std::vector<int32_t> tokens = {1, 2, 3, 4, 5, 6, 7, 8}, pages = {0};
    schedule::StepPlan large, small;
    large.sequences.push_back({.query_tokens = tokens, .pages = pages, .wants_token = true});
    large.num_tokens = 8;
    small.sequences.push_back({.query_tokens = std::span(tokens).first(2), .pages = pages});
    small.num_tokens = 2;
    const void* memory = builder_.build(large).token_ids.data;
    const ops::Batch batch = builder_.build(small);
    EXPECT_EQ(batch.token_ids.data, memory);
    EXPECT_THAT(values(batch.token_ids), ElementsAre(1, 2));
    EXPECT_EQ(batch.num_logit_rows, 0);
    EXPECT_EQ(batch.logit_rows.elements(), 0);
}

// What a device that repeats a step relies on: equal keys, equal places and sizes.
TEST(BatchRepetition, StepsOfAClassAreAlike) {
    const auto backend = backend::make_backend({.kind = "cpu", .num_threads = 1}, {}).value();
    BatchBuilder builder(*backend, {.max_num_seqs = 4, .max_num_tokens = 16, .max_context_tokens = 10000});
    const std::vector<int32_t> token = {7}, two = {7, 8}, pages(200, 3);
    const auto build = [&](const std::vector<int>& contexts) {
        schedule::StepPlan plan;
        for (int context : contexts)
            plan.sequences.push_back({.first_position = context - 1,
                                      .query_tokens = token,
                                      .pages = std::span(pages).first((context + 63) / 64),
                                      .wants_token = true});
        plan.num_tokens = static_cast<int>(contexts.size());
        return builder.build(plan);
    };
    const auto places = [](const ops::Batch& batch) {
        std::vector<std::pair<void*, int64_t>> all;
        for (const ops::Tensor& tensor : {batch.token_ids, batch.positions, batch.sequence_ids, batch.slots, batch.query_start,
                                          batch.context_len, batch.page_table, batch.logit_rows})
            all.emplace_back(tensor.data, tensor.elements());
        return all;
    };

    const ops::Batch batch = build({1, 2048});
    EXPECT_EQ(batch.max_context_tokens, 2048);
    EXPECT_EQ(batch.page_table.shape[1], 32);
    EXPECT_EQ(batch.page_table.as<int32_t>()[32 + 31], 3);
    const ops::Batch other = build({1000, 7});
    EXPECT_EQ(repeat_key(other), repeat_key(batch));
    EXPECT_EQ(places(other), places(batch));

    EXPECT_EQ(build({3, 2049}).max_context_tokens, 4096);
    EXPECT_NE(repeat_key(build({3, 2049})), repeat_key(batch));
    EXPECT_NE(repeat_key(build({5})), repeat_key(batch));
    EXPECT_EQ(build({8193}).max_context_tokens, 10000) << "not beyond the limit";

    schedule::StepPlan plan;
    plan.sequences.push_back({.first_position = 5, .query_tokens = two, .pages = pages, .wants_token = true});
    plan.num_tokens = 2;
    EXPECT_FALSE(repeat_key(builder.build(plan))) << "a prefill";
    plan.sequences[0].query_tokens = token;
    plan.sequences[0].wants_token = false;
    plan.num_tokens = 1;
    EXPECT_FALSE(repeat_key(builder.build(plan))) << "a prefill's single token";
}

TEST_F(BatchBuilderTest, RefusesAPlanBeyondItsLimits) {
    const std::vector<int32_t> tokens(17, 1), pages = {0};
    schedule::StepPlan plan;
    plan.sequences.push_back({.query_tokens = tokens, .pages = pages});
    plan.num_tokens = 17;
    EXPECT_DEATH(builder_.build(plan), "17 tokens");
}

}  // namespace
}  // namespace glm5::batch
