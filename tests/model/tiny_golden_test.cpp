// The two tiny checkpoints against expected logits of every position (transformers in float32), in one piece and in
// chunks.
#include <gtest/gtest.h>

#include <tuple>

#include "model/harness.h"

namespace glm5::model {
namespace {

using Case = std::tuple<const char*, int>;  // fixture, tokens per chunk

class TinyGolden : public testing::TestWithParam<Case> {};

TEST_P(TinyGolden, LogitsOfEveryPosition) {
    const auto [name, chunk_tokens] = GetParam();
    const std::string directory = std::string("tests/fixtures/") + name;
    const std::vector<int32_t> ids = read_golden_i32(directory + "/golden.safetensors", "ids");
    const std::vector<float> expected = read_golden_f32(directory + "/golden.safetensors", "logits");
    ASSERT_EQ(ids.size(), 100u);

    ModelRun run(directory, {.num_pages = 8});
    TestSequence sequence;
    const std::vector<float> found = run.prefill(sequence, ids, chunk_tokens);
    const float difference = largest_difference(found, expected);
    EXPECT_LE(difference, 2e-3f);
    RecordProperty("largest_difference", fmt::format("{:.1e}", difference));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, TinyGolden,
                         testing::Combine(testing::Values("tiny-random", "tiny-indexshare"),
                                          testing::Values(100, 1, 7, 64)),
                         [](const testing::TestParamInfo<Case>& parameters) {
                             std::string name = std::get<0>(parameters.param);
                             name.replace(name.find('-'), 1, "_");
                             return name + "_chunks_of_" + std::to_string(std::get<1>(parameters.param));
                         });

}  // namespace
}  // namespace glm5::model
