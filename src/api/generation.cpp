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
        case StatusCode::io_error: return engine_failed();
        default: return {500, "The engine does not take requests: an internal error.", {}};
    }
}

void Generation::start(http::ExchangePtr exchange, EngineHandle engine, const text::Tokenizer& tokenizer,
                       EngineMetrics& metrics, GenerationPlan plan) {
    if (exchange->cancelled()) return;
    std::make_shared<Generation>(std::move(exchange), std::move(engine), tokenizer, metrics, std::move(plan))->submit();
}

Generation::Generation(http::ExchangePtr exchange, EngineHandle engine, const text::Tokenizer& tokenizer,
                       EngineMetrics& metrics, GenerationPlan plan)
    : exchange_(std::move(exchange)), engine_(std::move(engine)), plan_(std::move(plan)), engine_metrics_(metrics) {
    const GenerationFields& fields = plan_.fields;
    const StopMatcher matcher(fields.stop, fields.include_stop_str_in_output);
    prompts_.reserve(plan_.prompts.size());
    for (PromptPlan& prompt : plan_.prompts) {
        const Request& request = prompt.request;
        num_prompt_tokens_ += static_cast<int64_t>(request.prompt.size());
        if (fields.return_token_ids) prompt_token_ids_.push_back(request.prompt);
        prompts_.push_back({std::nullopt, RequestMetrics(metrics, request, plan_.arrival), std::move(prompt.echo)});
        const TextStream text(tokenizer, fields.skip_special_tokens, matcher, request.sampling.min_tokens,
                              plan_.prompt_end);
        const auto num_choices = static_cast<size_t>(request.num_choices);
        prompts_.back().choices.assign(num_choices, Choice(text, plan_.first_eos_token_id));
        num_open_ += num_choices;
    }
    if (!fields.stream) answers_.resize(num_open_);
}

void Generation::submit() {
    if (plan_.prompts[0].request.sampling.max_tokens == 0) return finish_prompts();
    for (size_t i = 0; i < plan_.prompts.size(); ++i)
        if (!submit_prompt(i, std::move(plan_.prompts[i].request))) return;
    exchange_->on_cancel([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || std::exchange(self->done_, true)) return;
        self->cancel_requests(FinishReason::cancelled);
    });
    if (plan_.fields.stream) exchange_->start_stream();
}

bool Generation::submit_prompt(size_t index, Request request) {
    // The sink runs on the engine's thread and hands over; the id is stored before the first event is handled.
    auto sink = [self = shared_from_this(), index](Event event) {
        self->exchange_->post([self, index, event = std::move(event)] { self->on_event(index, event); });
    };
    const auto id = engine_.submit(std::move(request), std::move(sink));
    if (id.ok()) {
        prompts_[index].id = *id;
        return true;
    }
    log_debug("request {}: {}", plan_.head.id, id.status().message());
    if (id.status().code() == StatusCode::resource_exhausted) engine_metrics_.queue_rejected.add();
    done_ = true;
    cancel_requests(FinishReason::cancelled);
    exchange_->respond(error_response(submit_error(id.status())));
    return false;
}

void Generation::finish_prompts() {
    if (plan_.fields.stream) exchange_->start_stream();
    for (size_t prompt = 0; prompt < prompts_.size(); ++prompt)
        for (size_t choice = 0; choice < prompts_[prompt].choices.size(); ++choice)
            advance(prompt, {.choice = static_cast<int>(choice), .finish_reason = FinishReason::length});
}

void Generation::cancel_requests(FinishReason reason) {
    for (Prompt& prompt : prompts_) {
        if (!prompt.id) continue;
        prompt.metrics.end_all(reason);
        engine_.cancel(*prompt.id);
    }
}

void Generation::on_event(size_t prompt_index, const Event& event) {
    if (done_) return;
    Prompt& prompt = prompts_[prompt_index];
    prompt.metrics.on_event(event);
    if (event.finish_reason == FinishReason::error) {
        log_error("request {}: {}", plan_.head.id, event.error);
        return fail({500, "The engine failed while it ran this request.", {}}, FinishReason::error);
    }
    if (prompt.choices[static_cast<size_t>(event.choice)].finish()) return;  // its cancellation arrived later
    if (event.finish_reason == FinishReason::cancelled)
        return fail({503, "The server is stopping.", {}, 1}, FinishReason::cancelled);
    advance(prompt_index, event);
}

void Generation::advance(size_t prompt_index, const Event& event) {
    Prompt& prompt = prompts_[prompt_index];
    Choice& choice = prompt.choices[static_cast<size_t>(event.choice)];
    // Other choices find what the first has computed, and one that was preempted finds itself: that is no reuse.
    if (event.choice == 0 && choice.num_tokens() == 0) prompt.cached_tokens = event.cached_prompt_tokens;
    Piece piece = choice.take(event);
    if (!plan_.include_reasoning) piece.text.reasoning.clear();
    if (choice.finish()) {
        --num_open_;
        if (event.finish_reason == FinishReason::none) {  // a stop string
            prompt.metrics.end(event.choice, FinishReason::stop);
            engine_.cancel_choice(*prompt.id, event.choice);
        }
    }
    const auto index = static_cast<int>(prompt_index * prompt.choices.size()) + event.choice;
    send_piece(index, prompt_index, choice, std::move(piece));
    if (num_open_ > 0) return;
    done_ = true;
    send_end();
}

void Generation::send_piece(int index, size_t prompt_index, Choice& choice, Piece piece) {
    const bool first = (!piece.token_ids.empty() || choice.finish()) && choice.begin();
    if (first) piece.text.content.insert(0, prompts_[prompt_index].echo);
    if (!plan_.fields.return_token_ids) piece.token_ids.clear();
    if (plan_.fields.stream) {
        std::vector<json::Value> chunks = make_chunks(index, first, choice, piece);
        if (first && plan_.fields.return_token_ids)
            add_prompt_token_ids(plan_.head, chunks.front(), prompt_token_ids_[prompt_index]);
        for (json::Value& chunk : chunks) send_chunk(std::move(chunk));
        return;
    }
    ChoiceAnswer& answer = answers_[static_cast<size_t>(index)];
    answer.text.reasoning += piece.text.reasoning;
    answer.text.content += piece.text.content;
    answer.token_ids.insert(answer.token_ids.end(), piece.token_ids.begin(), piece.token_ids.end());
    if (choice.finish()) answer.finish = *choice.finish();
}

std::vector<json::Value> Generation::make_chunks(int index, bool first, const Choice& choice,
                                                 const Piece& piece) const {
    const AnswerHead& head = plan_.head;
    std::vector<json::Value> chunks;
    if (first && head.kind == AnswerKind::chat) chunks.push_back(role_chunk(head, index));
    const size_t num_before = chunks.size();
    if (!piece.text.reasoning.empty()) chunks.push_back(delta_chunk(head, index, {piece.text.reasoning, ""}));
    if (!piece.text.content.empty()) chunks.push_back(delta_chunk(head, index, {"", piece.text.content}));
    if (!piece.token_ids.empty()) {
        if (chunks.size() == num_before) chunks.push_back(delta_chunk(head, index, {}));
        add_token_ids(chunks[num_before], piece.token_ids);
    }
    if (choice.finish()) {
        chunks.push_back(finish_chunk(head, index, *choice.finish()));
        // The fingerprint is on the last chunk of the stream.
        if (num_open_ == 0 && !plan_.fields.include_usage)
            chunks.back().as_object().append("system_fingerprint", head.system_fingerprint);
    }
    return chunks;
}

void Generation::send_end() {
    if (!plan_.fields.stream) {
        const json::Value answer = whole_answer(plan_.head, answers_, prompt_token_ids_, usage());
        exchange_->respond({200, "application/json", json::write(answer, {.compact = true}), {}});
        return;
    }
    if (plan_.fields.include_usage) {
        json::Value chunk = usage_chunk(plan_.head, usage());
        chunk.as_object().append("system_fingerprint", plan_.head.system_fingerprint);
        exchange_->write_event(json::write(chunk, {.compact = true}));
    }
    exchange_->write_event("[DONE]");
    exchange_->finish();
}

void Generation::send_chunk(json::Value chunk) {
    if (plan_.fields.continuous_usage_stats) chunk.as_object().append("usage", usage_json(usage()));
    exchange_->write_event(json::write(chunk, {.compact = true}));
}

void Generation::fail(const ApiError& error, FinishReason reason) {
    done_ = true;
    cancel_requests(reason);
    if (!plan_.fields.stream) {
        exchange_->respond(error_response(error));
        return;
    }
    exchange_->write_event(json::write(error_body(error), {.compact = true}));
    exchange_->write_event("[DONE]");
    exchange_->finish();
}

Usage Generation::usage() const {
    Usage usage;
    usage.prompt_tokens = num_prompt_tokens_;
    for (const Prompt& prompt : prompts_) {
        usage.cached_tokens += prompt.cached_tokens;
        for (const Choice& choice : prompt.choices) {
            usage.completion_tokens += choice.num_tokens();
            usage.reasoning_tokens += choice.num_reasoning_tokens();
        }
    }
    return usage;
}

}  // namespace glm5::api
