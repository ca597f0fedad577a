// Generation: one request from its tokens to the last byte of its answer. Lives on the io thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/error.h"
#include "api/generation_fields.h"
#include "api/metrics_request.h"
#include "api/text_stream.h"
#include "api/wire.h"
#include "glm5/engine.h"
#include "http/exchange.h"
#include "text/tokenizer.h"

namespace glm5::api {

// The engine as this folder sees it. Each may be called from any thread.
struct EngineHandle {
    std::function<Result<RequestId>(Request request, EventSink sink)> submit;
    std::function<void(RequestId id)> cancel;
    std::function<EngineStats()> stats;
};

struct GenerationPlan {
    AnswerHead head;
    GenerationFields fields;
    Request request;
    TimePoint arrival;                          // when the HTTP request had been read
    int32_t first_eos_token_id = -1;            // ends the text without a stop_reason
    std::optional<chat::PromptEnd> prompt_end;  // of a chat: where the split of reasoning begins
    bool include_reasoning = true;
};

class Generation : public std::enable_shared_from_this<Generation> {
public:
    // Submits the request and answers `exchange` as its events arrive. Call on the io thread. `tokenizer`, `metrics` and
    // what the handle refers to outlive the generation.
    static void start(http::ExchangePtr exchange, EngineHandle engine, const text::Tokenizer& tokenizer,
                      EngineMetrics& metrics, GenerationPlan plan);

    Generation(http::ExchangePtr exchange, EngineHandle engine, const text::Tokenizer& tokenizer,
               EngineMetrics& metrics, GenerationPlan plan);

private:
    void submit();
    void on_event(const Event& event);
    // The text of the event's tokens; sets finish_ when they end the answer.
    Delta take_tokens(const Event& event);
    void send_delta(Delta delta, bool has_tokens);
    void send_finish();
    void send_chunk(json::Value chunk);
    void fail(const ApiError& error);

    const http::ExchangePtr exchange_;
    const EngineHandle engine_;
    GenerationPlan plan_;
    TextStream text_;
    EngineMetrics& engine_metrics_;
    RequestMetrics metrics_;
    RequestId id_ = 0;
    Usage usage_;
    Delta answer_;          // collected, when the answer is not streamed
    bool started_ = false;  // the role chunk has been sent
    bool done_ = false;
    std::optional<Finish> finish_;
};

// What the client sees when Engine::submit refuses.
ApiError submit_error(const Status& status);

}  // namespace glm5::api
