// Generation: one HTTP request from its tokens to the last byte of its answer. Lives on the io thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/choice.h"
#include "api/error.h"
#include "api/generation_fields.h"
#include "api/metrics_request.h"
#include "api/wire.h"
#include "glm5/engine.h"
#include "http/exchange.h"
#include "text/tokenizer.h"

namespace glm5::api {

// The engine as this folder sees it. Each may be called from any thread.
struct EngineHandle {
    std::function<Result<RequestId>(Request request, EventSink sink)> submit;
    std::function<void(RequestId id)> cancel;  // every choice
    std::function<void(RequestId id, int choice)> cancel_choice;
    std::function<EngineStats()> stats;
};

struct PromptPlan {
    Request request;
    std::string echo;  // text in front of each choice
};

struct GenerationPlan {
    AnswerHead head;
    GenerationFields fields;
    std::vector<PromptPlan> prompts;            // a request of the engine each; all have the same sampling
    TimePoint arrival;                          // when the HTTP request had been read
    int32_t first_eos_token_id = -1;            // ends the text without a stop_reason
    std::optional<chat::PromptEnd> prompt_end;  // of a chat: where the split of reasoning begins
    bool include_reasoning = true;
    std::shared_ptr<const void> ticket;  // dropped with the generation
};

class Generation : public std::enable_shared_from_this<Generation> {
public:
    // Submits the requests and answers `exchange` as their events arrive. Call on the io thread. `tokenizer`, `metrics`
    // and what the handle refers to outlive the generation.
    static void start(http::ExchangePtr exchange, EngineHandle engine, const text::Tokenizer& tokenizer,
                      EngineMetrics& metrics, GenerationPlan plan);

    Generation(http::ExchangePtr exchange, EngineHandle engine, const text::Tokenizer& tokenizer,
               EngineMetrics& metrics, GenerationPlan plan);

private:
    struct Prompt {
        std::optional<RequestId> id;  // none: not submitted
        RequestMetrics metrics;
        std::string echo;
        int64_t cached_tokens = 0;
        std::vector<Choice> choices;
    };

    void submit();
    // Whether the engine took the request of prompt `index`.
    bool submit_prompt(size_t index, Request request);
    // Answers a request that asks for no tokens.
    void finish_prompts();
    void cancel_requests(FinishReason reason);  // and counts their open choices as ended so
    void on_event(size_t prompt_index, const Event& event);
    // `event` carries tokens, or the end of a choice by itself.
    void advance(size_t prompt_index, const Event& event);
    // `index` counts the choices of all prompts.
    void send_piece(int index, size_t prompt_index, Choice& choice, Piece piece);
    std::vector<json::Value> make_chunks(int index, bool first, const Choice& choice, const Piece& piece) const;
    void send_end();
    void send_chunk(json::Value chunk);
    void fail(const ApiError& error, FinishReason reason);
    Usage usage() const;

    const http::ExchangePtr exchange_;
    const EngineHandle engine_;
    GenerationPlan plan_;  // the requests are moved out
    EngineMetrics& engine_metrics_;
    std::vector<Prompt> prompts_;
    std::vector<std::vector<int32_t>> prompt_token_ids_;  // where the request asks for ids, else empty
    int64_t num_prompt_tokens_ = 0;
    std::vector<ChoiceAnswer> answers_;  // collected, when the answer is not streamed
    size_t num_open_ = 0;                // choices without a finish
    bool done_ = false;
};

// What the client sees when Engine::submit refuses.
ApiError submit_error(const Status& status);

}  // namespace glm5::api
