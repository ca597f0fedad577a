// The service with the tokenizer and the template of glm5-nano and an engine whose events the test writes.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/fakes.h"
#include "api/service.h"
#include "json/parse.h"
#include "json/write.h"

namespace glm5::api {

inline constexpr int32_t kUserToken = 4103, kEndOfText = 4096;

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

}  // namespace glm5::api
