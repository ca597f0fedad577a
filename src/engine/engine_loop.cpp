#include "engine/engine_loop.h"

#include <pthread.h>

#include <algorithm>

#include "base/log.h"
#include "ops/device_fault.h"

namespace glm5::engine {
namespace {

using schedule::Sequence;
using schedule::SequenceId;
using Clock = std::chrono::steady_clock;

bool contains(const std::vector<int32_t>& ids, int32_t id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

}  // namespace

EngineLoop::EngineLoop(std::unique_ptr<RankWorker> worker, const ModelInfo& info,
                       const schedule::SchedulerLimits& limits, Observers observers)
    : worker_(std::move(worker)),
      eos_token_ids_(info.eos_token_ids),
      observers_(std::move(observers)),
      pool_(worker_->num_pages()),
      scheduler_(limits, pool_),
      stats_{.pages_total = pool_.num_pages(), .memory = worker_->memory()},
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

void EngineLoop::submit(RequestId id, Request request, int max_len, EventSink sink) {
    {
        std::lock_guard lock(stats_mutex_);
        stats_.waiting += request.num_choices;
    }
    {
        std::lock_guard lock(mutex_);
        submissions_.push_back({id, std::move(request), max_len, std::move(sink), Clock::now()});
    }
    wake_.notify_one();
}

void EngineLoop::cancel(RequestId id) {
    {
        std::lock_guard lock(mutex_);
        cancellations_.push_back({id, kAllChoices});
    }
    wake_.notify_one();
}

void EngineLoop::cancel(RequestId id, int choice) {
    {
        std::lock_guard lock(mutex_);
        cancellations_.push_back({id, choice});
    }
    wake_.notify_one();
}

void EngineLoop::run() {
    while (wait_for_work()) failure_.empty() ? step() : fail_all();
    while (!live_.empty()) end_choices(live_.begin()->first, kAllChoices, FinishReason::cancelled);
    scheduler_.reset_prefix_cache();
    const Status integrity = pool_.check_integrity();
    GLM5_CHECK(integrity.ok() && pool_.num_free() == pool_.num_pages(), "{}", integrity.message());
}

// Takes in what arrived; sleeps while there is nothing to do. No cancellation overtakes its submission: that is in the
// same inbox or was taken in before.
bool EngineLoop::wait_for_work() {
    std::vector<Submission> submissions;
    std::vector<Cancellation> cancellations;
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
    for (Submission& submission : submissions) take_in(std::move(submission));
    for (const Cancellation& cancellation : cancellations)
        end_choices(cancellation.id, cancellation.choice, FinishReason::cancelled);
    return !stopping;
}

void EngineLoop::take_in(Submission submission) {
    Request& request = submission.request;
    LiveRequest& live = live_[submission.id];
    live.sink = std::move(submission.sink);
    live.num_open = request.num_choices;
    for (int choice = 0; choice < request.num_choices; ++choice) {
        auto sequence = std::make_unique<Sequence>();
        sequence->id = schedule::sequence_id(submission.id, choice);
        sequence->prompt_len = static_cast<int>(request.prompt.size());
        sequence->tokens = request.prompt;
        sequence->max_len = submission.max_len;
        sequence->priority = request.priority;
        sequence->sampling = request.sampling;
        sequence->queued = submission.queued;
        if (choice == 0)
            scheduler_.add(std::move(sequence));
        else
            live.held.push_back(std::move(sequence));
    }
}

void EngineLoop::step() {
    const schedule::StepPlan plan = scheduler_.plan();
    if (plan.empty()) return;
    update_stats();  // what was admitted runs from here on, and a step may be long
    StepStats stats = describe(plan);
    const TimePoint begin = Clock::now();
    for (const auto& planned : plan.sequences)
        if (Sequence& sequence = *scheduler_.find(planned.id()); sequence.scheduled == TimePoint())
            sequence.scheduled = begin;
    schedule::StepResult result;
    try {
        result = worker_->run(plan);
    } catch (const ops::DeviceFault& fault) {
        return fail(fault.what());
    }
    const TimePoint end = Clock::now();
    stats.seconds = std::chrono::duration<double>(end - begin).count();
    if (observers_.on_step) observers_.on_step(stats);  // before the events: who has seen an answer finds its steps counted
    {
        std::lock_guard lock(stats_mutex_);
        for (const auto& planned : plan.sequences)
            stats_.prompt_tokens +=
                std::clamp(planned.sequence->prompt_len - planned.first_position, 0, planned.query_len());
    }
    scheduler_.commit(plan);
    for (const auto& accepted : result.accepted) accept(accepted.id, accepted.token, end);
    update_stats();
}

// Whoever asks learns of the failure before the first request ends with it.
void EngineLoop::fail(const std::string& reason) {
    log_error("The engine failed: {}", reason);
    failure_ = reason;
    {
        std::lock_guard lock(stats_mutex_);
        stats_.failed = true;
    }
    fail_all();
    if (observers_.on_failure) observers_.on_failure(reason);
}

void EngineLoop::fail_all() {
    while (!live_.empty()) end_choices(live_.begin()->first, kAllChoices, FinishReason::error);
}

StepStats EngineLoop::describe(const schedule::StepPlan& plan) const {
    StepStats stats;
    for (const auto& planned : plan.sequences)
        (planned.sequence->is_decoding() ? stats.decode_tokens : stats.prefill_tokens) += planned.query_len();
    return stats;
}

// Appends the token and publishes it; ends the choice when the token or its length says so.
void EngineLoop::accept(SequenceId id, int32_t token, TimePoint time) {
    Sequence& sequence = *scheduler_.find(id);
    LiveRequest& live = live_.at(schedule::request_of(id));
    sequence.tokens.push_back(token);
    Event event{.choice = schedule::choice_of(id),
                .tokens = {token},
                .queued = sequence.queued,
                .scheduled = sequence.scheduled,
                .time = time};
    if (sequence.completion_len() == 1) {
        event.cached_prompt_tokens = sequence.cached_len;
        release_held(live);
    }
    {
        std::lock_guard lock(stats_mutex_);
        ++stats_.generated_tokens;
        if (sequence.completion_len() == 1) {
            stats_.prefix_query_tokens += sequence.prompt_len;
            stats_.prefix_hit_tokens += sequence.cached_len;
        }
    }
    const Sampling& sampling = sequence.sampling;
    if ((!sampling.ignore_eos && contains(eos_token_ids_, token)) || contains(sampling.stop_token_ids, token))
        event.finish_reason = FinishReason::stop;
    else if (sequence.token_len() >= sequence.max_len)
        event.finish_reason = FinishReason::length;
    if (event.finish_reason == FinishReason::none)
        live.sink(std::move(event));
    else
        finish(id, std::move(event));
}

// The prompt's full pages are in the prefix tree, or nobody computes it any more.
void EngineLoop::release_held(LiveRequest& live) {
    for (auto& held : live.held) scheduler_.add(std::move(held));
    live.held.clear();
}

// Publishes the last event of a choice, after its pages are available.
void EngineLoop::finish(SequenceId id, Event event) {
    scheduler_.remove(id);
    const auto found = live_.find(schedule::request_of(id));
    release_held(found->second);
    EventSink sink = found->second.sink;
    if (--found->second.num_open == 0) live_.erase(found);
    update_stats();
    sink(std::move(event));
}

void EngineLoop::end_choices(RequestId id, int which, FinishReason reason) {
    const std::string error = reason == FinishReason::error ? failure_ : "";
    if (const auto found = live_.find(id); found != live_.end()) release_held(found->second);
    for (int choice = 0; choice < schedule::kMaxChoices; ++choice)
        if ((which == kAllChoices || which == choice) && scheduler_.find(schedule::sequence_id(id, choice)))
            finish(schedule::sequence_id(id, choice),
                   {.choice = choice, .finish_reason = reason, .error = error, .time = Clock::now()});
}

void EngineLoop::update_stats() {
    int inbox = 0;
    {
        std::lock_guard lock(mutex_);
        for (const Submission& submission : submissions_) inbox += submission.request.num_choices;
    }
    int held = 0;
    for (const auto& [id, live] : live_) held += static_cast<int>(live.held.size());
    std::lock_guard lock(stats_mutex_);
    stats_.memory = worker_->memory();
    stats_.running = scheduler_.num_running();
    stats_.waiting = scheduler_.num_waiting() + held + inbox;
    stats_.deferred = held;
    stats_.pages_used = pool_.num_used();
    stats_.pages_cached = pool_.num_idle();
    stats_.preemptions = scheduler_.num_preemptions();
}

EngineStats EngineLoop::stats() const {
    std::lock_guard lock(stats_mutex_);
    return stats_;
}

}  // namespace glm5::engine
