// A token's logits are the same bits however its sequence is cut into steps, whatever else is in the step, wherever its
// pages lie, and however many threads compute. In every Numerics.
#include <gtest/gtest.h>

#include <ostream>

#include "model/harness.h"

namespace glm5::model {
namespace {

struct Setting {
    const char* name;
    const char* model;
    ops::Numerics numerics;
    int num_tokens;  // of the longest sequence; beyond the model's top-k, so that the selection chooses
};

void PrintTo(const Setting& setting, std::ostream* out) {
    *out << setting.name;
}

const Setting kSettings[] = {
    {"tiny_f32", "tests/fixtures/tiny-indexshare", {}, 150},
    {"tiny_bf16",
     "tests/fixtures/tiny-indexshare",
     {.activation = ops::ActivationFormat::bf16, .latent = LatentFormat::bf16},
     150},
    {"nano_f32", "models/glm5-nano", {}, 300},
    {"nano_fp8", "models/glm5-nano", fp8_numerics(LatentFormat::bf16), 300},
    {"nano_fp8_latents", "models/glm5-nano", fp8_numerics(LatentFormat::fp8_ds_mla), 300},
};

std::vector<int32_t> random_ids(int count, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<int32_t> ids(count);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 320);  // the smaller vocabulary
    return ids;
}

class BatchIndependence : public testing::TestWithParam<Setting> {
protected:
    ModelRun open(int num_threads, uint32_t page_seed) const {
        return ModelRun(GetParam().model, {.numerics = GetParam().numerics,
                                           .num_threads = num_threads,
                                           .max_tokens = 512,
                                           .num_pages = 32,
                                           .page_seed = page_seed});
    }
    const std::vector<int32_t> ids_ = random_ids(GetParam().num_tokens, 7);
};

TEST_P(BatchIndependence, OfChunksPagesAndThreads) {
    ModelRun one_thread = open(1, 1);
    TestSequence sequence;
    const std::vector<float> expected = one_thread.prefill(sequence, ids_, static_cast<int>(ids_.size()));

    ModelRun two_threads = open(2, 2);
    for (int chunk_tokens : {static_cast<int>(ids_.size()), 1, 7, 64, 65}) {
        TestSequence other;
        EXPECT_TRUE(same_bits(two_threads.prefill(other, ids_, chunk_tokens), expected)) << chunk_tokens;
        two_threads.release(other);
    }
    TestSequence other;
    EXPECT_TRUE(same_bits(one_thread.prefill(other, ids_, 33), expected));
}

TEST_P(BatchIndependence, OfTheRowsThatAreWanted) {
    ModelRun run = open(2, 5);
    const size_t vocab_size = run.config().vocab_size;
    TestSequence sequence, other;
    const std::vector<float> expected = run.prefill(sequence, ids_, 512);

    const auto ids = std::span(ids_);
    const std::vector<float> nothing =
        run.step(std::vector<ModelRun::Part>{{&other, ids.first(100)}}, ModelRun::Rows::none);
    EXPECT_TRUE(nothing.empty());
    const std::vector<float> last =
        run.step(std::vector<ModelRun::Part>{{&other, ids.subspan(100)}}, ModelRun::Rows::last);
    EXPECT_TRUE(same_bits(last, std::span(expected).last(vocab_size)));
}

// Five sequences, prefix of each other's ids or not, at different lengths: each step takes a different number of tokens
// of each, decode and prefill mixed, and in a different order.
TEST_P(BatchIndependence, OfOtherSequences) {
    const int length = static_cast<int>(ids_.size());
    std::vector<std::vector<int32_t>> all_ids = {ids_, random_ids(length - 13, 8), random_ids(70, 9), random_ids(1, 10),
                                                 std::vector<int32_t>(ids_.begin(), ids_.begin() + 129)};
    ModelRun alone = open(2, 3);
    std::vector<std::vector<float>> expected;
    for (const auto& ids : all_ids) {
        TestSequence sequence;
        expected.push_back(alone.prefill(sequence, ids, 512));
        alone.release(sequence);
    }

    ModelRun together = open(2, 4);
    const size_t vocab_size = together.config().vocab_size;
    std::vector<TestSequence> sequences(all_ids.size());
    std::mt19937 random(11);
    const int lengths[] = {1, 1, 2, 5, 16, 64, 90};
    while (true) {
        std::vector<ModelRun::Part> parts;
        std::vector<size_t> which;
        const size_t shift = random();
        for (size_t i = 0; i < sequences.size(); ++i) {
            const size_t s = (i + shift) % sequences.size();
            const auto rest = std::span(std::as_const(all_ids[s])).subspan(sequences[s].num_computed);
            if (rest.empty()) continue;
            parts.push_back({&sequences[s], rest.first(std::min<size_t>(rest.size(), lengths[random() % 7]))});
            which.push_back(s);
        }
        if (parts.empty()) break;
        const std::vector<float> logits = together.step(parts);
        size_t row = 0;
        for (size_t i = 0; i < parts.size(); ++i) {
            const size_t count = parts[i].tokens.size();
            const size_t first = sequences[which[i]].num_computed - count;
            EXPECT_TRUE(same_bits(std::span(logits).subspan(row * vocab_size, count * vocab_size),
                                  std::span(expected[which[i]]).subspan(first * vocab_size, count * vocab_size)))
                << "sequence " << which[i] << " from position " << first;
            row += count;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Numerics, BatchIndependence, testing::ValuesIn(kSettings),
                         [](const testing::TestParamInfo<Setting>& setting) { return setting.param.name; });

}  // namespace
}  // namespace glm5::model
