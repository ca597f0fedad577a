// What the tests of the engine share: glm5-nano's golden continuations, and Collector.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "glm5/engine.h"

namespace glm5 {

// Collects the events of one request, and waits for the last.
class Collector {
public:
    EventSink sink() {
        return [this](Event event) {
            std::lock_guard lock(mutex_);
            EXPECT_EQ(last_.finish_reason, FinishReason::none) << "an event after the last";
            tokens_.insert(tokens_.end(), event.tokens.begin(), event.tokens.end());
            cached_prompt_tokens_ += event.cached_prompt_tokens;
            last_ = std::move(event);
            changed_.notify_all();
        };
    }
    FinishReason wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return last_.finish_reason != FinishReason::none; });
        return last_.finish_reason;
    }
    void wait_for_tokens(size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return tokens_.size() >= count || last_.finish_reason != FinishReason::none; });
    }
    std::vector<int32_t> tokens() {
        std::lock_guard lock(mutex_);
        return tokens_;
    }
    int cached_prompt_tokens() {
        std::lock_guard lock(mutex_);
        return cached_prompt_tokens_;
    }
    std::string error() {
        std::lock_guard lock(mutex_);
        return last_.error;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<int32_t> tokens_;
    int cached_prompt_tokens_ = 0;
    Event last_;
};

EngineOptions nano_options();

struct Golden {
    std::string name;
    std::vector<int32_t> prompt, greedy;
};

// tests/fixtures/nano: prompts and their greedy continuations, made with transformers.
const std::vector<Golden>& goldens();

Request request_for(const Golden& golden);

}  // namespace glm5
