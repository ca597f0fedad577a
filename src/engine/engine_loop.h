// EngineLoop: the thread that owns all request state. It takes submissions and cancellations from a queue, plans a
// step, has it run, and publishes what was accepted. When the device fails, every request ends with that error, those
// that come later too.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cache/page_pool.h"
#include "engine/rank_worker.h"
#include "glm5/engine.h"
#include "schedule/scheduler.h"

namespace glm5::engine {

class EngineLoop {
public:
    // Of EngineOptions.
    struct Observers {
        std::function<void(const StepStats&)> on_step;
        std::function<void(const std::string& reason)> on_failure;
    };
    EngineLoop(std::unique_ptr<RankWorker> worker, const ModelInfo& info, const schedule::SchedulerLimits& limits,
               Observers observers);
    // Cancels everything and joins.
    ~EngineLoop();

    // Any thread. Engine::submit has checked the request; max_len is that of each choice, prompt included.
    void submit(RequestId id, Request request, int max_len, EventSink sink);
    void cancel(RequestId id);              // every choice
    void cancel(RequestId id, int choice);
    EngineStats stats() const;

private:
    struct Submission {
        RequestId id = 0;
        Request request;
        int max_len = 0;
        EventSink sink;
        TimePoint queued;
    };
    static constexpr int kAllChoices = -1;
    struct Cancellation {
        RequestId id = 0;
        int choice = kAllChoices;
    };
    // A request with choices that have not ended.
    struct LiveRequest {
        EventSink sink;
        int num_open = 0;
        // Choices after the first, until its prompt is computed: they begin with its pages.
        std::vector<std::unique_ptr<schedule::Sequence>> held;
    };

    void run();
    bool wait_for_work();  // false: stop
    void step();
    void fail(const std::string& reason);
    void fail_all();

    void take_in(Submission submission);
    void release_held(LiveRequest& live);
    StepStats describe(const schedule::StepPlan& plan) const;
    void accept(schedule::SequenceId id, int32_t token, TimePoint time);
    void finish(schedule::SequenceId id, Event event);
    // Ends choices of a request that runs or waits.
    void end_choices(RequestId id, int which, FinishReason reason);
    void update_stats();

    std::unique_ptr<RankWorker> worker_;
    const std::vector<int32_t> eos_token_ids_;
    const Observers observers_;
    std::string failure_;  // why the device can run nothing any more; empty: it can
    cache::PagePool pool_;
    schedule::Scheduler scheduler_;
    std::unordered_map<RequestId, LiveRequest> live_;

    std::mutex mutex_;  // guards the inbox
    std::condition_variable wake_;
    std::vector<Submission> submissions_;
    std::vector<Cancellation> cancellations_;
    bool stopping_ = false;

    mutable std::mutex stats_mutex_;
    EngineStats stats_;

    std::thread thread_;
};

}  // namespace glm5::engine
