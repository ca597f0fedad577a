// Sampling through the engine on glm5-nano: seeds among other requests, choices, masks and biases, and refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>

#include "backend/registry.h"
#include "glm5/engine.h"

namespace glm5 {
namespace {

using ::testing::HasSubstr;
using Tokens = std::vector<int32_t>;

class EngineSamplingTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        EngineOptions options;
        options.model_directory = GLM5_SOURCE_DIR "/models/glm5-nano";
        options.num_vocab_tokens = 4132;
        options.kv_cache_bytes = int64_t{128} << 20;
        options.max_model_len = 1024;
        engine_ = Engine::open(options, backend::make_backend({.kind = "cpu"}, {}).value()).value().release();
    }
    static void TearDownTestSuite() { delete engine_; }

    // The tokens of every choice of every request, all submitted at once.
    static std::vector<std::vector<Tokens>> run(const std::vector<Request>& requests) {
        std::vector<std::vector<Tokens>> results(requests.size());
        std::mutex mutex;
        std::condition_variable changed;
        int open = 0;
        for (size_t i = 0; i < requests.size(); ++i) {
            {
                std::lock_guard lock(mutex);
                results[i].resize(requests[i].num_choices);
                open += requests[i].num_choices;
            }
            const auto id = engine_->submit(requests[i], [&, i](Event event) {
                std::lock_guard lock(mutex);
                Tokens& tokens = results[i][event.choice];
                tokens.insert(tokens.end(), event.tokens.begin(), event.tokens.end());
                open -= event.finish_reason != FinishReason::none;
                changed.notify_all();
            });
            EXPECT_TRUE(id.ok()) << id.status().message();
            if (!id.ok()) return results;
        }
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return open == 0; });
        return results;
    }
    static Tokens run_one(const Request& request) { return run({request})[0][0]; }

    static Request request(uint64_t seed, Sampling sampling = {.temperature = 1, .top_p = 0.95f}) {
        sampling.seed = seed;
        if (sampling.max_tokens == 0) sampling.max_tokens = 24;
        return {.prompt = {100, 200, 300, 400, 500}, .sampling = std::move(sampling)};
    }

    static Engine* engine_;
};
Engine* EngineSamplingTest::engine_ = nullptr;

TEST_F(EngineSamplingTest, ASeedGivesTheSameTokensAmongOtherRequests) {
    const std::vector<Sampling> variants = {
        {.temperature = 1, .ignore_eos = true},
        {.temperature = 0.8f, .top_p = 0.9f, .top_k = 40, .ignore_eos = true},
        {.temperature = 1.3f, .min_p = 0.02f, .repetition_penalty = 1.2f, .presence_penalty = 0.2f,
         .frequency_penalty = 0.1f, .ignore_eos = true}};
    std::vector<Request> requests;
    for (int i = 0; i < 9; ++i) {
        requests.push_back(request(i, variants[i % 3]));
        for (int more = 0; more < 20 * i; ++more) requests.back().prompt.push_back(more * 7 % 4000);
    }
    const auto together = run(requests);
    for (size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(together[i][0].size(), 24u);
        EXPECT_EQ(run_one(requests[i]), together[i][0]) << i;
    }
    EXPECT_NE(run_one(request(1)), run_one(request(2)));
}

TEST_F(EngineSamplingTest, ChoicesDifferAndRepeat) {
    Request five = request(7, {.temperature = 1.2f, .ignore_eos = true});
    five.num_choices = 5;
    const auto choices = run({five})[0];
    for (size_t a = 0; a < choices.size(); ++a)
        for (size_t b = 0; b < a; ++b) EXPECT_NE(choices[a], choices[b]) << a << " and " << b;
    EXPECT_EQ(run({five})[0], choices);
    five.num_choices = 1;
    EXPECT_EQ(run_one(five), choices[0]) << "the first choice does not depend on n";
}

TEST_F(EngineSamplingTest, ABiasForcesAToken) {
    Request forced = request(1, {.temperature = 1, .logit_bias = {{1234, 1000.0f}}, .max_tokens = 6});
    EXPECT_EQ(run_one(forced), Tokens(6, 1234));
    forced.sampling.temperature = 0;
    EXPECT_EQ(run_one(forced), Tokens(6, 1234));
}

TEST_F(EngineSamplingTest, MinTokensAndIgnoreEosHoldBackTheEnd) {
    const int32_t eos = engine_->info().eos_token_ids.at(0);
    Request ending = request(1, {.temperature = 1, .logit_bias = {{eos, 1000.0f}}, .max_tokens = 20});
    EXPECT_EQ(run_one(ending), Tokens{eos});
    ending.sampling.min_tokens = 7;
    const Tokens later = run_one(ending);
    ASSERT_EQ(later.size(), 8u);
    EXPECT_EQ(std::count(later.begin(), later.end(), eos), 1);
    EXPECT_EQ(later.back(), eos);
    ending.sampling.ignore_eos = true;
    const Tokens never = run_one(ending);
    EXPECT_EQ(never.size(), 20u);
    for (int32_t id : engine_->info().eos_token_ids) EXPECT_EQ(std::count(never.begin(), never.end(), id), 0);

    Request stopping = request(1, {.temperature = 1, .logit_bias = {{77, 1000.0f}}, .max_tokens = 20, .min_tokens = 3,
                                   .stop_token_ids = {77}});
    EXPECT_EQ(run_one(stopping).size(), 4u);
}

TEST_F(EngineSamplingTest, RefusesWhatIsOutOfRangeByName) {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = INFINITY;
    const auto refusal = [&](Sampling sampling) {
        const auto result = engine_->submit(request(0, std::move(sampling)), [](Event) { FAIL() << "an event"; });
        return result.ok() ? "accepted" : result.status().message();
    };
    for (float value : {-0.1f, kNan, kInf}) EXPECT_THAT(refusal({.temperature = value}), HasSubstr("temperature"));
    for (float value : {0.0f, -1.0f, 1.1f, kNan}) EXPECT_THAT(refusal({.top_p = value}), HasSubstr("top_p"));
    EXPECT_THAT(refusal({.top_k = -1}), HasSubstr("top_k"));
    for (float value : {-0.1f, 1.1f, kNan}) EXPECT_THAT(refusal({.min_p = value}), HasSubstr("min_p"));
    for (float value : {0.0f, -1.0f, kNan, kInf})
        EXPECT_THAT(refusal({.repetition_penalty = value}), HasSubstr("repetition_penalty"));
    for (float value : {kNan, kInf, -kInf}) {
        EXPECT_THAT(refusal({.presence_penalty = value}), HasSubstr("presence_penalty"));
        EXPECT_THAT(refusal({.frequency_penalty = value}), HasSubstr("frequency_penalty"));
        EXPECT_THAT(refusal({.logit_bias = {{5, value}}}), HasSubstr("logit_bias: the bias of token id 5"));
    }
    for (int32_t id : {-1, 4132}) EXPECT_THAT(refusal({.logit_bias = {{id, 1.0f}}}), HasSubstr("logit_bias: token id"));
    EXPECT_THAT(refusal({.stop_token_ids = Tokens(1024, 3)}), HasSubstr("1024 entries in all, found 10"));
    EXPECT_THAT(refusal({.max_tokens = 5, .min_tokens = 6}), HasSubstr("min_tokens must be from 0 to max_tokens (5)"));
    EXPECT_THAT(refusal({.max_tokens = 5, .min_tokens = -1}), HasSubstr("min_tokens"));
}

}  // namespace
}  // namespace glm5
