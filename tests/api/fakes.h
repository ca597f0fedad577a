// An exchange without sockets and an engine without a model.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "api/generation.h"
#include "http/exchange.h"

namespace glm5::api {

// Records what is written. Tasks that are posted wait for run_tasks(), which is the io thread.
class FakeExchange final : public http::Exchange {
public:
    explicit FakeExchange(http::Request request) : request_(std::move(request)) {}

    const http::Request& request() const override { return request_; }
    void add_header(std::string name, std::string value) override { headers.add(std::move(name), std::move(value)); }
    void respond(http::Response answer) override {
        const std::lock_guard lock(mutex_);
        response = std::move(answer);
        ended = true;
    }
    void start_stream() override { streaming = true; }
    void write_event(std::string_view data) override { events.emplace_back(data); }
    void finish() override { ended = true; }
    bool cancelled() const override { return gone; }
    void on_cancel(std::function<void()> callback) override { cancel_callback = std::move(callback); }
    void post(std::function<void()> task) override {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }

    // Runs what was posted, and what that posts. Waits until the answer has ended or `enough` holds.
    void run_tasks();
    bool run_until(const std::function<bool()>& enough);

    http::Headers headers;
    http::Response response;
    std::vector<std::string> events;
    bool streaming = false, ended = false, gone = false;
    std::function<void()> cancel_callback;

private:
    http::Request request_;
    std::mutex mutex_;
    std::vector<std::function<void()>> tasks_;
};

// Keeps every request; the test sends the events of the last, or of any.
struct FakeEngine {
    Status refusal;   // not ok: submit answers it
    Request request;  // the last
    EventSink sink;   // of it
    std::vector<EventSink> sinks;
    std::vector<RequestId> cancelled;
    std::vector<std::pair<RequestId, int>> cancelled_choices;
    int submitted = 0;
    int capacity = 1000;  // requests that are taken
    EngineStats stats;

    EngineHandle handle() {
        return {[this](Request submitted_request, EventSink events) -> Result<RequestId> {
                    if (!refusal.ok()) return refusal;
                    if (submitted == capacity) return resource_exhausted("{} requests are queued already", capacity);
                    request = std::move(submitted_request);
                    sinks.push_back(events);
                    sink = std::move(events);
                    return static_cast<RequestId>(++submitted);
                },
                [this](RequestId id) { cancelled.push_back(id); },
                [this](RequestId id, int choice) { cancelled_choices.emplace_back(id, choice); },
                [this] { return stats; }};
    }
};

}  // namespace glm5::api
