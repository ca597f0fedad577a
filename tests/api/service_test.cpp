// The service with the tokenizer and the template of glm5-nano and an engine whose events the test writes: states,
// routes, plans, chunks, errors, cancellation.
#include "api/service.h"

#include <gtest/gtest.h>

#include "api/fakes.h"
#include "json/parse.h"
#include "json/write.h"

namespace glm5::api {
namespace {

using Cancelled = std::vector<std::pair<RequestId, int>>;

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
                             .eos_token_ids = {kEndOfText, kUserToken},
                             .sampling_defaults = {.temperature = 1, .top_p = 0.95F}},
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

    // Sends, and returns the answer that needs no engine.
    std::shared_ptr<FakeExchange> ask(const std::string& path, const std::string& body) {
        auto exchange = send("POST", path, body);
        EXPECT_TRUE(exchange->run_until([&] { return exchange->ended; })) << body;
        return exchange;
    }

    // A choice of the request `request`, counted from 0, goes on.
    void choice_event(FakeExchange& exchange, size_t request, int choice, const std::string& text,
                      FinishReason reason = FinishReason::none, int cached_prompt_tokens = 0) {
        engine_.sinks.at(request)(Event{.choice = choice,
                                        .tokens = tokenizer_->encode(text),
                                        .finish_reason = reason,
                                        .cached_prompt_tokens = cached_prompt_tokens});
        exchange.run_tasks();
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
        engine_.cancelled_choices.clear();
        const auto exchange = submit_chat(kNoThinking + R"(, "stop": ["d d"])" + (stream ? R"(, "stream": true)" : ""));
        event(*exchange, "good");
        event(*exchange, " day and night");
        ASSERT_TRUE(exchange->ended);
        EXPECT_EQ(engine_.cancelled_choices, (Cancelled{{static_cast<RequestId>(engine_.submitted), 0}}));
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

TEST_F(ServiceTest, SamplingReachesTheEngine) {
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

TEST_F(ServiceTest, ChoicesOfAStreamInterleaveAndEndAlone) {
    load();
    const auto exchange = submit_chat(
        kNoThinking + R"(, "n": 2, "stream": true, "stop": "dog", "stream_options": {"include_usage": true})");
    choice_event(*exchange, 0, 1, "one");
    choice_event(*exchange, 0, 0, "two");
    choice_event(*exchange, 0, 1, " dog more");
    EXPECT_EQ(engine_.cancelled_choices, (Cancelled{{1, 1}}));
    EXPECT_TRUE(engine_.cancelled.empty());
    choice_event(*exchange, 0, 1, "", FinishReason::cancelled);
    EXPECT_FALSE(exchange->ended);
    choice_event(*exchange, 0, 0, " three", FinishReason::length);
    ASSERT_TRUE(exchange->ended);

    std::string text[2];
    std::string finish[2];
    int roles[2] = {};
    std::vector<int> order;
    for (size_t i = 0; i + 2 < exchange->events.size(); ++i) {
        const auto chunk = json::parse(exchange->events[i]);
        ASSERT_TRUE(chunk.ok());
        const json::Value& choice = chunk->find("choices")->as_array()[0];
        const auto index = static_cast<size_t>(*choice.find("index")->to_int64());
        ASSERT_LT(index, 2u);
        const json::Value& delta = *choice.find("delta");
        if (delta.find("role")) ++roles[index];
        if (const auto* content = delta.find("content")) text[index] += content->as_string();
        if (!choice.find("finish_reason")->is_null())
            finish[index] = member(choice, "finish_reason") + member(choice, "stop_reason");
        order.push_back(static_cast<int>(index));
    }
    EXPECT_EQ(text[0], "two three");
    EXPECT_EQ(text[1], "one ");
    EXPECT_EQ(finish[0], "\"length\"null");
    EXPECT_EQ(finish[1], "\"stop\"\"dog\"");
    EXPECT_EQ(roles[0], 1);
    EXPECT_EQ(roles[1], 1);
    EXPECT_EQ(order.front(), 1);
    EXPECT_EQ(order.back(), 0);
    const auto last = json::parse(exchange->events[exchange->events.size() - 2]);
    EXPECT_EQ(member(*last, "choices"), "[]");
    EXPECT_EQ(exchange->events.back(), "[DONE]");
}

TEST_F(ServiceTest, AnswersOfSeveralPromptsAreInTheirOrder) {
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

TEST_F(ServiceTest, EchoWithoutTokensNeedsNoEngine) {
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

TEST_F(ServiceTest, TokenIdsOfAStreamAreComplete) {
    load();
    const auto exchange = submit_chat(kNoThinking + R"(, "stream": true, "return_token_ids": true, "stop": "xyz")");
    const std::vector<int32_t> tokens = tokenizer_->encode("a xy");  // "xy" is held back
    std::vector<int32_t> sent;
    for (const int32_t token : tokens) {
        engine_.sink(Event{.tokens = {token}});
        exchange->run_tasks();
    }
    event(*exchange, "", FinishReason::stop, {kEndOfText});
    for (size_t i = 0; i + 1 < exchange->events.size(); ++i) {
        const auto chunk = json::parse(exchange->events[i]);
        EXPECT_EQ(chunk->find("prompt_token_ids") != nullptr, i == 0);
        if (const auto* ids = chunk->find("choices")->as_array()[0].find("token_ids"))
            for (const json::Value& id : ids->as_array()) sent.push_back(static_cast<int32_t>(*id.to_int64()));
    }
    std::vector<int32_t> expected = tokens;
    expected.push_back(kEndOfText);
    EXPECT_EQ(sent, expected);
}

TEST_F(ServiceTest, StopStringsWaitForMinTokens) {
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

TEST_F(ServiceTest, ARefusedPromptCancelsThoseBeforeIt) {
    load();
    engine_.capacity = 2;
    const auto exchange = ask("/v1/completions", R"({"prompt": ["a", "b", "c"], "stream": true})");
    EXPECT_EQ(exchange->response.status, 429);
    EXPECT_FALSE(exchange->streaming);
    EXPECT_EQ(engine_.cancelled, (std::vector<RequestId>{1, 2}));
    choice_event(*exchange, 0, 0, "x");
    EXPECT_TRUE(exchange->events.empty());
}

TEST_F(ServiceTest, AClientThatLeavesCancelsEveryPrompt) {
    load();
    const auto exchange = send("POST", "/v1/completions", R"({"prompt": ["a", "b"], "n": 2})");
    ASSERT_TRUE(exchange->run_until([&] { return engine_.submitted == 2; }));
    exchange->cancel_callback();
    EXPECT_EQ(engine_.cancelled, (std::vector<RequestId>{1, 2}));
}

TEST_F(ServiceTest, PromptsAreCheckedByTheirPath) {
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

TEST_F(ServiceTest, Tokenize) {
    load();
    const std::vector<int32_t> ids = tokenizer_->encode("good day<|user|>");
    for (const char* path : {"/tokenize", "/v1/tokenize"}) {
        const json::Value answer =
            body_of(*ask(path, R"({"prompt": "good day<|user|>", "return_token_strs": true, "model": "alias"})"));
        EXPECT_EQ(member(answer, "tokens"), json::write(json::Array(ids.begin(), ids.end())));
        EXPECT_EQ(answer.find("count")->to_int64(), static_cast<int64_t>(ids.size()));
        EXPECT_EQ(member(answer, "max_model_len"), "100");
        ASSERT_EQ(answer.find("token_strs")->as_array().size(), ids.size());
        EXPECT_EQ(answer.find("token_strs")->as_array().back().as_string(), "<|user|>");
    }
    EXPECT_EQ(member(body_of(*ask("/tokenize", R"({"prompt": ""})")), "tokens"), "[]");
    EXPECT_EQ(member(body_of(*ask("/tokenize", R"({"prompt": "a"})")), "token_strs"), "null");
    const json::Value chat = body_of(
        *ask("/tokenize", R"({"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": false})"));
    const std::vector<int32_t> rendered = tokenizer_->encode("[gMASK]<sop><|user|>hi");
    EXPECT_EQ(member(chat, "tokens"), json::write(json::Array(rendered.begin(), rendered.end())));
}

TEST_F(ServiceTest, Detokenize) {
    load();
    const std::vector<int32_t> ids = tokenizer_->encode("good day<|user|>");
    const std::string body = R"({"tokens": )" + json::write(json::Array(ids.begin(), ids.end())) + "}";
    for (const char* path : {"/detokenize", "/v1/detokenize"})
        EXPECT_EQ(member(body_of(*ask(path, body)), "prompt"), "\"good day<|user|>\"");
    EXPECT_EQ(member(body_of(*ask("/detokenize", R"({"tokens": []})")), "prompt"), "\"\"");
}

TEST_F(ServiceTest, RefusalsOfTheTokenizerRoutes) {
    load();
    const struct {
        const char* path;
        const char* body;
        int status;
        const char* param;
        const char* message;
    } cases[] = {
        {"/tokenize", "{}", 400, "\"prompt\"", "prompt or messages is required."},
        {"/tokenize", R"({"prompt": 5})", 400, "\"prompt\"", "prompt must be a string, not integer."},
        {"/tokenize", R"({"prompt": "a", "messages": []})", 400, "\"prompt\"",
         "prompt and messages cannot both be given."},
        {"/tokenize", R"({"messages": []})", 400, "\"messages\"", "messages must not be empty."},
        {"/tokenize", R"({"prompt": "a", "return_token_strs": 1})", 400, "\"return_token_strs\"",
         "return_token_strs must be a boolean, not integer."},
        {"/tokenize", R"({"prompt": "a", "model": "x"})", 404, "\"model\"", "The model `x` does not exist."},
        {"/tokenize", "[]", 400, "null", "The body must be an object, not array."},
        {"/detokenize", "{}", 400, "\"tokens\"", "tokens is required."},
        {"/detokenize", R"({"tokens": "a"})", 400, "\"tokens\"", "tokens must be an array, not string."},
        {"/detokenize", R"({"tokens": [1, "a"]})", 400, "\"tokens[1]\"", "tokens[1] must be an integer, not string."},
        {"/detokenize", R"({"tokens": [4132]})", 400, "\"tokens[0]\"", "Token id 4132 is out of vocabulary."},
    };
    for (const auto& expected : cases) {
        const auto exchange = ask(expected.path, expected.body);
        EXPECT_EQ(exchange->response.status, expected.status) << expected.body;
        const json::Value error = *body_of(*exchange).find("error");
        EXPECT_EQ(member(error, "param"), expected.param) << expected.body;
        EXPECT_EQ(error.find("message")->as_string(), expected.message);
    }
}

TEST_F(ServiceTest, LoadCountsWhatIsNotAnswered) {
    const auto load_now = [&] { return member(body_of(*send("GET", "/load")), "server_load"); };
    EXPECT_EQ(load_now(), "0");
    load();
    engine_.stats = {.running = 3, .waiting = 2, .pages_used = 5, .pages_total = 9};
    auto exchange = submit_chat("");
    EXPECT_EQ(load_now(), "1");
    const json::Value rank = body_of(*send("GET", "/v1/loads")).find("loads")->as_array()[0];
    EXPECT_EQ(member(rank, "num_running_reqs"), "3");
    EXPECT_EQ(member(rank, "num_waiting_reqs"), "2");
    EXPECT_EQ(member(rank, "num_used_pages"), "5");
    EXPECT_EQ(member(rank, "num_total_pages"), "9");
    event(*exchange, "x", FinishReason::length);
    engine_.sinks.clear();
    engine_.sink = nullptr;
    EXPECT_EQ(load_now(), "0");
    ask("/v1/completions", "{}");
    EXPECT_EQ(load_now(), "0");
}

TEST_F(ServiceTest, Probes) {
    service_.set_progress(25, 100);
    EXPECT_EQ(send("GET", "/livez")->response.status, 200);
    EXPECT_EQ(send("GET", "/readyz")->response.status, 503);
    EXPECT_EQ(send("GET", "/readyz")->response.body, R"({"status":"loading","loaded_bytes":25,"total_bytes":100})");
    load();
    for (const char* path : {"/livez", "/readyz", "/health", "/ping"})
        EXPECT_EQ(send("GET", path)->response.status, 200) << path;
    service_.set_draining();
    EXPECT_EQ(send("GET", "/livez")->response.status, 200);
    EXPECT_EQ(send("GET", "/readyz")->response.status, 503);
    EXPECT_NE(send("GET", "/readyz")->response.body.find("draining"), std::string::npos);
}

TEST_F(ServiceTest, WhatIsNotTextGenerationIsA404) {
    for (const char* path : {"/v1/embeddings", "/rerank", "/v1/audio/speech", "/v1/images/generations"}) {
        const auto exchange = send("POST", path, "{}");
        EXPECT_EQ(exchange->response.status, 404);
        EXPECT_EQ(member(*body_of(*exchange).find("error"), "message"), "\"This server serves text generation only.\"");
    }
}

class GuardedServiceTest : public ServiceTest {
protected:
    GuardedServiceTest() : ServiceTest({.model_names = {"m"}, .api_keys = {"first key", "second"}}) {}

    http::Response get(const std::string& path, const std::string& name, const std::string& value,
                       const std::string& method = "GET") {
        http::Request request;
        request.method = method;
        request.path = request.target = path;
        if (!name.empty()) request.headers.add(name, value);
        const auto exchange = std::make_shared<FakeExchange>(std::move(request));
        service_.handler()(exchange);
        if (exchange->response.status == 401) {
            EXPECT_EQ(exchange->headers.find("WWW-Authenticate"), "Bearer");
        }
        return exchange->response;
    }
};

TEST_F(GuardedServiceTest, KeysAreTakenFromEitherHeader) {
    load();
    const struct {
        const char* name;
        const char* value;
        int status;
    } cases[] = {
        {"Authorization", "Bearer first key", 200},
        {"authorization", "bearer second", 200},
        {"Authorization", "Bearer   second", 200},
        {"x-api-key", "second", 200},
        {"X-API-Key", "first key", 200},
        {"", "", 401},
        {"Authorization", "Bearer second ", 401},
        {"Authorization", "Bearer", 401},
        {"Authorization", "Bearer ", 401},
        {"Authorization", "second", 401},
        {"Authorization", "Basic second", 401},
        {"x-api-key", "", 401},
        {"x-api-key", "Second", 401},
        {"x-api-key", "secon", 401},
        {"x-api-key", "second1", 401},
    };
    for (const auto& expected : cases)
        EXPECT_EQ(get("/v1/models", expected.name, expected.value).status, expected.status)
            << expected.name << ": " << expected.value;
    const auto error = json::parse(get("/v1/models", "x-api-key", "guess").body);
    EXPECT_EQ(member(*error->find("error"), "type"), "\"authentication_error\"");
    EXPECT_EQ(member(*error->find("error"), "message"), "\"The API key is not valid.\"");
    EXPECT_EQ(member(*error->find("error"), "code"), "401");
}

TEST_F(GuardedServiceTest, OnlyProbesAndMetricsAreOpen) {
    load();
    for (const char* path : {"/health", "/livez", "/readyz", "/ping", "/metrics"})
        EXPECT_EQ(get(path, "", "").status, 200) << path;
    for (const char* path : {"/version", "/load", "/v1/loads", "/v1/models/m", "/nothing", "/v1/chat/completions"})
        EXPECT_EQ(get(path, "", "").status, 401) << path;
    EXPECT_EQ(get("/v1/models", "", "", "OPTIONS").status, 405);
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
