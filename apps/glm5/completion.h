// Completion: one request, from submission to its last event, for a caller that waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "glm5/engine.h"
#include "text/tokenizer.h"

namespace glm5 {

class Completion {
public:
    // `engine` must outlive this.
    static Result<Completion> start(Engine& engine, Request request);
    // Cancels what is running.
    ~Completion();
    Completion(Completion&& other) noexcept = default;
    Completion& operator=(Completion&&) = delete;

    // The events that came, after waiting for at most `limit`; none when there are none yet.
    std::vector<Event> wait(std::chrono::milliseconds limit);
    // The end comes soon, with FinishReason::cancelled.
    void cancel();
    // Every choice has ended.
    bool ended() const { return num_open_ == 0; }

private:
    struct Queue {
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<Event> events;
    };
    Completion(Engine& engine, RequestId id, int num_choices, std::shared_ptr<Queue> queue)
        : engine_(&engine), id_(id), num_open_(num_choices), queue_(std::move(queue)) {}

    Engine* engine_;
    RequestId id_;
    int num_open_;
    std::shared_ptr<Queue> queue_;  // with the sink, which may outlive this; null: moved from
};

// The tokens of an event that are text: the last token of a stop is an end token.
std::vector<int32_t> text_tokens(const Event& event);

// Limits and sampling of a prompt. Temperature and top_p come from `defaults` where `options` is silent. Error: the
// prompt and `max_tokens` (0: what fits) do not fit in the context.
Result<Request> make_request(std::vector<int32_t> prompt, const cli::SamplingOptions& options,
                             const SamplingDefaults& defaults, int max_tokens, int max_model_len);

// Counts tokens and times them, for --stats.
class CompletionStats {
public:
    explicit CompletionStats(size_t prompt_tokens) : prompt_tokens_(static_cast<int64_t>(prompt_tokens)) {}

    void add(const Event& event);
    // "12 prompt tokens (0 cached) in 0.1 s …"
    std::string text() const;

private:
    using Clock = std::chrono::steady_clock;

    const Clock::time_point start_ = Clock::now();
    Clock::time_point first_ = start_, last_ = start_;
    int64_t prompt_tokens_;
    int64_t cached_tokens_ = 0;
    int64_t tokens_ = 0;
};

}  // namespace glm5
