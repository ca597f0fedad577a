// The service with the tokenizer and the template of glm5-nano and an engine whose events the test writes: states,
// routes, plans, chunks, errors, cancellation.
#include "api/service.h"

#include <gtest/gtest.h>

#include "api/fakes.h"
#include "json/parse.h"
#include "json/write.h"

namespace glm5::api {
namespace {

constexpr int32_t kUserToken = 4103, kEndOfText = 4096;

class ServiceTest : public testing::Test {
protected:
    explicit ServiceTest(ServiceOptions options = {.model_names = {"nano", "alias"},
                                                   .root = "root",
                                                   .system_fingerprint = "fp"})
        : service_(std::move(options)) {}

    void load() {
        const std::string directory = GLM5_SOURCE_DIR "/models/glm5-nano";
        auto tokenizer = text::Tokenizer::load(directory + "/tokenizer.json");
        ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
        auto format = chat::ChatFormat::load(directory);
        ASSERT_TRUE(format.ok()) << format.status().message();
        auto second = text::Tokenizer::load(directory + "/tokenizer.json");
        ASSERT_TRUE(second.ok());
        tokenizer_.emplace(std::move(*second));
        service_.set_model({std::move(*tokenizer),
                            std::move(*format),
                            {.directory = directory,
                             .max_model_len = 100,
                             .num_vocab_tokens = 4132,
                             .eos_token_ids = {kEndOfText, kUserToken}},
                            engine_.handle()});
    }

    std::shared_ptr<FakeExchange> send(std::string method, std::string path, std::string body = "",
                                       std::string type = "application/json") {
        http::Request request;
        request.method = std::move(method);
        request.path = request.target = std::move(path);
        request.body = std::move(body);
        if (!type.empty()) request.headers.add("Content-Type", std::move(type));
        request.headers.add("X-Request-Id", "id1");
        auto exchange = std::make_shared<FakeExchange>(std::move(request));
        service_.handler()(exchange);
        return exchange;
    }

    // Sends and waits for the engine to have the request.
    std::shared_ptr<FakeExchange> submit(const std::string& path, const std::string& body) {
        const int before = engine_.submitted;
        auto exchange = send("POST", path, body);
        EXPECT_TRUE(exchange->run_until([&] { return engine_.submitted > before || exchange->ended; }));
        EXPECT_GT(engine_.submitted, before) << exchange->response.body;
        return exchange;
    }

    std::shared_ptr<FakeExchange> submit_chat(const std::string& fields) {
        return submit("/v1/chat/completions", R"({"messages": [{"role": "user", "content": "hi"}])" + fields + "}");
    }

    // An event of the engine, handled on the "io thread".
    void event(FakeExchange& exchange, const std::string& text, FinishReason reason = FinishReason::none,
               std::vector<int32_t> last = {}) {
        std::vector<int32_t> tokens = tokenizer_->encode(text);
        tokens.insert(tokens.end(), last.begin(), last.end());
        engine_.sink(Event{.tokens = std::move(tokens),
                           .finish_reason = reason,
                           .error = reason == FinishReason::error ? "device fault at 0x1234" : ""});
        exchange.run_tasks();
    }

    static json::Value body_of(const FakeExchange& exchange) {
        auto value = json::parse(exchange.response.body);
        EXPECT_TRUE(value.ok()) << exchange.response.body;
        return value.ok() ? *value : json::Value();
    }

    static std::string member(const json::Value& value, std::string_view name) {
        const json::Value* found = value.find(name);
        return found ? json::write(*found) : "absent";
    }

    Service service_;
    FakeEngine engine_;
    std::optional<text::Tokenizer> tokenizer_;
};

const std::string kNoThinking = R"(, "chat_template_kwargs": {"enable_thinking": false})";

TEST_F(ServiceTest, AnswersThatItIsLoading) {
    service_.set_progress(25, 100);
    for (const auto& [method, path] : {std::pair{"GET", "/health"},
                                       {"GET", "/v1/models"},
                                       {"POST", "/v1/completions"},
                                       {"POST", "/v1/chat/completions"}}) {
        const auto exchange = send(method, path, "{}");
        EXPECT_EQ(exchange->response.status, 503) << path;
        EXPECT_EQ(exchange->response.headers.find("retry-after"), "5");
        EXPECT_EQ(member(*body_of(*exchange).find("error"), "message"), "\"Loading model: 25 %.\"");
    }
    EXPECT_EQ(send("GET", "/version")->response.status, 200);
    load();
    EXPECT_EQ(send("GET", "/health")->response.status, 200);
    service_.set_draining();
    EXPECT_EQ(send("GET", "/health")->response.status, 503);
    EXPECT_EQ(send("POST", "/v1/completions", "{}")->response.status, 503);
}

TEST_F(ServiceTest, ListsEveryServedName) {
    load();
    const json::Value list = body_of(*send("GET", "/v1/models"));
    ASSERT_EQ(list.find("data")->as_array().size(), 2u);
    const json::Value& first = list.find("data")->as_array()[0];
    EXPECT_EQ(member(first, "id"), "\"nano\"");
    EXPECT_EQ(member(first, "max_model_len"), "100");
    EXPECT_EQ(member(first, "root"), "\"root\"");
    EXPECT_EQ(member(body_of(*send("GET", "/v1/models/alias")), "id"), "\"alias\"");
    EXPECT_EQ(send("GET", "/v1/models/other")->response.status, 404);
}

TEST_F(ServiceTest, RefusesOtherContentTypes) {
    load();
    for (const char* type : {"", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"})
        EXPECT_EQ(send("POST", "/v1/completions", "{}", type)->response.status, 415) << type;
    for (const char* type : {"application/json", "Application/JSON; charset=utf-8", "application/json ;x"}) {
        const auto exchange = send("POST", "/v1/completions", "{}", type);
        EXPECT_TRUE(exchange->run_until([&] { return exchange->ended; }));
        EXPECT_EQ(exchange->response.status, 400) << type;
    }
}

TEST_F(ServiceTest, RendersAndTokenizesTheChat) {
    load();
    submit_chat(kNoThinking);
    EXPECT_EQ(tokenizer_->decode(engine_.request.prompt, false), "[gMASK]<sop><|user|>hi<|assistant|></think>");
    EXPECT_EQ(engine_.request.sampling.max_tokens, 100 - static_cast<int>(engine_.request.prompt.size()));
    submit_chat(R"(, "max_tokens": 7, "ignore_eos": true, "stop_token_ids": [5])");
    EXPECT_EQ(tokenizer_->decode(engine_.request.prompt, false), "[gMASK]<sop><|user|>hi<|assistant|><think>");
    EXPECT_EQ(engine_.request.sampling.max_tokens, 7);
    EXPECT_TRUE(engine_.request.sampling.ignore_eos);
    EXPECT_EQ(engine_.request.sampling.stop_token_ids, std::vector<int32_t>{5});
    submit_chat(R"(, "reasoning_effort": "none")");
    EXPECT_EQ(tokenizer_->decode(engine_.request.prompt, false), "[gMASK]<sop><|user|>hi<|assistant|></think>");
}

TEST_F(ServiceTest, WholeChatAnswer) {
    load();
    const auto exchange = submit_chat("");
    engine_.sink(Event{.tokens = tokenizer_->encode("because"), .cached_prompt_tokens = 64});
    exchange->run_tasks();
    event(*exchange, "</think>good");
    EXPECT_FALSE(exchange->ended);
    event(*exchange, " day", FinishReason::stop, {kUserToken});
    ASSERT_TRUE(exchange->ended);
    EXPECT_EQ(exchange->response.status, 200);
    EXPECT_EQ(exchange->headers.find("x-request-id"), "id1");
    const json::Value answer = body_of(*exchange);
    EXPECT_EQ(member(answer, "id"), "\"chatcmpl-id1\"");
    EXPECT_EQ(member(answer, "object"), "\"chat.completion\"");
    EXPECT_EQ(member(answer, "system_fingerprint"), "\"fp\"");
    const json::Value& choice = answer.find("choices")->as_array()[0];
    EXPECT_EQ(
        json::write(*choice.find("message")),
        R"({"role": "assistant", "content": "good day", "reasoning": "because", "reasoning_content": "because", "tool_calls": [], "refusal": null})");
    EXPECT_EQ(member(choice, "finish_reason"), "\"stop\"");
    EXPECT_EQ(member(choice, "stop_reason"), "4103");
    EXPECT_EQ(answer.find("usage")->find("prompt_tokens_details")->find("cached_tokens")->to_int64(), 64);
    const int64_t tokens =
        static_cast<int64_t>(tokenizer_->encode("because").size() + tokenizer_->encode("</think>good").size() +
                             tokenizer_->encode(" day").size()) +
        1;
    EXPECT_EQ(answer.find("usage")->find("completion_tokens")->to_int64(), tokens);
    EXPECT_EQ(answer.find("usage")->find("completion_tokens_details")->find("reasoning_tokens")->to_int64(),
              static_cast<int64_t>(tokenizer_->encode("because").size()) + 1);
}

TEST_F(ServiceTest, ChatStreamHasTheShapeThatClientsExpect) {
    load();
    const auto exchange = submit_chat(R"(, "stream": true, "stream_options": {"include_usage": true})");
    EXPECT_TRUE(exchange->streaming);
    EXPECT_TRUE(exchange->events.empty());  // the role comes with the first token, not with acceptance
    event(*exchange, "why");
    ASSERT_EQ(exchange->events.size(), 2u);
    event(*exchange, "</think>yes");
    event(*exchange, "", FinishReason::stop, {kEndOfText});
    ASSERT_TRUE(exchange->ended);
    ASSERT_EQ(exchange->events.size(), 6u);
    const char* const choices[] = {
        R"([{"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}])",
        R"([{"index": 0, "delta": {"reasoning": "why", "reasoning_content": "why"}, "logprobs": null, "finish_reason": null}])",
        R"([{"index": 0, "delta": {"content": "yes"}, "logprobs": null, "finish_reason": null}])",
        R"([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop", "stop_reason": null}])",
        "[]",
    };
    for (size_t i = 0; i < 5; ++i) {
        const auto chunk = json::parse(exchange->events[i]);
        ASSERT_TRUE(chunk.ok());
        EXPECT_EQ(member(*chunk, "choices"), choices[i]);
        EXPECT_EQ(member(*chunk, "object"), "\"chat.completion.chunk\"");
        EXPECT_EQ(member(*chunk, "id"), "\"chatcmpl-id1\"");
        EXPECT_EQ(chunk->find("usage") != nullptr, i == 4);
        EXPECT_EQ(chunk->find("system_fingerprint") != nullptr, i == 4);
    }
    EXPECT_EQ(exchange->events[5], "[DONE]");
}

TEST_F(ServiceTest, AStopStringCancelsTheRequest) {
    load();
    for (const bool stream : {false, true}) {
        engine_.cancelled.clear();
        const auto exchange = submit_chat(kNoThinking + R"(, "stop": ["d d"])" + (stream ? R"(, "stream": true)" : ""));
        event(*exchange, "good");
        event(*exchange, " day and night");
        ASSERT_TRUE(exchange->ended);
        EXPECT_EQ(engine_.cancelled.size(), 1u);
        const size_t written = exchange->events.size();
        event(*exchange, " more", FinishReason::cancelled);
        EXPECT_EQ(exchange->events.size(), written);
        if (stream) {
            const auto finish = json::parse(exchange->events[written - 2]);
            EXPECT_EQ(member(finish->find("choices")->as_array()[0], "stop_reason"), "\"d d\"");
        } else {
            const json::Value answer = body_of(*exchange);
            EXPECT_EQ(member(*answer.find("choices")->as_array()[0].find("message"), "content"), "\"goo\"");
            EXPECT_EQ(answer.find("usage")->find("completion_tokens")->to_int64(),
                      static_cast<int64_t>(tokenizer_->encode("good").size()) + 1 +
                          static_cast<int64_t>(tokenizer_->encode(" d").size() > 1));
        }
    }
}

TEST_F(ServiceTest, AClientThatLeavesCancelsTheRequest) {
    load();
    const auto exchange = submit_chat("");
    event(*exchange, "one");
    exchange->gone = true;
    exchange->cancel_callback();
    EXPECT_EQ(engine_.cancelled, std::vector<RequestId>{1});
    event(*exchange, "two", FinishReason::cancelled);
    EXPECT_FALSE(exchange->ended);
    EXPECT_EQ(engine_.cancelled.size(), 1u);
}

TEST_F(ServiceTest, AFailedRequestIsA500WithoutDetails) {
    load();
    const auto whole = submit_chat("");
    event(*whole, "", FinishReason::error);
    EXPECT_EQ(whole->response.status, 500);
    EXPECT_EQ(whole->response.body.find("0x1234"), std::string::npos);

    const auto stream = submit_chat(R"(, "stream": true)");
    event(*stream, "some");
    event(*stream, "", FinishReason::error);
    ASSERT_GE(stream->events.size(), 2u);
    EXPECT_NE(stream->events[stream->events.size() - 2].find("\"server_error\""), std::string::npos);
    EXPECT_EQ(stream->events.back(), "[DONE]");
    EXPECT_TRUE(stream->ended);
}

TEST_F(ServiceTest, WhatTheEngineRefusesHasItsStatus) {
    load();
    const std::pair<Status, int> cases[] = {{invalid_argument("token id 9 is out of vocabulary"), 400},
                                            {resource_exhausted("4096 requests are queued already"), 429},
                                            {io_error("x"), 500}};
    for (const auto& [status, expected] : cases) {
        engine_.refusal = status;
        const auto exchange = send("POST", "/v1/completions", R"({"prompt": "hi", "stream": true})");
        ASSERT_TRUE(exchange->run_until([&] { return exchange->ended; }));
        EXPECT_EQ(exchange->response.status, expected);
        EXPECT_FALSE(exchange->streaming);
        EXPECT_EQ(exchange->response.headers.find("Retry-After").has_value(), expected == 429);
    }
}

TEST_F(ServiceTest, CompletionsDefaultToSixteenTokensOrWhatFits) {
    load();
    submit("/v1/completions", R"({"prompt": [1, 2, 3]})");
    EXPECT_EQ(engine_.request.prompt, (std::vector<int32_t>{1, 2, 3}));
    EXPECT_EQ(engine_.request.sampling.max_tokens, 16);
    std::string long_prompt = "[1";
    for (int i = 1; i < 95; ++i) long_prompt += ",1";
    submit("/v1/completions", R"({"prompt": )" + long_prompt + "]}");
    EXPECT_EQ(engine_.request.sampling.max_tokens, 5);
}

TEST_F(ServiceTest, CompletionStream) {
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

TEST_F(ServiceTest, SpecialTokensAreShownOnRequest) {
    load();
    for (const bool skip : {true, false}) {
        const auto exchange =
            submit("/v1/completions", fmt::format(R"({{"prompt": "x", "skip_special_tokens": {}}})", skip));
        event(*exchange, "a<|system|>b<tool_call>", FinishReason::length);
        EXPECT_EQ(member(body_of(*exchange).find("choices")->as_array()[0], "text"),
                  skip ? "\"ab<tool_call>\"" : "\"a<|system|>b<tool_call>\"");
    }
}

TEST_F(ServiceTest, TooLongTellsTheNumbers) {
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

TEST_F(ServiceTest, ErrorsOfMessagesCarryTheirPath) {
    load();
    const auto exchange =
        send("POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "a"}, {"role": "robot"}]})");
    ASSERT_TRUE(exchange->run_until([&] { return exchange->ended; }));
    EXPECT_EQ(exchange->response.status, 400);
    EXPECT_EQ(member(*body_of(*exchange).find("error"), "param"), "\"messages[1].role\"");
}

TEST_F(ServiceTest, APartOfACharacterWaitsForTheRest) {
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

class ConfiguredServiceTest : public ServiceTest {
protected:
    ConfiguredServiceTest()
        : ServiceTest({.model_names = {"m"},
                       .default_chat_template_kwargs = json::Object({{"enable_thinking", false}}),
                       .reasoning_field = ReasoningField::reasoning_content}) {}
};

TEST_F(ConfiguredServiceTest, TheRequestsKwargsWinOverEffortAndTheServers) {
    load();
    auto prompt = [&] { return tokenizer_->decode(engine_.request.prompt, false); };
    submit_chat("");
    EXPECT_TRUE(prompt().ends_with("</think>"));
    submit_chat(R"(, "chat_template_kwargs": {"enable_thinking": true}, "reasoning_effort": "none")");
    EXPECT_TRUE(prompt().ends_with("<think>"));
    const auto exchange = submit_chat(R"(, "chat_template_kwargs": {"enable_thinking": true})");
    event(*exchange, "hm", FinishReason::length);
    EXPECT_EQ(exchange->response.body.find("\"reasoning\":"), std::string::npos);
    EXPECT_NE(exchange->response.body.find("\"reasoning_content\":\"hm\""), std::string::npos);
}

}  // namespace
}  // namespace glm5::api
