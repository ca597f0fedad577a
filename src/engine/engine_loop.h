// EngineLoop: the thread that owns all request state. It takes submissions and cancellations from a queue, plans a
// step, has it run, and publishes what was accepted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
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
    EngineLoop(std::unique_ptr<RankWorker> worker, const ModelInfo& info, const schedule::SchedulerLimits& limits,
               int num_pages);
    // Cancels everything and joins.
    ~EngineLoop();

    // Any thread. The sequence fits the pool; Engine::submit has checked it.
    void submit(std::unique_ptr<schedule::Sequence> sequence, EventSink sink);
    void cancel(RequestId id);
    EngineStats stats() const;

private:
    struct Submission {
        std::unique_ptr<schedule::Sequence> sequence;
        EventSink sink;
    };

    void run();
    bool wait_for_work();  // false: stop
    void step();
    void accept(RequestId id, int32_t token);
    void finish(RequestId id, Event event);
    void update_stats();

    std::unique_ptr<RankWorker> worker_;
    const std::vector<int32_t> eos_token_ids_;
    cache::PagePool pool_;
    schedule::Scheduler scheduler_;
    std::unordered_map<RequestId, EventSink> sinks_;  // of live requests

    std::mutex mutex_;  // guards the inbox
    std::condition_variable wake_;
    std::vector<Submission> submissions_;
    std::vector<RequestId> cancellations_;
    bool stopping_ = false;

    std::atomic<int> running_{0}, waiting_{0};
    std::atomic<int64_t> pages_used_{0}, prompt_tokens_{0}, generated_tokens_{0};

    std::thread thread_;
};

}  // namespace glm5::engine
