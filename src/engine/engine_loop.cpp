#include "engine/engine_loop.h"

#include <pthread.h>

#include <algorithm>

namespace glm5::engine {
namespace {

bool contains(const std::vector<int32_t>& ids, int32_t id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

}  // namespace

EngineLoop::EngineLoop(std::unique_ptr<RankWorker> worker, const ModelInfo& info,
                       const schedule::SchedulerLimits& limits, int num_pages)
    : worker_(std::move(worker)),
      eos_token_ids_(info.eos_token_ids),
      pool_(num_pages),
      scheduler_(limits, pool_),
      thread_([this] {
          pthread_setname_np(pthread_self(), "engine");
          run();
      }) {}

EngineLoop::~EngineLoop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void EngineLoop::submit(std::unique_ptr<schedule::Sequence> sequence, EventSink sink) {
    {
        std::lock_guard lock(mutex_);
        submissions_.push_back({std::move(sequence), std::move(sink)});
        ++waiting_;
    }
    wake_.notify_one();
}

void EngineLoop::cancel(RequestId id) {
    {
        std::lock_guard lock(mutex_);
        cancellations_.push_back(id);
    }
    wake_.notify_one();
}

void EngineLoop::run() {
    while (wait_for_work()) step();
    std::vector<RequestId> open;
    for (const auto& [id, sink] : sinks_) open.push_back(id);
    for (RequestId id : open) finish(id, {.finish_reason = FinishReason::cancelled});
    const Status integrity = pool_.check_integrity();
    GLM5_CHECK(integrity.ok() && pool_.num_free() == pool_.num_pages(), "{}", integrity.message());
}

// Takes in what arrived; sleeps while there is nothing to do. A cancellation may overtake nothing: its submission is
// in the same inbox or was taken in before.
bool EngineLoop::wait_for_work() {
    std::vector<Submission> submissions;
    std::vector<RequestId> cancellations;
    bool stopping = false;
    {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] {
            return stopping_ || !submissions_.empty() || !cancellations_.empty() || scheduler_.num_running() > 0 ||
                   scheduler_.num_waiting() > 0;
        });
        submissions.swap(submissions_);
        cancellations.swap(cancellations_);
        stopping = stopping_;
    }
    for (Submission& submission : submissions) {
        sinks_.emplace(submission.sequence->id, std::move(submission.sink));
        scheduler_.add(std::move(submission.sequence));
    }
    for (RequestId id : cancellations)
        if (sinks_.contains(id)) finish(id, {.finish_reason = FinishReason::cancelled});
    update_stats();
    return !stopping;
}

void EngineLoop::step() {
    const schedule::StepPlan plan = scheduler_.plan();
    if (plan.empty()) return;
    const schedule::StepResult result = worker_->run(plan);
    for (const auto& planned : plan.sequences) {
        const int prompt_len = scheduler_.find(planned.id)->prompt_len;
        prompt_tokens_ += std::clamp(prompt_len - planned.first_position, 0, planned.query_len());
    }
    scheduler_.commit(plan);
    for (const auto& accepted : result.accepted) accept(accepted.id, accepted.token);
    update_stats();
}

// Appends the token and publishes it; ends the request when the token or its length says so.
void EngineLoop::accept(RequestId id, int32_t token) {
    schedule::Sequence& sequence = *scheduler_.find(id);
    sequence.tokens.push_back(token);
    ++generated_tokens_;
    Event event{.tokens = {token}};
    const Sampling& sampling = sequence.sampling;
    if ((!sampling.ignore_eos && contains(eos_token_ids_, token)) || contains(sampling.stop_token_ids, token))
        event.finish_reason = FinishReason::stop;
    else if (sequence.token_len() >= sequence.max_len)
        event.finish_reason = FinishReason::length;
    if (event.finish_reason == FinishReason::none)
        sinks_.at(id)(std::move(event));
    else
        finish(id, std::move(event));
}

void EngineLoop::finish(RequestId id, Event event) {
    scheduler_.remove(id);
    const auto found = sinks_.find(id);
    EventSink sink = std::move(found->second);
    sinks_.erase(found);
    update_stats();  // whoever sees the last event sees its pages free
    sink(std::move(event));
}

void EngineLoop::update_stats() {
    running_ = scheduler_.num_running();
    pages_used_ = pool_.num_pages() - pool_.num_free();
    std::lock_guard lock(mutex_);
    waiting_ = scheduler_.num_waiting() + static_cast<int>(submissions_.size());
}

EngineStats EngineLoop::stats() const {
    return {.running = running_,
            .waiting = waiting_,
            .pages_used = pages_used_,
            .pages_total = pool_.num_pages(),
            .prompt_tokens = prompt_tokens_,
            .generated_tokens = generated_tokens_};
}

}  // namespace glm5::engine
