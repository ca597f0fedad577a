// Service: the routes of the API and what they need: the model, its tokenizer and template, the engine.
//
//   api::Service service(options);
//   http::Server::start({.handler = service.handler(), .error_body = api::http_error, …});  // answers 503
//   service.set_model(…);                                                                    // answers requests
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "api/api_keys.h"
#include "api/chat_request.h"
#include "api/completion_request.h"
#include "api/generation.h"
#include "api/heartbeat.h"
#include "api/metrics_http.h"
#include "api/prepare_pool.h"
#include "api/tokenize_request.h"
#include "chat/chat_format.h"
#include "glm5/types.h"
#include "http/router.h"
#include "text/tokenizer.h"

namespace glm5::api {

struct ServiceOptions {
    std::vector<std::string> model_names;  // at least one; the first is in the answers
    std::string root;                      // of /v1/models: where the model came from
    json::Object default_chat_template_kwargs;
    ReasoningField reasoning_field = ReasoningField::both;
    int num_prepare_threads = 2;
    std::string system_fingerprint;
    std::vector<std::string> api_keys;  // none: everybody may call
    bool metrics_require_key = false;
    bool priority_scheduling = false;  // requests may have a priority
};

struct ServedModel {
    text::Tokenizer tokenizer;
    std::optional<chat::ChatFormat> chat_format;  // none: /v1/chat/completions is refused
    ModelInfo info;
    EngineHandle engine;
};

// For http::ServerOptions::error_body.
http::Response http_error(int status, const std::string& message);

// The server that uses handler() must have ended before the service is destroyed.
class Service {
public:
    explicit Service(ServiceOptions options);

    http::Handler handler();
    // For http::ServerOptions::on_exchange_end and EngineOptions::on_step.
    void observe_exchange(const http::ExchangeEnd& end);
    void observe_step(const StepStats& step);

    // Any thread.
    void set_progress(int64_t loaded_bytes, int64_t total_bytes);
    void set_model(ServedModel model);  // once
    void set_draining();

private:
    enum class State { loading, ready, draining };
    // The identity of one request: what its body or X-Request-Id says, or a random text.
    struct Identity {
        std::string id;
        int64_t created = 0;
    };
    using Plan = std::variant<GenerationPlan, ApiError>;
    using Answer = std::variant<json::Value, ApiError>;
    using BodyTask =
        std::function<void(const http::ExchangePtr& exchange, const json::Value& body, Identity& identity)>;

    void add_routes();
    void add_model_routes();
    bool needs_key(const http::Request& request) const;
    // Runs `task` on the pool with the parsed body. Answers what is no JSON by itself, and what comes too early.
    void with_body(const http::ExchangePtr& exchange, BodyTask task);

    // Runs `prepare` on the pool with the body, and starts what it plans.
    void generate(const http::ExchangePtr& exchange,
                  Plan (Service::*prepare)(const json::Value& body, Identity& identity));
    Plan prepare_chat(const json::Value& body, Identity& identity);
    Plan prepare_completion(const json::Value& body, Identity& identity);
    // A plan without prompts.
    GenerationPlan make_plan(AnswerKind kind, const GenerationFields& fields, const Identity& identity);
    // The request for one prompt; without max_tokens it takes `default_max_tokens`, or what fits.
    std::variant<Request, ApiError> make_request(const GenerationFields& fields, std::vector<int32_t> prompt,
                                                 int64_t default_max_tokens) const;
    std::variant<std::vector<int32_t>, ApiError> tokens_of(CompletionPrompt& prompt) const;
    std::variant<chat::ChatPrompt, ApiError> render(const ConversationFields& conversation) const;

    // Runs `answer` on the pool with the body, and sends what it returns.
    void answer_body(const http::ExchangePtr& exchange, Answer (Service::*answer)(const json::Value& body));
    Answer tokenize(const json::Value& body);
    Answer detokenize(const json::Value& body);

    bool has_failed() const;  // the engine
    std::optional<ApiError> not_ready() const;
    std::optional<ApiError> check_model_name(const std::string& name) const;
    void warn_unknown(const std::vector<std::string>& fields);
    void health(const http::ExchangePtr& exchange) const;
    void liveness(const http::ExchangePtr& exchange);
    void readiness(const http::ExchangePtr& exchange) const;
    void list_models(const http::ExchangePtr& exchange) const;
    void show_model(const http::ExchangePtr& exchange) const;
    void show_load(const http::ExchangePtr& exchange) const;
    void show_loads(const http::ExchangePtr& exchange) const;
    json::Value model_card(const std::string& name) const;

    const ServiceOptions options_;
    const ApiKeys api_keys_;
    const int64_t start_time_s_;
    http::Router router_;
    std::atomic<State> state_ = State::loading;
    std::atomic<int64_t> loaded_bytes_ = 0, total_bytes_ = 0;
    std::unique_ptr<const ServedModel> model_;  // set before state_ is ready
    metrics::Registry registry_;
    std::unique_ptr<HttpMetrics> http_metrics_;
    std::unique_ptr<EngineMetrics> engine_metrics_;  // with model_
    std::atomic<int64_t> num_generations_ = 0;       // accepted and not yet answered
    Heartbeat heartbeat_;
    std::mutex warned_mutex_;
    std::set<std::string> warned_fields_;
    PreparePool pool_;  // the last: its threads use what is above
};

}  // namespace glm5::api
