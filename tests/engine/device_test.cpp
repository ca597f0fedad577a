// The engine on a device that is not the host: recorded steps, memory that others use too, and failures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/fake_device.h"
#include "engine/support.h"
#include "ops/device_fault.h"

namespace glm5 {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMiB = 1 << 20;

Result<std::unique_ptr<Engine>> open_engine(DeviceControl& control, const EngineOptions& options) {
    return Engine::open(options, std::make_unique<FakeDevice>(control));
}

// Small enough for a test to run many.
EngineOptions small_options() {
    EngineOptions options = nano_options();
    options.kv_cache_bytes = 32 * kMiB;
    options.max_model_len = 2500;
    options.max_num_seqs = 4;
    options.max_num_batched_tokens = 256;
    return options;
}

std::vector<int32_t> run(Engine& engine, const Request& request) {
    Collector collector;
    EXPECT_TRUE(engine.submit(request, collector.sink()).ok());
    collector.wait();
    return collector.tokens();
}

// Steps that are repeated read what device memory holds then: tokens, positions, pages, in any mix of sequences.
TEST(EngineDevice, RecordedStepsGiveTheSame) {
    DeviceControl control;
    auto engine = open_engine(control, small_options()).value();
    EXPECT_EQ(control.num_recorded, 4) << "one, two, three and four sequences";
    EXPECT_EQ(control.num_repeated, 0);
    std::vector<const Golden*> chosen;
    for (const Golden& golden : goldens())
        if (golden.prompt.size() + golden.greedy.size() <= 2500) chosen.push_back(&golden);
    ASSERT_GE(chosen.size(), 4u);
    std::vector<Collector> collectors(chosen.size());
    for (size_t i = 0; i < chosen.size(); ++i)
        ASSERT_TRUE(engine->submit(request_for(*chosen[i]), collectors[i].sink()).ok());
    for (size_t i = 0; i < chosen.size(); ++i) {
        collectors[i].wait();
        EXPECT_EQ(collectors[i].tokens(), chosen[i]->greedy) << chosen[i]->name;
    }
    EXPECT_GT(control.num_repeated, 20);
}

// A sequence that grows out of its class of contexts: 2,048 tokens, then at most 2,500.
TEST(EngineDevice, AStepIsRecordedOncePerClassOfContexts) {
    DeviceControl control;
    auto engine = open_engine(control, small_options()).value();
    const Request request{.prompt = std::vector<int32_t>(2040, 100), .sampling = {.max_tokens = 20, .ignore_eos = true}};
    const std::vector<int32_t> tokens = run(*engine, request);
    EXPECT_EQ(tokens.size(), 20u);
    EXPECT_EQ(control.num_recorded, 5);
    EXPECT_EQ(control.num_repeated, 18) << "all but the prompt's last step and the first beyond the class";

    EngineOptions eager = small_options();
    eager.enforce_eager = true;
    DeviceControl other;
    EXPECT_EQ(run(*open_engine(other, eager).value(), request), tokens);
    EXPECT_EQ(other.num_recorded + other.num_repeated, 0);
}

// The batch goes to the device in one copy, and the sampler's parameters in another.
TEST(EngineDevice, AStepMakesTwoCopies) {
    DeviceControl control;
    auto engine = open_engine(control, small_options()).value();
    const int before = control.num_copies;
    run(*engine, {.prompt = {1, 2, 3}, .sampling = {.max_tokens = 10, .ignore_eos = true}});
    EXPECT_EQ(control.num_copies - before, 20);
}

TEST(EngineDevice, TheCacheTakesNoMoreThanIsThere) {
    EngineOptions options = small_options();
    options.kv_cache_bytes = 0;
    options.gpu_memory_utilization = 0.9;
    DeviceControl control;
    const int64_t planned = open_engine(control, options).value()->stats().pages_total;
    EXPECT_GT(planned, 64);

    // A tenth is for others.
    control.available_bytes = control.memory_bytes / 10 + 100 * kMiB;
    const auto engine = open_engine(control, options).value();
    const int64_t pages = engine->stats().pages_total;
    EXPECT_LT(pages, planned);
    EXPECT_LE(pages * 64 * 11264, 100 * kMiB);
    EXPECT_GT(pages * 64 * 11264, 80 * kMiB) << "the graphs' part is small";
    EXPECT_EQ(engine->stats().memory.kv_cache, pages * 64 * 11264);

    control.available_bytes = control.memory_bytes / 10 + 30 * kMiB;
    options.max_model_len = 8192;
    const auto too_long = open_engine(control, options);
    ASSERT_FALSE(too_long.ok());
    EXPECT_EQ(too_long.status().code(), StatusCode::resource_exhausted);
    EXPECT_THAT(too_long.status().message(), HasSubstr("max-model-len is 8192"));

    control.available_bytes = control.memory_bytes / 10;
    const auto none = open_engine(control, options);
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.status().code(), StatusCode::resource_exhausted);
}

TEST(EngineDevice, AFaultAtLoadIsAnError) {
    DeviceControl control;
    control.load_fault = ops::DeviceFault::Kind::out_of_memory;
    auto engine = open_engine(control, small_options());
    ASSERT_FALSE(engine.ok());
    EXPECT_EQ(engine.status().code(), StatusCode::resource_exhausted);
    EXPECT_THAT(engine.status().message(), HasSubstr("less memory than was planned: a fault that the test asked for"));
    control.load_fault = ops::DeviceFault::Kind::other;
    engine = open_engine(control, small_options());
    ASSERT_FALSE(engine.ok());
    EXPECT_EQ(engine.status().code(), StatusCode::io_error);
}

TEST(EngineDevice, AFaultInAStepEndsEveryRequest) {
    DeviceControl control;
    EngineOptions options = small_options();
    options.enforce_eager = true;
    std::string reason;
    int num_failures = 0;
    options.on_failure = [&](const std::string& why) {
        reason = why;
        ++num_failures;
    };
    auto engine = open_engine(control, options).value();
    EXPECT_FALSE(engine->stats().failed);
    // More than run at once: some wait.
    std::vector<Collector> collectors(7);
    const Request endless{.prompt = {1, 2, 3}, .sampling = {.max_tokens = 2000, .ignore_eos = true}};
    for (Collector& collector : collectors) ASSERT_TRUE(engine->submit(endless, collector.sink()).ok());
    collectors[0].wait_for_tokens(2);
    control.fails = true;
    for (Collector& collector : collectors) {
        EXPECT_EQ(collector.wait(), FinishReason::error);
        EXPECT_EQ(collector.error(), "a fault that the test asked for");
    }
    const EngineStats stats = engine->stats();
    EXPECT_TRUE(stats.failed);
    const auto refused = engine->submit(endless, [](Event) { FAIL() << "an event of a refused request"; });
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), StatusCode::io_error);
    engine.reset();
    EXPECT_EQ(reason, "a fault that the test asked for");
    EXPECT_EQ(num_failures, 1);
}

}  // namespace
}  // namespace glm5
