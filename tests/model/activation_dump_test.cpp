// The files of --dump-activations: names, shapes, contents, and one directory per step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "load/safetensors.h"
#include "model/activation_dump.h"
#include "model/harness.h"

namespace glm5::model {
namespace {

namespace fs = std::filesystem;

class ActivationDumpTest : public testing::Test {
protected:
    ActivationDumpTest() : directory_(fs::temp_directory_path() / ("glm5-dump-" + std::to_string(getpid()))) {}
    ~ActivationDumpTest() override { fs::remove_all(directory_); }

    const fs::path directory_;
};

TEST_F(ActivationDumpTest, WritesEveryNamedTensorOfEveryStep) {
    ModelRun run("tests/fixtures/tiny-indexshare", {.num_pages = 4});
    auto dump = ActivationDump::open(run.backend(), directory_);
    ASSERT_TRUE(dump.ok()) << dump.status().message();
    run.decoder().set_observer((*dump)->observer());

    const std::vector<int32_t> ids = {5, 17, 200, 3, 4};
    TestSequence sequence;
    const std::vector<float> logits = run.prefill(sequence, ids, 3);

    const fs::path step = directory_ / "step-000001";
    for (const char* name : {"token_ids", "positions", "sequence_ids", "logit_rows", "embed", "layers.0.mlp_out",
                             "layers.2.selection", "layers.3.attention_out", "layers.6.expert_ids", "residual", "norm"})
        EXPECT_TRUE(fs::exists(step / (std::string(name) + ".safetensors"))) << name;
    EXPECT_FALSE(fs::exists(step / "layers.3.selection.safetensors"));  // a shared layer
    EXPECT_FALSE(fs::exists(directory_ / "step-000002"));

    const auto file = load::File::open(step / "logits.safetensors");
    ASSERT_TRUE(file.ok()) << file.status().message();
    const auto tensors = load::read_safetensors_header(*file);
    ASSERT_TRUE(tensors.ok()) << tensors.status().message();
    ASSERT_EQ(tensors->size(), 1u);
    const load::TensorInfo& tensor = tensors->front();
    EXPECT_EQ(tensor.name, "logits");
    EXPECT_EQ(tensor.shape, (std::vector<int64_t>{2, 320}));
    std::vector<float> written(2 * 320);
    ASSERT_TRUE(file->read(tensor.file_offset, std::as_writable_bytes(std::span(written))).ok());
    EXPECT_TRUE(same_bits(written, std::span(logits).last(written.size())));
}

TEST_F(ActivationDumpTest, RefusesADirectoryThatHoldsSteps) {
    ModelRun run("tests/fixtures/tiny-random", {.num_pages = 4});
    fs::create_directories(directory_ / "step-000000");
    const auto dump = ActivationDump::open(run.backend(), directory_);
    ASSERT_FALSE(dump.ok());
    EXPECT_THAT(dump.status().message(), testing::HasSubstr(directory_.string()));
}

}  // namespace
}  // namespace glm5::model
