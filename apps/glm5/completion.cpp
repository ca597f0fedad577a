// Events between the engine's thread and the caller's.
#include "completion.h"

#include <algorithm>

namespace glm5 {

Result<Completion> Completion::start(Engine& engine, Request request) {
    const int num_choices = request.num_choices;
    auto queue = std::make_shared<Queue>();
    auto sink = [queue](Event event) {
        {
            const std::lock_guard lock(queue->mutex);
            queue->events.push_back(std::move(event));
        }
        queue->changed.notify_one();
    };
    GLM5_ASSIGN_OR_RETURN(const RequestId id, engine.submit(std::move(request), std::move(sink)));
    return Completion(engine, id, num_choices, std::move(queue));
}

Completion::~Completion() {
    if (queue_ && !ended()) engine_->cancel(id_);
}

std::vector<Event> Completion::wait(std::chrono::milliseconds limit) {
    std::unique_lock lock(queue_->mutex);
    queue_->changed.wait_for(lock, limit, [this] { return !queue_->events.empty(); });
    std::vector<Event> events = std::exchange(queue_->events, {});
    for (const Event& event : events) num_open_ -= event.finish_reason != FinishReason::none;
    return events;
}

void Completion::cancel() {
    engine_->cancel(id_);
}

std::vector<int32_t> text_tokens(const Event& event) {
    std::vector<int32_t> tokens = event.tokens;
    if (event.finish_reason == FinishReason::stop && !tokens.empty()) tokens.pop_back();
    return tokens;
}

Result<Request> make_request(std::vector<int32_t> prompt, const cli::SamplingOptions& options,
                             const SamplingDefaults& defaults, int max_tokens, int max_model_len) {
    if (prompt.empty()) return invalid_argument("the prompt has no tokens");
    const int64_t room = max_model_len - static_cast<int64_t>(prompt.size());
    if (room < 1 || max_tokens > room)
        return invalid_argument("the prompt has {} tokens and --max-tokens is {}; the context holds {}", prompt.size(),
                                max_tokens > 0 ? std::to_string(max_tokens) : "auto", max_model_len);
    Request request;
    request.prompt = std::move(prompt);
    request.sampling.temperature = static_cast<float>(options.temperature.value_or(defaults.temperature));
    request.sampling.top_p = static_cast<float>(options.top_p.value_or(defaults.top_p));
    request.sampling.top_k = options.top_k;
    request.sampling.min_p = static_cast<float>(options.min_p);
    request.sampling.seed = options.seed;
    request.sampling.max_tokens = max_tokens > 0 ? max_tokens : static_cast<int>(room);
    return request;
}

void CompletionStats::add(const Event& event) {
    last_ = Clock::now();
    if (tokens_ == 0 && !event.tokens.empty()) first_ = last_;
    tokens_ += static_cast<int64_t>(event.tokens.size());
    cached_tokens_ = std::max<int64_t>(cached_tokens_, event.cached_prompt_tokens);
}

std::string CompletionStats::text() const {
    const double first_s = std::chrono::duration<double>(first_ - start_).count(),
                 rest_s = std::chrono::duration<double>(last_ - first_).count();
    return fmt::format(
        "{} prompt tokens ({} cached) in {:.3f} s ({:.1f} per second); {} tokens in {:.3f} s ({:.1f} per second)",
        prompt_tokens_, cached_tokens_, first_s,
        static_cast<double>(prompt_tokens_ - cached_tokens_) / std::max(first_s, 1e-9), tokens_, rest_s,
        static_cast<double>(std::max<int64_t>(tokens_ - 1, 0)) / std::max(rest_s, 1e-9));
}

}  // namespace glm5
