// Bytes of weights against the published checkpoints and reports of vLLM (docs/planning.md, Sources).
#include <gmock/gmock.h>

#include "plan/check_layout.h"
#include "support.h"

namespace glm5::plan {
namespace {

using config::Config;
using config::Quantization;

Config with(Config config, Quantization quantization) {
    config.quantization = quantization;
    return config;
}

double rank_gib(const Config& config, int tensor, bool with_mtp) {
    return gib(static_cast<double>(weight_bytes(config, {.tensor = tensor}, BackendForm::stored(), with_mtp).total()));
}

TEST(Weights, BytesOfTheCheckpointsAreThoseOfTheirIndexes) {
    EXPECT_EQ(checkpoint_bytes(published("glm-5_config")), 1'507'728'316'928);
    EXPECT_EQ(checkpoint_bytes(glm5_fp8()), 756'162'687'872);
    EXPECT_EQ(checkpoint_bytes(with(glm5_fp8(), Quantization::nvfp4)), 465'863'664'128);
    EXPECT_EQ(checkpoint_bytes(published("glm-5.2_config")), 1'506'659'919'872);
    EXPECT_EQ(checkpoint_bytes(glm52_fp8()), 755'617'140'416);
    EXPECT_EQ(checkpoint_bytes(published("glm-5.2-nvfp4_config")), 464'795'267'072);
}

TEST(Weights, OneRankOfOneHoldsTheCheckpoint) {
    for (const char* name : {"glm-5-fp8_config", "glm-5.1_config", "glm-5.2-fp8_config"}) {
        const Config config = published(name);
        EXPECT_EQ(weight_bytes(config, {}, BackendForm::stored(), true).total(), checkpoint_bytes(config)) << name;
    }
}

TEST(Weights, ARankOfEight) {
    EXPECT_NEAR(rank_gib(glm5_fp8(), 8, false), 88.689, 5e-4);
    EXPECT_NEAR(rank_gib(glm52_fp8(), 8, false), 88.18, 5e-3);
    EXPECT_NEAR(rank_gib(glm52_fp8(), 8, true), 89.50, 5e-3);
    EXPECT_NEAR(rank_gib(published("glm-5.2_config"), 8, false), 175.65, 5e-3);
    EXPECT_NEAR(rank_gib(published("glm-5.2_config"), 8, true), 178.13, 5e-3);
    EXPECT_NEAR(rank_gib(published("glm-5.2-nvfp4_config"), 8, false), 54.36, 5e-3);
    EXPECT_NEAR(rank_gib(published("glm-5.2-nvfp4_config"), 8, true), 56.84, 5e-3);
    EXPECT_NEAR(rank_gib(glm5_fp8(), 4, false), 175.3, 0.05);
    EXPECT_NEAR(rank_gib(glm5_fp8(), 4, true) - rank_gib(glm5_fp8(), 4, false), 2.46, 5e-3);
    // GLM-5.1 has the shapes of GLM-5, GLM-5.3 those of GLM-5.2.
    EXPECT_EQ(rank_gib(with(published("glm-5.1_config"), Quantization::fp8), 8, true), rank_gib(glm5_fp8(), 8, true));
}

// vLLM logged 89.43 GiB a rank for GLM-5-FP8 on eight B200, 715 GiB in all. It keeps kv_b_proj and the indexer's wq_b
// in bf16 there; this server keeps kv_b_proj and wk.
TEST(Weights, ThePublishedExample) {
    const Config config = glm5_fp8();
    const double stored = rank_gib(config, 8, false);
    const auto extra = [&](double out, double in, double ranks) {  // bf16 over FP8, in 78 layers
        return gib(78 * (2 * out * in - out * in - out / 128 * in / 128 * 4) / ranks);
    };
    EXPECT_NEAR(stored + extra(28672, 512, 8) + extra(4096, 2048, 1), 89.43, 5e-3);

    const double ours = gib(static_cast<double>(weight_bytes(config, kTp8, BackendForm::gpu(), false).total()));
    // And norms in float32, and matrices filled up to whole tiles.
    EXPECT_NEAR(ours, stored + extra(28672, 512, 8) + extra(128, 6144, 1), 0.05);
    EXPECT_NEAR(ours, 89.43, 0.01 * 89.43);
    EXPECT_NEAR(8 * ours, 715, 0.01 * 715);
}

TEST(Weights, DataParallelAttentionWithExpertsSpread) {
    const layout::ParallelLayout layout = {.tensor = 1, .data = 8, .expert = 8};
    const WeightBytes bytes = weight_bytes(glm5_fp8(), layout, BackendForm::stored(), false);
    EXPECT_NEAR(static_cast<double>(bytes.total()) / 1e9, 111.8, 0.05);
    // Experts are a rank's eighth in either layout; attention is whole.
    const WeightBytes tensor = weight_bytes(glm5_fp8(), kTp8, BackendForm::stored(), false);
    EXPECT_EQ(bytes[WeightPart::routed_experts], tensor[WeightPart::routed_experts]);
    EXPECT_EQ(bytes[WeightPart::embedding], 8 * tensor[WeightPart::embedding]);
    EXPECT_EQ(bytes[WeightPart::indexer], tensor[WeightPart::indexer]);
}

TEST(Weights, Nvfp4ExpertsBesideFp8) {
    const auto routed_only = [](const config::Parameter& parameter) {
        if (parameter.routed_expert && !parameter.mtp) return config::StoredForm::nvfp4;
        return parameter.quantisable ? config::StoredForm::fp8 : config::StoredForm::plain;
    };
    const WeightBytes bytes = weight_bytes(glm5_fp8(), kTp8, BackendForm::stored(), false, routed_only);
    EXPECT_NEAR(static_cast<double>(bytes.total()) / 1e9, 55.6, 0.05);
    // With everything else in bf16, as published; and all in FP8.
    const auto gigabytes = [](Quantization quantization) {
        const Config config = with(glm5_fp8(), quantization);
        return static_cast<double>(weight_bytes(config, kTp8, BackendForm::stored(), false).total()) / 1e9;
    };
    EXPECT_NEAR(gigabytes(Quantization::nvfp4), 59.4, 0.05);
    EXPECT_NEAR(gigabytes(Quantization::fp8), 95.2, 0.05);
}

// Each part against numbers of docs/model.md, in parameters.
TEST(Weights, Parts) {
    const WeightBytes bytes = weight_bytes(published("glm-5_config"), {}, BackendForm::stored(), true);
    EXPECT_EQ(bytes[WeightPart::embedding], int64_t{2} * 154880 * 6144);
    EXPECT_EQ(bytes[WeightPart::head], int64_t{2} * 154880 * 6144);
    EXPECT_EQ(bytes[WeightPart::routed_experts], int64_t{2} * 75 * 256 * 3 * 2048 * 6144);
    EXPECT_EQ(bytes[WeightPart::shared_experts], int64_t{2} * 75 * 3 * 2048 * 6144);
    EXPECT_EQ(bytes[WeightPart::dense_mlp], int64_t{2} * 3 * 3 * 12288 * 6144);
    EXPECT_EQ(bytes[WeightPart::router], int64_t{75} * 256 * (2 * 6144 + 4));
    EXPECT_EQ(bytes[WeightPart::norms], int64_t{2} * 6144 * (2 * 78 + 1));
    EXPECT_EQ(bytes[WeightPart::mtp_layer], 19'905'841'664);
}

TEST(CheckLayout, NamesTheKeyThatCannotBeCut) {
    const auto message = [](const Config& config, const layout::ParallelLayout& layout) {
        return check_layout(config, layout).message();
    };
    for (const int tensor : {1, 2, 4, 8, 16}) EXPECT_EQ(message(glm5_fp8(), {.tensor = tensor}), "");
    EXPECT_EQ(message(glm5_fp8(), {.tensor = 3}),
              "config.json: num_attention_heads: 64 cannot be shared evenly by 3 ranks");
    EXPECT_EQ(
        message(glm5_fp8(), {.tensor = 32}),
        "config.json: n_shared_experts: 2048 shared by 32 ranks are 64 each, which does not end on a quantisation "
        "block of 128");
    EXPECT_EQ(message(glm5_fp8(), {.tensor = 1, .data = 3, .expert = 3}),
              "config.json: n_routed_experts: 256 cannot be shared evenly by 3 ranks");
    EXPECT_EQ(message(published("glm-5_config"), {.tensor = 32}), "");
    EXPECT_THAT(message(glm5_fp8(), {.tensor = 8, .data = 1, .expert = 3}), testing::HasSubstr("groups of experts"));
}

}  // namespace
}  // namespace glm5::plan
