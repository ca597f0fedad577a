// The step buffers that a plan becomes, entry by entry.
#include "batch/batch_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/registry.h"

namespace glm5::batch {
namespace {

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
    EXPECT_THAT(values(batch.page_table), ElementsAre(5, 2, 0, 9, 7, 3));
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

TEST_F(BatchBuilderTest, RefusesAPlanBeyondItsLimits) {
    const std::vector<int32_t> tokens(17, 1), pages = {0};
    schedule::StepPlan plan;
    plan.sequences.push_back({.query_tokens = tokens, .pages = pages});
    plan.num_tokens = 17;
    EXPECT_DEATH(builder_.build(plan), "17 tokens");
}

}  // namespace
}  // namespace glm5::batch
