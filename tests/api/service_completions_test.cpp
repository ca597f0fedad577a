// Completions: limits, several prompts, streams, sampling, what is refused.
#include "api/service_fixture.h"

namespace glm5::api {
namespace {

using ServiceCompletionsTest = ServiceTest;

TEST_F(ServiceCompletionsTest, WhatTheEngineRefusesHasItsStatus) {
    load();
    const std::pair<Status, int> cases[] = {{invalid_argument("token id 9 is out of vocabulary"), 400},
                                            {resource_exhausted("4096 requests are queued already"), 429},
                                            {io_error("the engine has failed"), 503},
                                            {unsupported("x"), 500}};
    for (const auto& [status, expected] : cases) {
        engine_.refusal = status;
        const auto exchange = send("POST", "/v1/completions", R"({"prompt": "hi", "stream": true})");
        ASSERT_TRUE(exchange->run_until([&] { return exchange->ended; }));
        EXPECT_EQ(exchange->response.status, expected);
        EXPECT_FALSE(exchange->streaming);
        EXPECT_EQ(exchange->response.headers.find("Retry-After").has_value(), expected != 400 && expected != 500);
    }
}

TEST_F(ServiceCompletionsTest, CompletionsDefaultToSixteenTokensOrWhatFits) {
    load();
    submit("/v1/completions", R"({"prompt": [1, 2, 3]})");
    EXPECT_EQ(engine_.request.prompt, (std::vector<int32_t>{1, 2, 3}));
    EXPECT_EQ(engine_.request.sampling.max_tokens, 16);
    std::string long_prompt = "[1";
    for (int i = 1; i < 95; ++i) long_prompt += ",1";
    submit("/v1/completions", R"({"prompt": )" + long_prompt + "]}");
    EXPECT_EQ(engine_.request.sampling.max_tokens, 5);
}

TEST_F(ServiceCompletionsTest, CompletionStream) {
    load();
    const auto exchange = submit("/v1/completions", R"({"prompt": "x", "stream": true, "model": "alias"})");
    event(*exchange, "one");
    event(*exchange, "", FinishReason::length);
    ASSERT_EQ(exchange->events.size(), 3u);
    const auto chunk = json::parse(exchange->events[0]);
    EXPECT_EQ(member(*chunk, "object"), "\"text_completion\"");
    EXPECT_EQ(member(*chunk, "model"), "\"alias\"");
    EXPECT_EQ(member(*chunk, "choices"), R"([{"index": 0, "text": "one", "logprobs": null, "finish_reason": null}])");
    EXPECT_NE(exchange->events[1].find(R"("finish_reason":"length","stop_reason":null)"), std::string::npos);
}

TEST_F(ServiceCompletionsTest, SpecialTokensAreShownOnRequest) {
    load();
    for (const bool skip : {true, false}) {
        const auto exchange =
            submit("/v1/completions", fmt::format(R"({{"prompt": "x", "skip_special_tokens": {}}})", skip));
        event(*exchange, "a<|system|>b<tool_call>", FinishReason::length);
        EXPECT_EQ(member(body_of(*exchange).find("choices")->as_array()[0], "text"),
                  skip ? "\"ab<tool_call>\"" : "\"a<|system|>b<tool_call>\"");
    }
}

TEST_F(ServiceCompletionsTest, TooLongTellsTheNumbers) {
    load();
    const auto exchange = send("POST", "/v1/completions", R"({"prompt": [1, 2, 3], "max_tokens": 98})");
    ASSERT_TRUE(exchange->run_until([&] { return exchange->ended; }));
    const json::Value error = *body_of(*exchange).find("error");
    EXPECT_EQ(member(error, "message"),
              "\"This model's maximum context length is 100 tokens. However, you requested 98 output tokens and your "
              "prompt contains 3 input "
              "tokens, for a total of 101 tokens. Please reduce the length of the prompt or the number of requested "
              "output tokens.\"");
    EXPECT_EQ(member(error, "param"), "\"input_tokens\"");
    EXPECT_EQ(member(error, "type"), "\"invalid_request_error\"");
    EXPECT_EQ(member(error, "code"), "400");
}

TEST_F(ServiceCompletionsTest, APartOfACharacterWaitsForTheRest) {
    load();
    const std::vector<int32_t> tokens = tokenizer_->encode("\xF0\x9F\x98\x80");
    ASSERT_GT(tokens.size(), 1u);
    const auto exchange = submit("/v1/completions", R"({"prompt": "x", "stream": true})");
    for (size_t i = 0; i < tokens.size(); ++i) {
        engine_.sink(Event{.tokens = {tokens[i]}});
        exchange->run_tasks();
        EXPECT_EQ(exchange->events.size(), i + 1 == tokens.size() ? 1u : 0u);
    }
    engine_.sink(Event{.tokens = {tokens[0]}, .finish_reason = FinishReason::length});
    exchange->run_tasks();
    EXPECT_NE(exchange->events[1].find("\xEF\xBF\xBD"), std::string::npos);  // an unfinished one at the end
}

TEST_F(ServiceCompletionsTest, SamplingReachesTheEngine) {
    load();
    submit_chat(R"(, "temperature": 0.5, "top_k": 3, "seed": 9, "n": 3, "min_tokens": 2, "logit_bias": {"7": 2})");
    EXPECT_EQ(engine_.request.num_choices, 3);
    EXPECT_EQ(engine_.request.sampling.temperature, 0.5F);
    EXPECT_EQ(engine_.request.sampling.top_p, 0.95F);  // of the model
    EXPECT_EQ(engine_.request.sampling.top_k, 3);
    EXPECT_EQ(engine_.request.sampling.seed, 9u);
    EXPECT_EQ(engine_.request.sampling.min_tokens, 2);
    EXPECT_EQ(engine_.request.sampling.logit_bias.size(), 1u);
    submit("/v1/completions", R"({"prompt": "x", "temperature": 0})");
    EXPECT_EQ(engine_.request.sampling.temperature, 0);
    EXPECT_EQ(engine_.request.num_choices, 1);
}

TEST_F(ServiceCompletionsTest, AnswersOfSeveralPromptsAreInTheirOrder) {
    load();
    const auto exchange =
        send("POST", "/v1/completions", R"({"prompt": ["a", [5, 6]], "n": 2, "echo": true, "return_token_ids": true})");
    ASSERT_TRUE(exchange->run_until([&] { return engine_.submitted == 2; }));
    EXPECT_EQ(engine_.request.prompt, (std::vector<int32_t>{5, 6}));
    choice_event(*exchange, 1, 1, "four", FinishReason::length);
    choice_event(*exchange, 1, 0, "three", FinishReason::length, 1);
    choice_event(*exchange, 0, 0, "o", FinishReason::none);
    choice_event(*exchange, 0, 1, "two", FinishReason::length);
    EXPECT_FALSE(exchange->ended);
    choice_event(*exchange, 0, 0, "ne", FinishReason::length);
    ASSERT_TRUE(exchange->ended);
    const json::Value answer = body_of(*exchange);
    const json::Array& choices = answer.find("choices")->as_array();
    ASSERT_EQ(choices.size(), 4u);
    const std::string second = tokenizer_->decode(std::vector<int32_t>{5, 6}, false);
    const std::string expected[] = {"aone", "atwo", second + "three", second + "four"};
    int64_t completion_tokens = 0;
    for (size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(choices[i].find("index")->to_int64(), static_cast<int64_t>(i));
        EXPECT_EQ(choices[i].find("text")->as_string(), expected[i]);
        EXPECT_EQ(member(choices[i], "prompt_token_ids"),
                  i < 2 ? json::write(json::Array({tokenizer_->encode("a")[0]})) : "[5, 6]");
        completion_tokens += static_cast<int64_t>(choices[i].find("token_ids")->as_array().size());
    }
    EXPECT_EQ(member(choices[3], "token_ids"), json::write([&] {
                  const auto ids = tokenizer_->encode("four");
                  return json::Array(ids.begin(), ids.end());
              }()));
    const json::Value& usage = *answer.find("usage");
    EXPECT_EQ(usage.find("prompt_tokens")->to_int64(), 3);
    EXPECT_EQ(usage.find("completion_tokens")->to_int64(), completion_tokens);
    EXPECT_EQ(usage.find("prompt_tokens_details")->find("cached_tokens")->to_int64(), 1);
}

TEST_F(ServiceCompletionsTest, EchoWithoutTokensNeedsNoEngine) {
    load();
    const auto whole = ask("/v1/completions", R"({"prompt": "good day", "echo": true, "max_tokens": 0})");
    EXPECT_EQ(member(body_of(*whole).find("choices")->as_array()[0], "text"), "\"good day\"");
    EXPECT_EQ(member(body_of(*whole).find("choices")->as_array()[0], "finish_reason"), "\"length\"");
    EXPECT_EQ(body_of(*whole).find("usage")->find("completion_tokens")->to_int64(), 0);
    const auto stream =
        ask("/v1/completions", R"({"prompt": ["good", "day"], "echo": true, "max_tokens": 0, "stream": true})");
    ASSERT_EQ(stream->events.size(), 5u);  // per prompt the text and the finish
    EXPECT_NE(stream->events[0].find("\"good\""), std::string::npos);
    EXPECT_NE(stream->events[2].find("\"day\""), std::string::npos);
    EXPECT_EQ(engine_.submitted, 0);
}

TEST_F(ServiceCompletionsTest, StopStringsWaitForMinTokens) {
    load();
    const std::vector<int32_t> tokens = tokenizer_->encode("aa bb aa bb");
    const auto ids = tokenizer_->encode("aa");
    const auto exchange =
        submit("/v1/completions",
               fmt::format(R"({{"prompt": "x", "stop": "aa", "min_tokens": {}, "max_tokens": 50}})", ids.size()));
    event(*exchange, "aa");
    EXPECT_FALSE(exchange->ended);
    event(*exchange, " bb aa bb");
    ASSERT_TRUE(exchange->ended);
    EXPECT_EQ(member(body_of(*exchange).find("choices")->as_array()[0], "text"), "\"aa bb \"");
}

TEST_F(ServiceCompletionsTest, ARefusedPromptCancelsThoseBeforeIt) {
    load();
    engine_.capacity = 2;
    const auto exchange = ask("/v1/completions", R"({"prompt": ["a", "b", "c"], "stream": true})");
    EXPECT_EQ(exchange->response.status, 429);
    EXPECT_FALSE(exchange->streaming);
    EXPECT_EQ(engine_.cancelled, (std::vector<RequestId>{1, 2}));
    choice_event(*exchange, 0, 0, "x");
    EXPECT_TRUE(exchange->events.empty());
}

TEST_F(ServiceCompletionsTest, AClientThatLeavesCancelsEveryPrompt) {
    load();
    const auto exchange = send("POST", "/v1/completions", R"({"prompt": ["a", "b"], "n": 2})");
    ASSERT_TRUE(exchange->run_until([&] { return engine_.submitted == 2; }));
    exchange->cancel_callback();
    EXPECT_EQ(engine_.cancelled, (std::vector<RequestId>{1, 2}));
}

TEST_F(ServiceCompletionsTest, PromptsAreCheckedByTheirPath) {
    load();
    const std::pair<const char*, const char*> cases[] = {
        {R"({"prompt": [[1], [2, 4132]]})", "\"prompt[1][1]\""},
        {R"({"prompt": [4132]})", "\"prompt[0]\""},
        {R"({"prompt": "a", "stop_token_ids": [4132]})", "\"stop_token_ids[0]\""},
        {R"({"prompt": "a", "logit_bias": {"4132": 1}})", "\"logit_bias.4132\""},
        {R"({"prompt": "a", "priority": 1})", "\"priority\""},
        {R"({"prompt": "a", "min_tokens": 17})", "\"min_tokens\""},
        {R"({"prompt": "a", "temperature": 0, "n": 2})", "\"n\""},
    };
    for (const auto& [body, param] : cases) {
        const auto exchange = ask("/v1/completions", body);
        EXPECT_EQ(exchange->response.status, 400) << body;
        EXPECT_EQ(member(*body_of(*exchange).find("error"), "param"), param) << body;
    }
}

}  // namespace
}  // namespace glm5::api
