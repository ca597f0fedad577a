// Engine events → deltas → JSON → exchange.
#include "api/generation.h"

#include <algorithm>

#include "base/log.h"
#include "json/write.h"

namespace glm5::api {

ApiError submit_error(const Status& status) {
    switch (status.code()) {
        case StatusCode::invalid_argument: return {400, status.message(), "prompt"};
        case StatusCode::resource_exhausted: return {429, "The server's queue is full; try again later.", {}, 1};
        default: return {500, "The engine does not take requests: an internal error.", {}};
    }
}

void Generation::start(http::ExchangePtr exchange, EngineHandle engine, const text::Tokenizer& tokenizer,
                       EngineMetrics& metrics, GenerationPlan plan) {
    if (exchange->cancelled()) return;
    std::make_shared<Generation>(std::move(exchange), std::move(engine), tokenizer, metrics, std::move(plan))
        ->submit();
}

Generation::Generation(http::ExchangePtr exchange, EngineHandle engine, const text::Tokenizer& tokenizer,
                       EngineMetrics& metrics, GenerationPlan plan)
    : exchange_(std::move(exchange)),
      engine_(std::move(engine)),
      plan_(std::move(plan)),
      text_(tokenizer, plan_.fields, plan_.prompt_end),
      engine_metrics_(metrics),
      metrics_(metrics, plan_.request, plan_.arrival) {
    usage_.prompt_tokens = static_cast<int64_t>(plan_.request.prompt.size());
}

void Generation::submit() {
    // The sink runs on the engine's thread and hands over; the id below is known before the first event is handled.
    auto sink = [self = shared_from_this()](Event event) {
        self->exchange_->post([self, event = std::move(event)] { self->on_event(event); });
    };
    const auto id = engine_.submit(std::move(plan_.request), std::move(sink));
    if (!id.ok()) {
        log_debug("request {}: {}", plan_.head.id, id.status().message());
        if (id.status().code() == StatusCode::resource_exhausted) engine_metrics_.queue_rejected.add();
        exchange_->respond(error_response(submit_error(id.status())));
        done_ = true;
        return;
    }
    id_ = *id;
    exchange_->on_cancel([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->done_) return;
        self->done_ = true;
        self->metrics_.end_all(FinishReason::cancelled);
        self->engine_.cancel(self->id_);
    });
    if (plan_.fields.stream) exchange_->start_stream();
}

void Generation::on_event(const Event& event) {
    if (done_) return;
    metrics_.on_event(event);
    if (event.finish_reason == FinishReason::error) {
        log_error("request {}: {}", plan_.head.id, event.error);
        return fail({500, "The engine failed while it ran this request.", {}});
    }
    if (event.finish_reason == FinishReason::cancelled) return fail({503, "The server is stopping.", {}, 1});
    usage_.cached_tokens = std::max<int64_t>(usage_.cached_tokens, event.cached_prompt_tokens);
    Delta delta = take_tokens(event);
    send_delta(std::move(delta), !event.tokens.empty());
    if (!finish_) return;
    done_ = true;
    metrics_.end_all(FinishReason::stop);  // what the engine has not ended: a stop string
    if (event.finish_reason == FinishReason::none) engine_.cancel(id_);
    send_finish();
}

Delta Generation::take_tokens(const Event& event) {
    Delta delta;
    auto append = [&](Delta piece) {
        delta.reasoning += piece.reasoning;
        delta.content += piece.content;
    };
    for (size_t i = 0; i < event.tokens.size(); ++i) {
        const int32_t token = event.tokens[i];
        ++usage_.completion_tokens;
        if (event.finish_reason == FinishReason::stop && i + 1 == event.tokens.size()) {
            finish_ = Finish{"stop", token == plan_.first_eos_token_id ? json::Value() : json::Value(token)};
            break;  // an end token is no text
        }
        if (text_.in_reasoning()) ++usage_.reasoning_tokens;
        append(text_.push(token));
        if (text_.stopped()) {
            finish_ = Finish{"stop", json::Value(text_.stop_string())};
            break;
        }
    }
    if (!finish_ && event.finish_reason == FinishReason::length) finish_ = Finish{"length", json::Value()};
    if (!finish_ && event.finish_reason == FinishReason::stop) finish_ = Finish{"stop", json::Value()};
    if (finish_) append(text_.finish());
    if (!plan_.include_reasoning) delta.reasoning.clear();
    return delta;
}

void Generation::send_delta(Delta delta, bool has_tokens) {
    if (!plan_.fields.stream) {
        answer_.reasoning += delta.reasoning;
        answer_.content += delta.content;
        return;
    }
    if (has_tokens && !std::exchange(started_, true) && plan_.head.kind == AnswerKind::chat)
        send_chunk(role_chunk(plan_.head));
    if (!delta.reasoning.empty()) send_chunk(delta_chunk(plan_.head, {std::move(delta.reasoning), ""}));
    if (!delta.content.empty()) send_chunk(delta_chunk(plan_.head, {"", std::move(delta.content)}));
}

void Generation::send_finish() {
    if (!plan_.fields.stream) {
        exchange_->respond({200,
                            "application/json",
                            json::write(whole_answer(plan_.head, answer_, *finish_, usage_), {.compact = true}),
                            {}});
        return;
    }
    json::Value finish = finish_chunk(plan_.head, *finish_);
    json::Value usage = usage_chunk(plan_.head, usage_);
    // The fingerprint is on the last chunk of the stream.
    (plan_.fields.include_usage ? usage : finish)
        .as_object()
        .append("system_fingerprint", plan_.head.system_fingerprint);
    send_chunk(std::move(finish));
    if (plan_.fields.include_usage) exchange_->write_event(json::write(usage, {.compact = true}));
    exchange_->write_event("[DONE]");
    exchange_->finish();
}

void Generation::send_chunk(json::Value chunk) {
    if (plan_.fields.continuous_usage_stats) chunk.as_object().append("usage", usage_json(usage_));
    exchange_->write_event(json::write(chunk, {.compact = true}));
}

void Generation::fail(const ApiError& error) {
    done_ = true;
    if (!plan_.fields.stream) {
        exchange_->respond(error_response(error));
        return;
    }
    exchange_->write_event(json::write(error_body(error), {.compact = true}));
    exchange_->write_event("[DONE]");
    exchange_->finish();
}

}  // namespace glm5::api
