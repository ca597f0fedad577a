// RequestMetrics: observes one request for EngineMetrics. Lives with its Generation, on the io thread.
//
// Tokens are counted as they come. A choice that ends by itself (stop or length) is in every histogram of requests; one
// that was cancelled or failed is only in request_success_total, because its times say when it was cut off.
#pragma once

#include <vector>

#include "api/metrics_engine.h"
#include "glm5/types.h"

namespace glm5::api {

class RequestMetrics {
public:
    // `arrival` is when the request had been read. `metrics` must outlive this.
    RequestMetrics(EngineMetrics& metrics, const Request& request, TimePoint arrival);

    // Every event, before anything is made of it. Its finish reason ends the choice.
    void on_event(const Event& event);
    // A choice ends without an event: `stop` at a stop string.
    void end(int choice, FinishReason reason);
    // The same for all that are open.
    void end_all(FinishReason reason);

private:
    struct Choice {
        TimePoint queued, scheduled, first, last;
        int64_t num_tokens = 0;
        bool ended = false;
    };
    void on_first_token(const Event& event, Choice& choice);
    void observe_times(const Choice& choice);

    EngineMetrics& metrics_;
    const TimePoint arrival_;
    const int64_t prompt_tokens_, max_tokens_;
    bool started_ = false;    // a choice has a token: the prompt is computed
    bool completed_ = false;  // a choice ended by itself
    int64_t cached_tokens_ = 0;
    size_t num_open_;
    std::vector<Choice> choices_;
};

}  // namespace glm5::api
