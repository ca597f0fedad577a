// Events → observations.
#include "api/metrics_request.h"

#include <algorithm>
#include <utility>

namespace glm5::api {
namespace {

double seconds(TimePoint from, TimePoint to) {
    return std::chrono::duration<double>(to - from).count();
}

}  // namespace

RequestMetrics::RequestMetrics(EngineMetrics& metrics, const Request& request, TimePoint arrival)
    : metrics_(metrics),
      arrival_(arrival),
      prompt_tokens_(static_cast<int64_t>(request.prompt.size())),
      max_tokens_(request.sampling.max_tokens),
      num_open_(static_cast<size_t>(request.num_choices)),
      choices_(num_open_) {}

void RequestMetrics::on_event(const Event& event) {
    Choice& choice = choices_.at(static_cast<size_t>(event.choice));
    if (choice.ended) return;
    if (!event.tokens.empty()) {
        metrics_.generation_tokens.add(event.tokens.size());
        if (choice.num_tokens == 0)
            on_first_token(event, choice);
        else
            metrics_.inter_token_latency.observe(seconds(choice.last, event.time));
        choice.last = event.time;
        choice.num_tokens += static_cast<int64_t>(event.tokens.size());
    }
    if (event.finish_reason != FinishReason::none) end(event.choice, event.finish_reason);
}

void RequestMetrics::on_first_token(const Event& event, Choice& choice) {
    choice.queued = event.queued;
    choice.scheduled = event.scheduled;
    choice.first = event.time;
    metrics_.time_to_first_token.observe(seconds(arrival_, std::chrono::steady_clock::now()));
    if (std::exchange(started_, true)) return;
    cached_tokens_ = event.cached_prompt_tokens;
    metrics_.prompt_tokens.add(static_cast<uint64_t>(prompt_tokens_));
    metrics_.prompt_tokens_cached.add(static_cast<uint64_t>(cached_tokens_));
    metrics_.prompt_tokens_hit.add(static_cast<uint64_t>(cached_tokens_));
    metrics_.prompt_tokens_computed.add(static_cast<uint64_t>(prompt_tokens_ - cached_tokens_));
}

void RequestMetrics::observe_times(const Choice& choice) {
    metrics_.e2e_latency.observe(seconds(arrival_, std::chrono::steady_clock::now()));
    metrics_.queue_time.observe(seconds(choice.queued, choice.scheduled));
    metrics_.inference_time.observe(seconds(choice.scheduled, choice.last));
    metrics_.prefill_time.observe(seconds(choice.scheduled, choice.first));
    metrics_.decode_time.observe(seconds(choice.first, choice.last));
    if (choice.num_tokens > 1)
        metrics_.time_per_output_token.observe(seconds(choice.first, choice.last) /
                                               static_cast<double>(choice.num_tokens - 1));
    metrics_.request_generation_tokens.observe(static_cast<double>(choice.num_tokens));
}

void RequestMetrics::end(int index, FinishReason reason) {
    Choice& choice = choices_.at(static_cast<size_t>(index));
    if (std::exchange(choice.ended, true)) return;
    metrics_.request_success(reason).add();
    if ((reason == FinishReason::stop || reason == FinishReason::length) && choice.num_tokens > 0) {
        completed_ = true;
        observe_times(choice);
    }
    if (--num_open_ > 0 || !completed_) return;
    const auto longest = std::max_element(choices_.begin(), choices_.end(),
                                          [](const Choice& a, const Choice& b) { return a.num_tokens < b.num_tokens; });
    metrics_.request_prompt_tokens.observe(static_cast<double>(prompt_tokens_));
    metrics_.request_computed_tokens.observe(static_cast<double>(prompt_tokens_ - cached_tokens_));
    metrics_.request_max_generation_tokens.observe(static_cast<double>(longest->num_tokens));
    metrics_.request_max_tokens.observe(static_cast<double>(max_tokens_));
    metrics_.request_n.observe(static_cast<double>(choices_.size()));
}

void RequestMetrics::end_all(FinishReason reason) {
    for (size_t choice = 0; choice < choices_.size(); ++choice) end(static_cast<int>(choice), reason);
}

}  // namespace glm5::api
