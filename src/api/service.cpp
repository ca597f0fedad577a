// Routes, keys and states.
#include "api/service.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/log.h"
#include "json/write.h"

namespace glm5::api {
namespace {

constexpr std::string_view kTextOnly = "This server serves text generation only.";

int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void respond_json(const http::ExchangePtr& exchange, const json::Value& value) {
    exchange->respond({200, "application/json", json::write(value, {.compact = true}), {}});
}

}  // namespace

http::Response http_error(int status, const std::string& message) {
    return error_response({status, message, {}});
}

Service::Service(ServiceOptions options)
    : options_(std::move(options)),
      api_keys_(options_.api_keys),
      start_time_s_(now_s()),
      router_(http_error),
      pool_(options_.num_prepare_threads) {
    GLM5_CHECK(!options_.model_names.empty());
    add_routes();
    http_metrics_ = std::make_unique<HttpMetrics>(registry_, router_.routes());
    add_process_metrics(registry_);
    add_build_info(registry_);
}

http::Handler Service::handler() {
    return [this](const http::ExchangePtr& exchange) {
        const http::Request& request = exchange->request();
        if (needs_key(request)) {
            if (const auto error = api_keys_.check(request.headers)) {
                exchange->add_header("WWW-Authenticate", "Bearer");
                return exchange->respond(error_response(*error));
            }
        }
        router_.dispatch(exchange);
    };
}

// Whoever watches the server has no key.
bool Service::needs_key(const http::Request& request) const {
    constexpr std::array<std::string_view, 4> kOpen = {"/health", "/livez", "/readyz", "/ping"};
    if (request.method == "OPTIONS") return false;
    if (request.path == "/metrics") return options_.metrics_require_key;
    return std::find(kOpen.begin(), kOpen.end(), request.path) == kOpen.end();
}

void Service::observe_exchange(const http::ExchangeEnd& end) {
    http_metrics_->observe(router_.route_of(end.request.path), end);
}

void Service::observe_step(const StepStats& step) {
    heartbeat_.beat();
    engine_metrics_->observe_step(step);
}

void Service::add_routes() {
    add_model_routes();
    for (const char* path : {"/health", "/ping"})
        router_.add("GET", path, [this](const auto& exchange) { health(exchange); });
    router_.add("GET", "/livez", [this](const auto& exchange) { liveness(exchange); });
    router_.add("GET", "/readyz", [this](const auto& exchange) { readiness(exchange); });
    router_.add("GET", "/load", [this](const auto& exchange) { show_load(exchange); });
    router_.add("GET", "/v1/loads", [this](const auto& exchange) { show_loads(exchange); });
    router_.add("GET", "/metrics", [this](const auto& exchange) {
        exchange->respond({200, std::string(metrics::kContentType), registry_.render(), {}});
    });
    router_.add("GET", "/version", [](const auto& exchange) {
        respond_json(exchange, json::Value::object({{"version", GLM5_VERSION}}));
    });
}

void Service::add_model_routes() {
    for (const char* path : {"/v1/chat/completions", "/chat/completions"})
        router_.add("POST", path, [this](const auto& exchange) { generate(exchange, &Service::prepare_chat); });
    router_.add("POST", "/v1/completions",
                [this](const auto& exchange) { generate(exchange, &Service::prepare_completion); });
    for (const char* path : {"/tokenize", "/v1/tokenize"})
        router_.add("POST", path, [this](const auto& exchange) { answer_body(exchange, &Service::tokenize); });
    for (const char* path : {"/detokenize", "/v1/detokenize"})
        router_.add("POST", path, [this](const auto& exchange) { answer_body(exchange, &Service::detokenize); });
    router_.add("GET", "/v1/models", [this](const auto& exchange) { list_models(exchange); });
    router_.add("GET", "/v1/models/*", [this](const auto& exchange) { show_model(exchange); });
    for (const char* path : {"/v1/embeddings", "/rerank", "/v1/rerank", "/v2/rerank", "/score", "/v1/score", "/pooling",
                             "/classify", "/v1/audio/*", "/v1/images/*"})
        router_.add("POST", path, [](const auto& exchange) {
            exchange->respond(error_response({404, std::string(kTextOnly), {}}));
        });
}

void Service::set_progress(int64_t loaded_bytes, int64_t total_bytes) {
    loaded_bytes_ = loaded_bytes;
    total_bytes_ = total_bytes;
}

void Service::set_model(ServedModel model) {
    model_ = std::make_unique<const ServedModel>(std::move(model));
    engine_metrics_ =
        std::make_unique<EngineMetrics>(registry_, options_.model_names[0], model_->info, model_->engine.stats);
    State loading = State::loading;
    state_.compare_exchange_strong(loading, State::ready);
}

void Service::set_draining() {
    state_ = State::draining;
}

bool Service::has_failed() const {
    return state_ != State::loading && model_ && model_->engine.stats().failed;
}

std::optional<ApiError> Service::not_ready() const {
    switch (state_.load()) {
        case State::ready: return has_failed() ? std::optional(engine_failed()) : std::nullopt;
        case State::draining: return ApiError{503, "The server is stopping.", {}, 1};
        case State::loading: break;
    }
    const int64_t total = total_bytes_;
    const std::string progress =
        total > 0 ? fmt::format(": {:.0f} %", 100.0 * static_cast<double>(loaded_bytes_) / static_cast<double>(total))
                  : "";
    return ApiError{503, fmt::format("Loading model{}.", progress), {}, 5};
}

void Service::health(const http::ExchangePtr& exchange) const {
    if (const auto error = not_ready()) return exchange->respond(error_response(*error));
    exchange->respond({200, "", "", {}});
}

// The process is to be started again when this fails. Loading is no failure.
void Service::liveness(const http::ExchangePtr& exchange) {
    if (has_failed()) return exchange->respond(error_response(engine_failed()));
    const bool loaded = state_ != State::loading && model_;
    const bool busy = loaded && model_->engine.stats().running > 0;
    if (heartbeat_.stalled(busy, std::chrono::steady_clock::now()))
        return exchange->respond(error_response({503, "The engine has ended no step for a long time.", {}}));
    exchange->respond({200, "", "", {}});
}

void Service::readiness(const http::ExchangePtr& exchange) const {
    const State state = state_;
    const bool failed = has_failed();
    const json::Value body = json::Value::object({{"status", failed                    ? "failed"
                                                             : state == State::ready   ? "ready"
                                                             : state == State::loading ? "loading"
                                                                                       : "draining"},
                                                  {"loaded_bytes", loaded_bytes_.load()},
                                                  {"total_bytes", total_bytes_.load()}});
    exchange->respond(
        {state == State::ready && !failed ? 200 : 503, "application/json", json::write(body, {.compact = true}), {}});
}

void Service::show_load(const http::ExchangePtr& exchange) const {
    respond_json(exchange, json::Value::object({{"server_load", num_generations_.load()}}));
}

void Service::show_loads(const http::ExchangePtr& exchange) const {
    if (const auto error = not_ready()) return exchange->respond(error_response(*error));
    const EngineStats stats = model_->engine.stats();
    const json::Value rank = json::Value::object({{"dp_rank", 0},
                                                  {"num_running_reqs", stats.running},
                                                  {"num_waiting_reqs", stats.waiting},
                                                  {"num_used_pages", stats.pages_used},
                                                  {"num_cached_pages", stats.pages_cached},
                                                  {"num_total_pages", stats.pages_total}});
    respond_json(exchange, json::Value::object(
                               {{"server_load", num_generations_.load()}, {"loads", json::Value::array({rank})}}));
}

json::Value Service::model_card(const std::string& name) const {
    return json::Value::object({{"id", name},
                                {"object", "model"},
                                {"created", start_time_s_},
                                {"owned_by", "glm5"},
                                {"root", options_.root},
                                {"parent", nullptr},
                                {"max_model_len", model_->info.max_model_len},
                                {"permission", json::Array()}});
}

void Service::list_models(const http::ExchangePtr& exchange) const {
    if (const auto error = not_ready()) return exchange->respond(error_response(*error));
    json::Array cards;
    for (const std::string& name : options_.model_names) cards.push_back(model_card(name));
    respond_json(exchange, json::Value::object({{"object", "list"}, {"data", std::move(cards)}}));
}

void Service::show_model(const http::ExchangePtr& exchange) const {
    if (const auto error = not_ready()) return exchange->respond(error_response(*error));
    const std::string name = exchange->request().path.substr(std::string_view("/v1/models/").size());
    if (const auto error = check_model_name(name)) return exchange->respond(error_response(*error));
    respond_json(exchange, model_card(name));
}

std::optional<ApiError> Service::check_model_name(const std::string& name) const {
    const auto& names = options_.model_names;
    if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) return std::nullopt;
    return ApiError{404, fmt::format("The model `{}` does not exist.", name.substr(0, 256)), "model"};
}

}  // namespace glm5::api
