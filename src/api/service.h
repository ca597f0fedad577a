// Service: the routes of the API and what they need: the model, its tokenizer and template, the engine.
//
//   api::Service service(options);
//   http::Server::start({.handler = service.handler(), .error_body = api::http_error, …});  // answers 503
//   service.set_model(…);                                                                    // answers requests
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "api/chat_request.h"
#include "api/completion_request.h"
#include "api/generation.h"
#include "api/metrics_http.h"
#include "api/prepare_pool.h"
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
    // The identity of one request: what X-Request-Id says, or a random text.
    struct Identity {
        std::string id;
        int64_t created = 0;
    };
    using Plan = std::variant<GenerationPlan, ApiError>;

    void add_routes();
    // Runs `prepare` on the pool with the parsed body, and starts what it plans.
    void generate(const http::ExchangePtr& exchange,
                  Plan (Service::*prepare)(const json::Value& body, Identity& identity));
    Plan prepare_chat(const json::Value& body, Identity& identity);
    Plan prepare_completion(const json::Value& body, Identity& identity);
    Plan make_plan(AnswerKind kind, const GenerationFields& fields, std::vector<int32_t> prompt,
                   int64_t default_max_tokens, const Identity& identity);

    std::optional<ApiError> not_ready() const;
    std::optional<ApiError> check_model_name(const std::string& name) const;
    void warn_unknown(const std::vector<std::string>& fields);
    void health(const http::ExchangePtr& exchange) const;
    void list_models(const http::ExchangePtr& exchange) const;
    void show_model(const http::ExchangePtr& exchange) const;
    json::Value model_card(const std::string& name) const;

    const ServiceOptions options_;
    const int64_t start_time_s_;
    http::Router router_;
    std::atomic<State> state_ = State::loading;
    std::atomic<int64_t> loaded_bytes_ = 0, total_bytes_ = 0;
    std::unique_ptr<const ServedModel> model_;  // set before state_ is ready
    metrics::Registry registry_;
    std::unique_ptr<HttpMetrics> http_metrics_;
    std::unique_ptr<EngineMetrics> engine_metrics_;  // with model_
    std::mutex warned_mutex_;
    std::set<std::string> warned_fields_;
    PreparePool pool_;  // the last: its threads use what is above
};

}  // namespace glm5::api
