// A plan against what the CPU backend, the decoder, the batch and the sampler allocate: glm5-nano and small
// checkpoints, through the engine.
#include <future>

#include "backend/registry.h"
#include "glm5/engine.h"
#include "support.h"

namespace glm5::plan {
namespace {

struct Case {
    std::string model;  // in the source tree
    int num_vocab_tokens = 0;
    ops::Numerics numerics;
    int max_num_batched_tokens = 0, max_num_seqs = 0;
};

const ops::Numerics kRounded = {.activation = ops::ActivationFormat::bf16,
                                .linear_input = ops::LinearInput::unquantised,
                                .latent = LatentFormat::fp8_ds_mla,
                                .index_key = IndexKeyFormat::e4m3};
const Case kCases[] = {
    {"models/glm5-nano", 4132, {}, 256, 8},
    {"models/glm5-nano", 4132, kRounded, 512, 16},
    {"tests/fixtures/tiny-random", 64, {}, 128, 4},
    {"tests/fixtures/tiny-indexshare", 64, {}, 64, 64},
};

// Generates one token after `prompt_len` tokens, so that every workspace has its largest use.
void run_prompt(Engine& engine, int prompt_len) {
    Request request;
    for (int i = 0; i < prompt_len; ++i) request.prompt.push_back(i % 60);
    request.sampling.max_tokens = 1;
    std::promise<void> done;
    const auto id = engine.submit(std::move(request), [&](Event event) {
        if (event.finish_reason != FinishReason::none) done.set_value();
    });
    ASSERT_TRUE(id.ok()) << id.status().message();
    done.get_future().wait();
}

TEST(Allocation, IsWhatWasPlanned) {
    for (const Case& c : kCases) {
        SCOPED_TRACE(c.model);
        Plan plan;
        EngineOptions options;
        options.model_directory = GLM5_SOURCE_DIR "/" + c.model;
        options.num_vocab_tokens = c.num_vocab_tokens;
        options.max_num_batched_tokens = c.max_num_batched_tokens;
        options.max_num_seqs = c.max_num_seqs;
        options.kv_cache_bytes = 64 << 20;
        options.on_plan = [&](const Plan& planned) { plan = planned; };
        auto backend = backend::make_backend({.kind = "cpu"}, c.numerics);
        auto engine = Engine::open(options, *std::move(backend));
        ASSERT_TRUE(engine.ok()) << engine.status().message();

        const MemoryStats taken = (*engine)->stats().memory;
        constexpr int64_t kFrequencies = 4 * 32;  // of rope, which no tensor of the checkpoint holds
        EXPECT_NEAR(static_cast<double>(taken.weights), static_cast<double>(plan.weights.total()), kFrequencies);
        EXPECT_EQ(taken.step_buffers, total_bytes(plan.step_buffers));
        EXPECT_EQ(taken.kv_cache, plan.cache_bytes());
        EXPECT_EQ((*engine)->stats().pages_total, plan.num_pages);

        run_prompt(**engine, std::min((*engine)->info().max_model_len - 1, 2000));
        const MemoryStats most = (*engine)->stats().memory;
        EXPECT_EQ(most.step_buffers, taken.step_buffers);
        EXPECT_LE(most.workspaces, total_bytes(plan.workspaces));
        EXPECT_GE(static_cast<double>(most.workspaces), 0.9 * static_cast<double>(total_bytes(plan.workspaces)));
    }
}

TEST(Allocation, WhatDoesNotFitIsRefusedBeforeLoading) {
    EngineOptions options;
    options.model_directory = GLM5_SOURCE_DIR "/models/glm5-nano";
    options.num_vocab_tokens = 4132;
    options.kv_cache_bytes = int64_t{1} << 46;
    bool loading = false, planned = false;
    options.on_load_progress = [&](int64_t, int64_t) { loading = true; };
    options.on_plan = [&](const Plan& plan) { planned = !plan.fit.ok(); };
    const auto engine = Engine::open(options, backend::make_backend({.kind = "cpu"}, {}).value());
    ASSERT_FALSE(engine.ok());
    EXPECT_EQ(engine.status().code(), StatusCode::resource_exhausted);
    EXPECT_EQ(engine.status().message().substr(0, 24), "the model does not fit: ");
    EXPECT_TRUE(planned);
    EXPECT_FALSE(loading);
}

}  // namespace
}  // namespace glm5::plan
