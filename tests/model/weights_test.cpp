// Loading: what is read, what is not, and the errors of a checkpoint that lacks or misshapes a tensor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "backend/registry.h"
#include "model/harness.h"
#include "model/weights.h"

namespace glm5::model {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A checkpoint with one tensor hidden, of another shape, or of another type and zero; notes what is read.
class AlteredSource final : public load::TensorSource {
public:
    explicit AlteredSource(const load::Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

    void hide(const std::string& name) { hidden_ = name; }
    void reshape(const std::string& name, std::vector<int64_t> shape) {
        hidden_.clear();
        altered_ = *checkpoint_.find(name);
        altered_.shape = std::move(shape);
    }

    void retype(const std::string& name, DType dtype) {
        altered_ = *checkpoint_.find(name);
        altered_.num_bytes = altered_.num_bytes / dtype_bytes(altered_.dtype) * dtype_bytes(dtype);
        altered_.dtype = dtype;
    }

    const load::TensorInfo* find(std::string_view name) const override {
        if (name == hidden_) return nullptr;
        return name == altered_.name ? &altered_ : checkpoint_.find(name);
    }
    std::span<const load::TensorInfo> tensors() const override { return checkpoint_.tensors(); }
    Status read(const load::TensorInfo& tensor, uint64_t offset_bytes, std::span<std::byte> out) const override {
        const std::scoped_lock lock(mutex_);
        read_.insert(tensor.name);
        if (&tensor == &altered_) {
            std::ranges::fill(out, std::byte{0});
            return {};
        }
        return checkpoint_.read(tensor, offset_bytes, out);
    }
    std::set<std::string> names_read() const { return read_; }

private:
    const load::Checkpoint& checkpoint_;
    std::string hidden_;
    load::TensorInfo altered_;
    mutable std::mutex mutex_;
    mutable std::set<std::string> read_;
};

class WeightLoading : public testing::Test {
protected:
    explicit WeightLoading(const std::string& path = "tests/fixtures/tiny-indexshare")
        : checkpoint_(open_checkpoint(path)),
          source_(*checkpoint_),
          backend_(backend::make_backend({.kind = "cpu", .num_threads = 1}, {}).value()) {}

    Result<Weights> load(const LoadProgress& progress = {}) {
        return load_weights(checkpoint_->config(), source_, *backend_, progress);
    }

    std::unique_ptr<load::Checkpoint> checkpoint_;
    AlteredSource source_;
    std::unique_ptr<ops::Backend> backend_;
};

class NanoWeightLoading : public WeightLoading {
protected:
    NanoWeightLoading() : WeightLoading("models/glm5-nano") {}
};

TEST_F(WeightLoading, SharedIndexLayersHaveNoIndexer) {
    const auto weights = load();
    ASSERT_TRUE(weights.ok()) << weights.status().message();
    const std::vector<bool> full = {true, true, true, false, false, true, false};
    ASSERT_EQ(weights->layers.size(), full.size());
    for (size_t i = 0; i < full.size(); ++i) {
        EXPECT_EQ(static_cast<bool>(weights->layers[i].attention.indexer), full[i]) << i;
        EXPECT_EQ(static_cast<bool>(weights->layers[i].moe), i > 0) << i;
        EXPECT_EQ(static_cast<bool>(weights->layers[i].dense_mlp.gate), i == 0) << i;
    }
    EXPECT_EQ(weights->layers[1].moe.experts.gate.batch, 8);
    EXPECT_EQ(weights->layers[1].attention.absorb_k.batch, 4);
}

TEST_F(WeightLoading, ErrorsNameTheTensor) {
    const std::pair<const char*, std::vector<int64_t>> shapes[] = {
        {"model.layers.3.self_attn.kv_b_proj.weight", {176, 31}},
        {"model.layers.2.mlp.experts.5.down_proj.weight", {48, 96}},
        {"model.layers.5.self_attn.indexer.k_norm.bias", {31}},
        {"model.layers.1.mlp.gate.e_score_correction_bias", {9}},
        {"lm_head.weight", {319, 96}},
    };
    for (const auto& [name, shape] : shapes) {
        AlteredSource source(*checkpoint_);
        source.hide(name);
        auto weights = load_weights(checkpoint_->config(), source, *backend_, {});
        ASSERT_FALSE(weights.ok()) << name;
        EXPECT_THAT(weights.status().message(), HasSubstr(name));
        source.reshape(name, shape);
        weights = load_weights(checkpoint_->config(), source, *backend_, {});
        ASSERT_FALSE(weights.ok()) << name;
        EXPECT_THAT(weights.status().message(), AllOf(HasSubstr(name), HasSubstr(std::to_string(shape[0]))));
    }
}

TEST_F(WeightLoading, ExpertsOfALayerAreStoredAlike) {
    source_.retype("model.layers.4.mlp.experts.6.up_proj.weight", DType::f32);
    const auto weights = load();
    ASSERT_FALSE(weights.ok());
    EXPECT_THAT(weights.status().message(), HasSubstr("model.layers.4.mlp.experts.6.up_proj.weight"));
}

TEST_F(NanoWeightLoading, ReadsEveryTensorOfTheMainLayersAndNoneOfTheMtpLayer) {
    int64_t last_loaded = 0, total = 0;
    const auto weights = load([&](int64_t loaded_bytes, int64_t total_bytes) {
        EXPECT_GT(loaded_bytes, last_loaded);
        last_loaded = loaded_bytes;
        total = total_bytes;
    });
    ASSERT_TRUE(weights.ok()) << weights.status().message();

    std::set<std::string> expected;
    int64_t expected_bytes = 0;
    for (const load::TensorInfo& tensor : checkpoint_->tensors()) {
        if (tensor.name.starts_with("model.layers.4.")) continue;
        expected.insert(tensor.name);
        expected_bytes += static_cast<int64_t>(tensor.num_bytes);
    }
    EXPECT_EQ(source_.names_read(), expected);
    EXPECT_EQ(last_loaded, expected_bytes);
    EXPECT_EQ(total, expected_bytes);
}

TEST_F(NanoWeightLoading, KeepsFp8AndDequantisesWhatIsCutByHeads) {
    const auto weights = load();
    ASSERT_TRUE(weights.ok()) << weights.status().message();
    const LayerWeights& layer = weights->layers[1];
    EXPECT_EQ(layer.attention.q_b_proj.format, ops::WeightFormat::fp8_block128);
    EXPECT_EQ(layer.moe.experts.down.format, ops::WeightFormat::fp8_block128);
    EXPECT_EQ(layer.attention.absorb_k.format, ops::WeightFormat::f32);
    EXPECT_EQ(layer.attention.indexer.wk.format, ops::WeightFormat::f32);
    EXPECT_EQ(layer.attention.indexer.weights_proj.format, ops::WeightFormat::bf16);
    EXPECT_EQ(layer.moe.gate.format, ops::WeightFormat::bf16);
}

}  // namespace
}  // namespace glm5::model
