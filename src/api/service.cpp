// Routes, states, and the way of a body from JSON to a plan.
#include "api/service.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "base/log.h"
#include "json/parse.h"
#include "json/write.h"

namespace glm5::api {
namespace {

constexpr size_t kMaxWarnedFields = 256, kMaxRequestIdLength = 256;

int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string random_id() {
    static thread_local std::mt19937_64 generator{std::random_device{}()};
    return fmt::format("{:016x}{:016x}", generator(), generator());
}

bool is_json(std::string_view content_type) {
    std::string type(content_type.substr(0, content_type.find(';')));
    while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
    std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
    return type == "application/json";
}

void respond_json(const http::ExchangePtr& exchange, const json::Value& value) {
    exchange->respond({200, "application/json", json::write(value, {.compact = true}), {}});
}

}  // namespace

http::Response http_error(int status, const std::string& message) {
    return error_response({status, message, {}});
}

Service::Service(ServiceOptions options)
    : options_(std::move(options)), start_time_s_(now_s()), router_(http_error), pool_(options_.num_prepare_threads) {
    GLM5_CHECK(!options_.model_names.empty());
    add_routes();
    http_metrics_ = std::make_unique<HttpMetrics>(registry_, router_.routes());
    add_process_metrics(registry_);
    add_build_info(registry_);
}

http::Handler Service::handler() {
    return [this](const http::ExchangePtr& exchange) { router_.dispatch(exchange); };
}

void Service::observe_exchange(const http::ExchangeEnd& end) {
    http_metrics_->observe(router_.route_of(end.request.path), end);
}

void Service::observe_step(const StepStats& step) {
    engine_metrics_->observe_step(step);
}

void Service::add_routes() {
    for (const char* path : {"/v1/chat/completions", "/chat/completions"})
        router_.add("POST", path, [this](const auto& exchange) { generate(exchange, &Service::prepare_chat); });
    router_.add("POST", "/v1/completions",
                [this](const auto& exchange) { generate(exchange, &Service::prepare_completion); });
    router_.add("GET", "/v1/models", [this](const auto& exchange) { list_models(exchange); });
    router_.add("GET", "/v1/models/*", [this](const auto& exchange) { show_model(exchange); });
    for (const char* path : {"/health", "/ping"})
        router_.add("GET", path, [this](const auto& exchange) { health(exchange); });
    router_.add("GET", "/metrics", [this](const auto& exchange) {
        exchange->respond({200, std::string(metrics::kContentType), registry_.render(), {}});
    });
    router_.add("GET", "/version", [](const auto& exchange) {
        respond_json(exchange, json::Value::object({{"version", GLM5_VERSION}}));
    });
}

void Service::set_progress(int64_t loaded_bytes, int64_t total_bytes) {
    loaded_bytes_ = loaded_bytes;
    total_bytes_ = total_bytes;
}

void Service::set_model(ServedModel model) {
    model_ = std::make_unique<const ServedModel>(std::move(model));
    engine_metrics_ = std::make_unique<EngineMetrics>(registry_, options_.model_names[0], model_->info, model_->engine.stats);
    State loading = State::loading;
    state_.compare_exchange_strong(loading, State::ready);
}

void Service::set_draining() {
    state_ = State::draining;
}

std::optional<ApiError> Service::not_ready() const {
    switch (state_.load()) {
        case State::ready: return std::nullopt;
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

void Service::generate(const http::ExchangePtr& exchange, Plan (Service::*prepare)(const json::Value&, Identity&)) {
    const TimePoint arrival = std::chrono::steady_clock::now();
    Identity identity{random_id(), now_s()};
    const auto header = exchange->request().headers.find("X-Request-Id");
    if (header && http::is_header_token(*header, kMaxRequestIdLength)) identity.id = std::string(*header);
    auto refuse = [](const http::ExchangePtr& answered, const std::string& id, const ApiError& error) {
        answered->add_header("X-Request-Id", id);
        answered->respond(error_response(error));
    };
    const auto content_type = exchange->request().headers.find("Content-Type");
    if (!content_type || !is_json(*content_type))
        return refuse(exchange, identity.id, {415, "The Content-Type must be application/json.", {}});
    const auto encoding = exchange->request().headers.find("Content-Encoding");
    if (encoding && *encoding != "identity")
        return refuse(exchange, identity.id, {415, "The body must not have a Content-Encoding.", {}});
    if (const auto error = not_ready()) return refuse(exchange, identity.id, *error);

    pool_.run([this, exchange, prepare, refuse, identity, arrival]() mutable {
        if (exchange->cancelled()) return;
        const auto body = json::parse(exchange->request().body);
        Plan plan =
            body.ok()
                ? (this->*prepare)(*body, identity)
                : Plan(ApiError{400, fmt::format("The body is not valid JSON: {}.", body.status().message()), {}});
        if (const auto* error = std::get_if<ApiError>(&plan)) return refuse(exchange, identity.id, *error);
        exchange->add_header("X-Request-Id", identity.id);
        std::get<GenerationPlan>(plan).arrival = arrival;
        exchange->post([this, exchange, plan = std::move(std::get<GenerationPlan>(plan))]() mutable {
            Generation::start(exchange, model_->engine, model_->tokenizer, *engine_metrics_, std::move(plan));
        });
    });
}

Service::Plan Service::make_plan(AnswerKind kind, const GenerationFields& fields, std::vector<int32_t> prompt,
                                 int64_t default_max_tokens, const Identity& identity) {
    const int64_t context = model_->info.max_model_len;
    const auto prompt_tokens = static_cast<int64_t>(prompt.size());
    const int64_t room = context - prompt_tokens;
    const int64_t requested = fields.max_tokens.value_or(std::max<int64_t>(1, std::min(default_max_tokens, room)));
    if (requested > room)  // agents look for "maximum context length"
        return ApiError{
            400,
            fmt::format("This model's maximum context length is {} tokens. However, you requested {} output tokens and "
                        "your prompt contains {} input tokens, for a total of {} tokens. Please reduce the length of "
                        "the prompt or the number of requested output tokens.",
                        context, requested, prompt_tokens, prompt_tokens + std::min(requested, int64_t{1} << 40)),
            "input_tokens"};
    GenerationPlan plan;
    plan.head = {kind,
                 (kind == AnswerKind::chat ? "chatcmpl-" : "cmpl-") + identity.id,
                 identity.created,
                 fields.model.empty() ? options_.model_names[0] : fields.model,
                 options_.system_fingerprint,
                 options_.reasoning_field};
    plan.fields = fields;
    plan.request.prompt = std::move(prompt);
    plan.request.sampling = {.max_tokens = static_cast<int>(requested),
                             .ignore_eos = fields.ignore_eos,
                             .stop_token_ids = fields.stop_token_ids};
    if (!model_->info.eos_token_ids.empty()) plan.first_eos_token_id = model_->info.eos_token_ids[0];
    return plan;
}

Service::Plan Service::prepare_chat(const json::Value& body, Identity& identity) {
    auto parsed = parse_chat_request(body);
    if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
    ChatRequest& request = std::get<ChatRequest>(parsed);
    if (!request.fields.request_id.empty()) identity.id = request.fields.request_id;
    if (auto error = check_model_name(request.fields.model)) return std::move(*error);
    if (!model_->chat_format)
        return invalid_request("messages", "The model has no chat template; use /v1/completions.");
    warn_unknown(request.unknown_fields);

    chat::RenderOptions options;
    options.add_generation_prompt = request.add_generation_prompt;
    options.template_kwargs = options_.default_chat_template_kwargs;
    auto merge = [&](const json::Object& variables) {
        for (const auto& [name, value] : variables) options.template_kwargs.set(name, value);
    };
    if (!request.reasoning_effort.empty()) merge(model_->chat_format->effort_variables(request.reasoning_effort));
    merge(request.chat_template_kwargs);
    auto rendered = model_->chat_format->render(request.messages, request.tools, options);
    if (const auto* error = std::get_if<chat::MessageError>(&rendered))
        return ApiError{400, error->message, error->param};
    const chat::ChatPrompt& prompt = std::get<chat::ChatPrompt>(rendered);
    std::vector<int32_t> tokens = model_->tokenizer.encode(prompt.text);
    if (tokens.empty()) return invalid_request("messages", "The prompt has no tokens.");
    Plan plan = make_plan(AnswerKind::chat, request.fields, std::move(tokens), model_->info.max_model_len, identity);
    if (auto* generation = std::get_if<GenerationPlan>(&plan)) {
        generation->prompt_end = prompt.end;
        generation->include_reasoning = request.include_reasoning;
    }
    return plan;
}

Service::Plan Service::prepare_completion(const json::Value& body, Identity& identity) {
    constexpr int64_t kDefaultMaxTokens = 16;  // of the OpenAI API
    auto parsed = parse_completion_request(body);
    if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
    CompletionRequest& request = std::get<CompletionRequest>(parsed);
    if (!request.fields.request_id.empty()) identity.id = request.fields.request_id;
    if (auto error = check_model_name(request.fields.model)) return std::move(*error);
    warn_unknown(request.unknown_fields);
    std::vector<int32_t> prompt;
    if (const auto* text = std::get_if<std::string>(&request.prompt)) {
        prompt = model_->tokenizer.encode(*text);
        if (prompt.empty()) return invalid_request("prompt", "prompt has no tokens.");
    } else {
        prompt = std::move(std::get<std::vector<int32_t>>(request.prompt));
        for (const int32_t id : prompt)
            if (id >= model_->info.num_vocab_tokens)
                return invalid_request("prompt", "Token id {} is out of vocabulary.", id);
    }
    return make_plan(AnswerKind::completion, request.fields, std::move(prompt), kDefaultMaxTokens, identity);
}

void Service::warn_unknown(const std::vector<std::string>& fields) {
    for (const std::string& field : fields) {
        if (is_silently_ignored(field)) continue;
        const std::lock_guard lock(warned_mutex_);
        if (warned_fields_.size() < kMaxWarnedFields && warned_fields_.insert(field.substr(0, 64)).second)
            log_warning("Ignoring the unknown request field {}", field.substr(0, 64));
    }
}

}  // namespace glm5::api
