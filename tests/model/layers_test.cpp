// Every named intermediate of a step against transformers in float32 (tools/dump_activations_transformers.py): when a
// golden value is missed, the first failure here is the op to look at.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "load/safetensors.h"
#include "model/harness.h"

namespace glm5::model {
namespace {

constexpr const char* kFixture = "tests/fixtures/tiny-indexshare/transformers/activations.safetensors";

std::set<std::string> expected_names() {
    const auto file = load::File::open(source_path(kFixture));
    const auto tensors = load::read_safetensors_header(file.value());
    std::set<std::string> names;
    for (const load::TensorInfo& tensor : tensors.value()) names.insert(tensor.name);
    return names;
}

double relative_l2(std::span<const float> found, std::span<const float> expected) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        difference += std::pow(double(found[i]) - expected[i], 2);
        size += std::pow(double(expected[i]), 2);
    }
    return std::sqrt(difference / size);
}

TEST(Layers, EveryIntermediateIsThatOfTransformers) {
    const std::vector<int32_t> ids = read_golden_i32(kFixture, "token_ids");
    ASSERT_GT(ids.size(), 16u);  // beyond top-k
    std::set<std::string> unseen = expected_names();
    ASSERT_EQ(unseen.size(), 102u);

    ModelRun run("tests/fixtures/tiny-indexshare", {.num_pages = 4});
    run.decoder().set_observer([&](std::string_view name, const ops::Tensor& tensor) {
        const std::string key(name);
        if (unseen.erase(key) == 0) return;  // an intermediate that transformers does not form
        if (tensor.dtype == DType::i32) {
            std::vector<int32_t> found(tensor.elements());
            run.backend().copy_to_host(found.data(), tensor, tensor.bytes());
            EXPECT_EQ(found, read_golden_i32(kFixture, key)) << key;
            return;
        }
        ASSERT_EQ(tensor.dtype, DType::f32) << key;
        const std::vector<float> expected = read_golden_f32(kFixture, key);
        std::vector<float> found(tensor.elements());
        run.backend().copy_to_host(found.data(), tensor, tensor.bytes());
        ASSERT_EQ(found.size(), expected.size()) << key;
        EXPECT_LE(relative_l2(found, expected), 1e-5) << key;
    });
    TestSequence sequence;
    run.prefill(sequence, ids, static_cast<int>(ids.size()));
    EXPECT_TRUE(unseen.empty()) << *unseen.begin() << " was not observed";
}

}  // namespace
}  // namespace glm5::model
