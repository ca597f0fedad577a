// The engine on glm5-nano: golden continuations, many requests at once, cancellation, limits, and refusals.
#include "glm5/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "backend/registry.h"
#include "engine/support.h"

namespace glm5 {
namespace {

using ::testing::HasSubstr;

Result<std::unique_ptr<Engine>> open_engine(const EngineOptions& options) {
    return Engine::open(options, backend::make_backend({.kind = "cpu"}, {}).value());
}

class EngineTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() { engine_ = open_engine(nano_options()).value().release(); }
    static void TearDownTestSuite() { delete engine_; }
    static Engine* engine_;
};
Engine* EngineTest::engine_ = nullptr;

// Requests of 11 to 5,987 tokens at once: prefill chunks and decodes share steps, and each gets what it gets alone.
TEST_F(EngineTest, GoldenContinuationsAllAtOnce) {
    ASSERT_EQ(goldens().size(), 8u);
    std::vector<Collector> collectors(goldens().size());
    for (size_t i = 0; i < goldens().size(); ++i)
        ASSERT_TRUE(engine_->submit(request_for(goldens()[i]), collectors[i].sink()).ok());
    for (size_t i = 0; i < goldens().size(); ++i) {
        const FinishReason reason = collectors[i].wait();
        EXPECT_EQ(collectors[i].tokens(), goldens()[i].greedy) << goldens()[i].name;
        const bool ends_with_eos = goldens()[i].greedy.back() >= 4096;
        EXPECT_EQ(reason, ends_with_eos ? FinishReason::stop : FinishReason::length) << goldens()[i].name;
    }
    EXPECT_EQ(engine_->stats().pages_used, 0);
}

TEST_F(EngineTest, APrefixHitChangesNothing) {
    const Golden& golden = goldens()[3];
    ASSERT_GT(golden.prompt.size(), 600u);
    for (int round = 0; round < 2; ++round) {
        Collector collector;
        ASSERT_TRUE(engine_->submit(request_for(golden), collector.sink()).ok());
        collector.wait();
        EXPECT_EQ(collector.tokens(), golden.greedy);
        if (round == 0) continue;
        EXPECT_EQ(collector.cached_prompt_tokens(), (static_cast<int>(golden.prompt.size()) - 1) / 64 * 64);
    }
}

// A pool of 1,024 tokens for eight sequences that grow to 200: some give way and are computed again.
TEST_F(EngineTest, APreemptionChangesNothing) {
    const Golden& golden = goldens()[0];
    const auto long_request = [&] {
        return Request{.prompt = golden.prompt, .sampling = {.max_tokens = 180, .ignore_eos = true}};
    };
    Collector alone;
    ASSERT_TRUE(engine_->submit(long_request(), alone.sink()).ok());
    alone.wait();
    // ignore_eos: all but the eos that ends it.
    EXPECT_TRUE(std::equal(golden.greedy.begin(), golden.greedy.end() - 1, alone.tokens().begin()));

    EngineOptions options = nano_options();
    options.max_model_len = 256;
    options.kv_cache_bytes = int64_t{11264} * 64 * 16;
    options.enable_prefix_caching = false;
    auto engine = open_engine(options).value();
    std::vector<Collector> collectors(8);
    for (Collector& collector : collectors) ASSERT_TRUE(engine->submit(long_request(), collector.sink()).ok());
    for (Collector& collector : collectors) {
        collector.wait();
        EXPECT_EQ(collector.tokens(), alone.tokens());
    }
    EXPECT_GT(engine->stats().preemptions, 0);
}

TEST_F(EngineTest, ChoicesShareThePromptsPages) {
    const Golden& golden = goldens()[3];
    Request request = request_for(golden);
    request.num_choices = 3;
    std::mutex mutex;
    std::condition_variable changed;
    std::map<int, std::vector<int32_t>> tokens;
    std::map<int, int> cached;
    int finished = 0;
    ASSERT_TRUE(engine_->submit(request, [&](Event event) {
                           std::lock_guard lock(mutex);
                           auto& choice = tokens[event.choice];
                           choice.insert(choice.end(), event.tokens.begin(), event.tokens.end());
                           cached[event.choice] += event.cached_prompt_tokens;
                           finished += event.finish_reason != FinishReason::none;
                           changed.notify_all();
                       }).ok());
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return finished == 3; });
    for (int choice = 0; choice < 3; ++choice) EXPECT_EQ(tokens[choice], golden.greedy);
    for (int choice : {1, 2}) EXPECT_EQ(cached[choice], (static_cast<int>(golden.prompt.size()) - 1) / 64 * 64);
}

TEST_F(EngineTest, StopTokensAndIgnoreEos) {
    const Golden& golden = goldens()[0];
    Request stop = request_for(golden);
    stop.sampling.stop_token_ids = {golden.greedy[3]};
    Collector stopped;
    ASSERT_TRUE(engine_->submit(stop, stopped.sink()).ok());
    EXPECT_EQ(stopped.wait(), FinishReason::stop);
    EXPECT_EQ(stopped.tokens(), std::vector<int32_t>(golden.greedy.begin(), golden.greedy.begin() + 4));

    Request further = request_for(golden);
    further.sampling.ignore_eos = true;
    further.sampling.max_tokens += 5;
    Collector ignored;
    ASSERT_TRUE(engine_->submit(further, ignored.sink()).ok());
    EXPECT_EQ(ignored.wait(), FinishReason::length);
    EXPECT_EQ(ignored.tokens().size(), golden.greedy.size() + 5);
}

TEST_F(EngineTest, CancellingFreesThePagesAndDisturbsNobody) {
    const Golden& golden = goldens()[0];
    Request endless{.prompt = golden.prompt, .sampling = {.max_tokens = 4000, .ignore_eos = true}};
    Collector cancelled, other;
    const RequestId id = engine_->submit(endless, cancelled.sink()).value();
    ASSERT_TRUE(engine_->submit(request_for(golden), other.sink()).ok());
    cancelled.wait_for_tokens(3);
    engine_->cancel(id);
    engine_->cancel(id);
    EXPECT_EQ(cancelled.wait(), FinishReason::cancelled);
    EXPECT_LT(cancelled.tokens().size(), 4000u);
    other.wait();
    EXPECT_EQ(other.tokens(), golden.greedy);
    EXPECT_EQ(engine_->stats().pages_used, 0);
    EXPECT_EQ(engine_->stats().running, 0);
}

TEST_F(EngineTest, StopsAtTheEndOfTheContext) {
    EngineOptions options = nano_options();
    options.max_model_len = 64;
    auto engine = open_engine(options).value();
    Request request{.prompt = std::vector<int32_t>(60, 100), .sampling = {.max_tokens = 100, .ignore_eos = true}};
    Collector collector;
    ASSERT_TRUE(engine->submit(request, collector.sink()).ok());
    EXPECT_EQ(collector.wait(), FinishReason::length);
    EXPECT_EQ(collector.tokens().size(), 4u);
}

TEST_F(EngineTest, DestructionCancelsWhatRuns) {
    Collector collector;
    {
        auto engine = open_engine(nano_options()).value();
        Request request{.prompt = goldens()[0].prompt, .sampling = {.max_tokens = 4000, .ignore_eos = true}};
        ASSERT_TRUE(engine->submit(request, collector.sink()).ok());
    }
    EXPECT_EQ(collector.wait(), FinishReason::cancelled);
}

TEST_F(EngineTest, RefusesBadRequestsByName) {
    const auto refusal = [&](Request request) {
        const auto result = engine_->submit(std::move(request), [](Event) { FAIL() << "an event of a refused request"; });
        return result.ok() ? "accepted" : result.status().message();
    };
    EXPECT_THAT(refusal({.prompt = {}, .sampling = {.max_tokens = 1}}), HasSubstr("no tokens"));
    EXPECT_THAT(refusal({.prompt = {1, 4132}, .sampling = {.max_tokens = 1}}), HasSubstr("token id 4132 is out of vocabulary"));
    EXPECT_THAT(refusal({.prompt = {-1}, .sampling = {.max_tokens = 1}}), HasSubstr("token id -1"));
    EXPECT_THAT(refusal({.prompt = {1}, .sampling = {.max_tokens = 0}}), HasSubstr("max_tokens"));
    EXPECT_THAT(refusal({.prompt = std::vector<int32_t>(8192, 1), .sampling = {.max_tokens = 1}}), HasSubstr("8192 tokens"));
}

TEST(EngineOpen, RefusesLimitsThatDoNotFit) {
    EngineOptions small = nano_options();
    small.kv_cache_bytes = int64_t{11264} * 640;
    small.max_model_len = 641;
    const auto result = open_engine(small);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.status().code(), StatusCode::resource_exhausted);
    EXPECT_THAT(result.status().message(), HasSubstr("hold 640 tokens"));

    EngineOptions longer = nano_options();
    longer.max_model_len = 9000;
    EXPECT_THAT(open_engine(longer).status().message(), HasSubstr("the model's limit is 8192"));

    EngineOptions missing = nano_options();
    missing.model_directory = GLM5_SOURCE_DIR "/tests/fixtures";
    EXPECT_THAT(open_engine(missing).status().message(), HasSubstr("config.json"));
}

TEST(EngineOpen, TheContextIsWhatTheCacheHolds) {
    EngineOptions options = nano_options();
    options.kv_cache_bytes = int64_t{11264} * 650;
    EXPECT_EQ(open_engine(options).value()->info().max_model_len, 640);
    options.kv_cache_bytes = int64_t{11264} * 63;  // not one page
    EXPECT_EQ(open_engine(options).status().code(), StatusCode::resource_exhausted);
}

TEST(EngineOpen, TheQueueHasItsBound) {
    EngineOptions options = nano_options();
    options.max_queued_requests = 2;
    const auto engine = open_engine(options).value();
    const Request request{.prompt = {1, 2, 3}, .sampling = {.max_tokens = 4000, .ignore_eos = true}};
    EXPECT_TRUE(engine->submit(request, [](Event) {}).ok());
    EXPECT_TRUE(engine->submit(request, [](Event) {}).ok());
    const auto third = engine->submit(request, [](Event) {});
    EXPECT_EQ(third.status().code(), StatusCode::resource_exhausted);
    EXPECT_THAT(third.status().message(), HasSubstr("2 requests are queued"));
}

}  // namespace
}  // namespace glm5
