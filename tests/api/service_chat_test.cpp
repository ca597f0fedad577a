// Chat completions: prompts, whole answers, chunks of streams, errors, cancellation.
#include "api/service_fixture.h"

namespace glm5::api {
namespace {

using ServiceChatTest = ServiceTest;

using Cancelled = std::vector<std::pair<RequestId, int>>;

const std::string kNoThinking = R"(, "chat_template_kwargs": {"enable_thinking": false})";

TEST_F(ServiceChatTest, RendersAndTokenizesTheChat) {
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

TEST_F(ServiceChatTest, WholeChatAnswer) {
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

TEST_F(ServiceChatTest, ChatStreamHasTheShapeThatClientsExpect) {
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

TEST_F(ServiceChatTest, AStopStringCancelsTheRequest) {
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

TEST_F(ServiceChatTest, AClientThatLeavesCancelsTheRequest) {
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

TEST_F(ServiceChatTest, AFailedRequestIsA500WithoutDetails) {
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

TEST_F(ServiceChatTest, ErrorsOfMessagesCarryTheirPath) {
    load();
    const auto exchange =
        send("POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "a"}, {"role": "robot"}]})");
    ASSERT_TRUE(exchange->run_until([&] { return exchange->ended; }));
    EXPECT_EQ(exchange->response.status, 400);
    EXPECT_EQ(member(*body_of(*exchange).find("error"), "param"), "\"messages[1].role\"");
}

TEST_F(ServiceChatTest, ChoicesOfAStreamInterleaveAndEndAlone) {
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

TEST_F(ServiceChatTest, TokenIdsOfAStreamAreComplete) {
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
