// Capacities against published logs and against the formula worked by hand.
#include "plan/plan.h"

#include <gmock/gmock.h>

#include "plan/alternatives.h"
#include "support.h"

namespace glm5::plan {
namespace {

using config::Config;

CacheBytes cache_of(const Config& config, LatentFormat latent, bool with_mtp) {
    PlanOptions options = gpu_options("b200");
    options.latent = latent;
    options.with_mtp = with_mtp;
    return planned(config, kTp8, options).cache;
}

TEST(Cache, BytesOfATokenAreThoseOfTheTable) {
    struct Case {
        Config config;
        LatentFormat latent;
        int64_t bytes, with_mtp;
    };
    const Case cases[] = {
        {glm5_fp8(), LatentFormat::bf16, 100'152, 101'436},
        {glm5_fp8(), LatentFormat::fp8_ds_mla, 61'464, 62'252},
        {published("glm-5.1_config"), LatentFormat::bf16, 100'152, 101'436},
        {glm52_fp8(), LatentFormat::bf16, 92'628, 93'912},
        {glm52_fp8(), LatentFormat::fp8_ds_mla, 53'940, 54'728},
        {published("glm-5.2-nvfp4_config"), LatentFormat::fp8_ds_mla, 53'940, 54'728},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(cache_of(c.config, c.latent, false).per_token(), c.bytes);
        EXPECT_EQ(cache_of(c.config, c.latent, true).per_token(), c.with_mtp);
    }
    const CacheBytes parts = cache_of(glm52_fp8(), LatentFormat::bf16, true);
    EXPECT_EQ(parts.latent, 78 * 1152);
    EXPECT_EQ(parts.index_keys, 21 * 132);
    EXPECT_EQ(parts.mtp, 1152 + 132);
}

// GLM-5-FP8 on eight B200 in vLLM: "Available KV cache memory: 64.49 GiB", "GPU KV cache size: 691,392 tokens".
TEST(Plan, ThePublishedExample) {
    PlanOptions options = gpu_options("b200");
    options.kv_cache_bytes = bytes_of_gib(64.49);
    const Plan plan = planned(glm5_fp8(), kTp8, options);
    EXPECT_EQ(plan.num_pages, 10'803);
    EXPECT_EQ(plan.num_tokens(), 691'392);
    EXPECT_EQ(plan.cache_bytes(), 69'244'291'584);
    EXPECT_NEAR(gib(static_cast<double>(plan.cache_bytes())), 64.49, 5e-3);
    EXPECT_TRUE(plan.fit.ok()) << plan.fit.message();
    EXPECT_EQ(plan.sizes.max_model_len, 202'752);
    EXPECT_NEAR(plan.concurrency(202'752), 3.41, 5e-3);
    // With indexers shared as in GLM-5.2 the same memory holds 8 % more, in fp8_ds_mla nearly twice as much.
    EXPECT_EQ(plan.cache_bytes() / planned(with_shared_indexers(glm5_fp8()), kTp8, options).cache.per_token(), 747'552);
    options.latent = LatentFormat::fp8_ds_mla;
    EXPECT_EQ(plan.cache_bytes() / planned(with_shared_indexers(glm5_fp8()), kTp8, options).cache.per_token(),
              1'283'728);
}

// GLM-5.2 in vLLM: "Available KV cache memory: 28.85 GiB", "GPU KV cache size: 574,336 tokens", fp8_ds_mla.
TEST(Plan, ThePublishedLogOfGlm52) {
    PlanOptions options = gpu_options("h200");
    options.latent = LatentFormat::fp8_ds_mla;
    options.kv_cache_bytes = bytes_of_gib(28.85);
    options.max_model_len = 400'000;
    const Plan plan = planned(glm52_fp8(), kTp8, options);
    EXPECT_NEAR(static_cast<double>(plan.num_tokens()), 574'336, 64);
    EXPECT_NEAR(plan.concurrency(400'000), 1.44, 5e-3);
}

// The worked examples of docs/planning.md: what is left for the cache decides everything after it.
TEST(Plan, WorkedExamples) {
    PlanOptions options = gpu_options("h200");
    options.latent = LatentFormat::fp8_ds_mla;
    options.with_mtp = true;
    options.kv_cache_bytes = bytes_of_gib(32.03);
    EXPECT_EQ(planned(glm52_fp8(), kTp8, options).num_pages, 9'818);
    options.max_model_len = 202'752;
    EXPECT_NEAR(planned(glm52_fp8(), kTp8, options).concurrency(202'752), 3.10, 5e-3);

    options.max_model_len = 1'048'576;
    const Plan plan = planned(glm52_fp8(), kTp8, options);
    EXPECT_EQ(plan.largest_model_len, 9'818 * 64);
    EXPECT_EQ(plan.fit.code(), StatusCode::resource_exhausted);
    EXPECT_THAT(plan.fit.message(), testing::HasSubstr("max-model-len 1048576, 53.45 GiB of KV cache are needed, and "
                                                       "32.03 GiB are available, which hold 628352 tokens; the largest "
                                                       "max-model-len that fits is 628352"));

    options = gpu_options("b200");
    options.latent = LatentFormat::fp8_ds_mla;
    options.with_mtp = true;
    options.kv_cache_bytes = bytes_of_gib(67.48);
    options.max_model_len = 1'048'576;
    EXPECT_NEAR(planned(glm52_fp8(), kTp8, options).concurrency(1'048'576), 1.26, 5e-3);
}

TEST(Plan, PagesAreWhatTheFormulaLeaves) {
    PlanOptions options = gpu_options("h200");
    options.latent = LatentFormat::fp8_ds_mla;
    const Plan plan = planned(glm5_fp8(), kTp8, options);
    int64_t left = static_cast<int64_t>(150'109'880'320.0 * 0.92);
    left -= plan.weights.total() + plan.context_bytes + plan.graphs_bytes;
    for (const auto* group : {&plan.step_buffers, &plan.workspaces, &plan.communication})
        for (const Buffer& buffer : *group) left -= buffer.bytes;
    EXPECT_EQ(plan.num_pages, left / (64 * 61'464));
    EXPECT_LE(plan.planned_bytes(), plan.budget_bytes);
    EXPECT_GT(plan.planned_bytes() + plan.cache.per_page(), plan.budget_bytes);
    EXPECT_TRUE(plan.fit.ok()) << plan.fit.message();
    // 650 thousand tokens in the 40 GB that are left of nominal 141e9 bytes by weights alone.
    EXPECT_NEAR(40e9 / static_cast<double>(plan.cache.per_token()), 650'000, 1'000);
    EXPECT_EQ(plan.sizes.max_model_len, 202'752);
}

// Sequences of 128k tokens, in fp8_ds_mla: eight ranks that share the heads hold few, as each holds the whole cache;
// eight with caches of their own hold many.
TEST(Plan, CapacityOfLayouts) {
    constexpr int64_t k128 = 131'072;
    PlanOptions options = gpu_options("h200");
    options.latent = LatentFormat::fp8_ds_mla;
    EXPECT_NEAR(static_cast<double>(planned(glm5_fp8(), kTp8, options).cache.per_token() * k128) / 1e9, 8.06, 5e-3);
    EXPECT_NEAR(planned(glm5_fp8(), kTp8, options).concurrency(k128), 5, 1);
    const layout::ParallelLayout spread = {.tensor = 1, .data = 8, .expert = 8};
    EXPECT_NEAR(planned(glm5_fp8(), spread, options).concurrency(k128), 23, 8);
    options.device = find_gpu("b200").value();
    EXPECT_NEAR(planned(glm5_fp8(), kTp8, options).concurrency(k128), 9, 1);
    EXPECT_NEAR(planned(glm5_fp8(), spread, options).concurrency(k128), 59, 12);
}

TEST(Plan, TheLargestContextIsTheLastThatFits) {
    PlanOptions options = gpu_options("h200");
    options.kv_cache_bytes = bytes_of_gib(3);
    const Plan plan = planned(glm5_fp8(), kTp8, options);
    EXPECT_EQ(plan.sizes.max_model_len, plan.largest_model_len);
    options.max_model_len = static_cast<int>(plan.largest_model_len);
    EXPECT_TRUE(planned(glm5_fp8(), kTp8, options).fit.ok());
    options.max_model_len += 1;
    EXPECT_FALSE(planned(glm5_fp8(), kTp8, options).fit.ok());
}

TEST(Plan, WhatDoesNotFitIsAPlanThatSaysSo) {
    const Plan plan = planned(glm5_fp8(), kTp8, gpu_options("h100"));
    EXPECT_EQ(plan.fit.code(), StatusCode::resource_exhausted);
    EXPECT_THAT(plan.fit.message(), testing::StartsWith("the model does not fit: a rank needs"));
    EXPECT_EQ(plan.num_pages, 0);
    EXPECT_EQ(plan.largest_model_len, 0);
    // NVFP4 experts, kept in 4 bits, do fit.
    EXPECT_TRUE(planned(published("glm-5.2-nvfp4_config"), kTp8, gpu_options("h100")).fit.ok());
    // A cache of a given size counts too.
    PlanOptions options = gpu_options("h200");
    options.kv_cache_bytes = bytes_of_gib(60);
    EXPECT_THAT(planned(glm5_fp8(), kTp8, options).fit.message(), testing::HasSubstr("cache 60.00 GiB"));
}

TEST(Plan, ErrorsNameTheOptionOrKey) {
    PlanOptions options = gpu_options("b200");
    options.max_model_len = 300'000;
    EXPECT_EQ(make_plan(glm5_fp8(), kTp8, options).status().message(),
              "--max-model-len 300000: the model's limit is 202752 (max_position_embeddings)");
    options = gpu_options("b200");
    options.with_mtp = true;
    Config config = glm5_fp8();
    config.num_mtp_layers = 0;
    EXPECT_THAT(make_plan(config, kTp8, options).status().message(), testing::HasSubstr("num_nextn_predict_layers"));
    EXPECT_THAT(make_plan(glm5_fp8(), {.tensor = 5}, options).status().message(),
                testing::HasSubstr("num_attention_heads"));
}

TEST(Alternatives, SayWhatOtherChoicesGive) {
    const Plan plan = planned(glm5_fp8(), kTp8, gpu_options("b200"));
    const auto list = alternatives(glm5_fp8(), plan);
    ASSERT_EQ(list.size(), 4u);
    const Plan &fp8 = list[0].plan, &data = list[1].plan, &nvfp4 = list[2].plan, &shared = list[3].plan;
    EXPECT_NEAR(static_cast<double>(fp8.num_tokens()) / static_cast<double>(plan.num_tokens()), 100'152.0 / 61'464,
                1e-3);
    EXPECT_EQ(data.layout, (layout::ParallelLayout{.tensor = 1, .data = 8, .expert = 8}));
    EXPECT_GT(data.num_tokens_of_all(), 3 * plan.num_tokens());
    EXPECT_EQ(nvfp4.layout.num_ranks(), 4);
    EXPECT_NEAR(gib(static_cast<double>(nvfp4.weights.total())), 108, 3);
    EXPECT_GT(shared.num_tokens(), plan.num_tokens());
    EXPECT_EQ(with_shared_indexers(glm5_fp8()).num_full_layers(), 21);
    const Config glm52 = glm52_fp8();
    const Config made = with_shared_indexers(glm5_fp8());
    for (int i = 0; i < 78; ++i) {
        EXPECT_EQ(made.layer(i).indexer, glm52.layer(i).indexer) << i;
        EXPECT_EQ(made.layer(i).index_source, glm52.layer(i).index_source) << i;
    }
    // What is so already is not offered.
    PlanOptions options = gpu_options("b200");
    options.latent = LatentFormat::fp8_ds_mla;
    EXPECT_EQ(alternatives(glm52_fp8(), planned(glm52_fp8(), {.tensor = 1, .data = 8, .expert = 8}, options)).size(),
              0u);
}

TEST(Devices, ByName) {
    EXPECT_NEAR(gib(static_cast<double>(find_gpu("H200")->memory_bytes)), 139.8, 5e-3);
    EXPECT_NEAR(gib(static_cast<double>(find_gpu("b200")->memory_bytes)), 178.35, 5e-3);
    EXPECT_FALSE(find_gpu("a100"));
    EXPECT_GT(host_memory_bytes(), int64_t{64} << 20);
}

}  // namespace
}  // namespace glm5::plan
