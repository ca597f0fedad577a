// The way of a body from JSON to a plan.
#include <algorithm>
#include <random>

#include "api/service.h"
#include "base/log.h"
#include "json/parse.h"

namespace glm5::api {
namespace {

constexpr size_t kMaxWarnedFields = 256, kMaxRequestIdLength = 256;

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

}  // namespace

void Service::with_body(const http::ExchangePtr& exchange, BodyTask task) {
    const http::Headers& headers = exchange->request().headers;
    Identity identity{random_id(), std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())};
    const auto request_id = headers.find("X-Request-Id");
    if (request_id && http::is_header_token(*request_id, kMaxRequestIdLength)) identity.id = std::string(*request_id);
    auto refuse = [id = identity.id](const http::ExchangePtr& refused, const ApiError& error) {
        refused->add_header("X-Request-Id", id);
        refused->respond(error_response(error));
    };
    const auto content_type = headers.find("Content-Type");
    if (!content_type || !is_json(*content_type))
        return refuse(exchange, {415, "The Content-Type must be application/json.", {}});
    const auto encoding = headers.find("Content-Encoding");
    if (encoding && *encoding != "identity")
        return refuse(exchange, {415, "The body must not have a Content-Encoding.", {}});
    if (const auto error = not_ready()) return refuse(exchange, *error);
    pool_.run([exchange, refuse, task = std::move(task), identity = std::move(identity)]() mutable {
        if (exchange->cancelled()) return;
        const auto body = json::parse(exchange->request().body);
        if (!body.ok())
            return refuse(exchange, {400, fmt::format("The body is not valid JSON: {}.", body.status().message()), {}});
        task(exchange, *body, identity);
    });
}

void Service::generate(const http::ExchangePtr& exchange, Plan (Service::*prepare)(const json::Value&, Identity&)) {
    const TimePoint arrival = std::chrono::steady_clock::now();
    num_generations_.fetch_add(1);
    const std::shared_ptr<const void> ticket(this, [](Service* service) { service->num_generations_.fetch_sub(1); });
    with_body(exchange, [this, prepare, arrival, ticket](const auto& answered, const auto& body, Identity& identity) {
        Plan prepared = (this->*prepare)(body, identity);
        answered->add_header("X-Request-Id", identity.id);
        if (const auto* error = std::get_if<ApiError>(&prepared)) return answered->respond(error_response(*error));
        GenerationPlan& plan = std::get<GenerationPlan>(prepared);
        plan.arrival = arrival;
        plan.ticket = ticket;
        answered->post([this, answered, plan = std::move(plan)]() mutable {
            Generation::start(answered, model_->engine, model_->tokenizer, *engine_metrics_, std::move(plan));
        });
    });
}

GenerationPlan Service::make_plan(AnswerKind kind, const GenerationFields& fields, const Identity& identity) {
    GenerationPlan plan;
    plan.head = {kind,
                 (kind == AnswerKind::chat ? "chatcmpl-" : "cmpl-") + identity.id,
                 identity.created,
                 fields.model.empty() ? options_.model_names[0] : fields.model,
                 options_.system_fingerprint,
                 options_.reasoning_field};
    plan.fields = fields;
    if (!model_->info.eos_token_ids.empty()) plan.first_eos_token_id = model_->info.eos_token_ids[0];
    return plan;
}

std::variant<Request, ApiError> Service::make_request(const GenerationFields& fields, std::vector<int32_t> prompt,
                                                      int64_t default_max_tokens) const {
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
    if (fields.priority != 0 && !options_.priority_scheduling)
        return invalid_request("priority", "priority must be 0, not {}: this server does not schedule by priority.",
                               fields.priority);
    const ModelInfo& info = model_->info;
    auto sampling =
        resolve_sampling(fields.sampling, info.sampling_defaults, info.num_vocab_tokens, static_cast<int>(requested));
    if (auto* error = std::get_if<ApiError>(&sampling)) return std::move(*error);
    return Request{.prompt = std::move(prompt),
                   .sampling = std::move(std::get<Sampling>(sampling)),
                   .num_choices = static_cast<int>(fields.sampling.num_choices),
                   .priority = fields.priority};
}

std::variant<chat::ChatPrompt, ApiError> Service::render(const ConversationFields& conversation) const {
    if (!model_->chat_format)
        return invalid_request("messages", "The model has no chat template; use /v1/completions.");
    chat::RenderOptions options;
    options.add_generation_prompt = conversation.add_generation_prompt;
    options.template_kwargs = options_.default_chat_template_kwargs;
    auto merge = [&](const json::Object& variables) {
        for (const auto& [name, value] : variables) options.template_kwargs.set(name, value);
    };
    if (!conversation.reasoning_effort.empty())
        merge(model_->chat_format->effort_variables(conversation.reasoning_effort));
    merge(conversation.chat_template_kwargs);
    auto rendered = model_->chat_format->render(conversation.messages, conversation.tools, options);
    if (const auto* error = std::get_if<chat::MessageError>(&rendered))
        return ApiError{400, error->message, error->param};
    return std::move(std::get<chat::ChatPrompt>(rendered));
}

Service::Plan Service::prepare_chat(const json::Value& body, Identity& identity) {
    auto parsed = parse_chat_request(body);
    if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
    const ChatRequest& chat = std::get<ChatRequest>(parsed);
    if (!chat.fields.request_id.empty()) identity.id = chat.fields.request_id;
    if (auto error = check_model_name(chat.fields.model)) return std::move(*error);
    warn_unknown(chat.unknown_fields);
    auto rendered = render(chat.conversation);
    if (auto* error = std::get_if<ApiError>(&rendered)) return std::move(*error);
    const chat::ChatPrompt& prompt = std::get<chat::ChatPrompt>(rendered);
    std::vector<int32_t> tokens = model_->tokenizer.encode(prompt.text);
    if (tokens.empty()) return invalid_request("messages", "The prompt has no tokens.");
    auto request = make_request(chat.fields, std::move(tokens), model_->info.max_model_len);
    if (auto* error = std::get_if<ApiError>(&request)) return std::move(*error);
    GenerationPlan plan = make_plan(AnswerKind::chat, chat.fields, identity);
    plan.prompts.push_back({std::move(std::get<Request>(request)), ""});
    plan.prompt_end = prompt.end;
    plan.include_reasoning = chat.include_reasoning;
    return plan;
}

std::variant<std::vector<int32_t>, ApiError> Service::tokens_of(CompletionPrompt& prompt) const {
    if (const auto* text = std::get_if<std::string>(&prompt.content)) {
        std::vector<int32_t> tokens = model_->tokenizer.encode(*text);
        if (tokens.empty()) return invalid_request(prompt.path, "{} has no tokens.", prompt.path);
        return tokens;
    }
    auto& tokens = std::get<std::vector<int32_t>>(prompt.content);
    if (auto error = check_vocabulary(tokens, prompt.path, model_->info.num_vocab_tokens)) return std::move(*error);
    return tokens;
}

Service::Plan Service::prepare_completion(const json::Value& body, Identity& identity) {
    constexpr int64_t kDefaultMaxTokens = 16;  // of the OpenAI API
    auto parsed = parse_completion_request(body);
    if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
    CompletionRequest& completion = std::get<CompletionRequest>(parsed);
    if (!completion.fields.request_id.empty()) identity.id = completion.fields.request_id;
    if (auto error = check_model_name(completion.fields.model)) return std::move(*error);
    warn_unknown(completion.unknown_fields);
    GenerationPlan plan = make_plan(AnswerKind::completion, completion.fields, identity);
    for (CompletionPrompt& prompt : completion.prompts) {
        auto tokens = tokens_of(prompt);
        if (auto* error = std::get_if<ApiError>(&tokens)) return std::move(*error);
        std::vector<int32_t>& ids = std::get<std::vector<int32_t>>(tokens);
        std::string echo;
        if (completion.echo) {
            auto* text = std::get_if<std::string>(&prompt.content);
            echo = text ? std::move(*text) : model_->tokenizer.decode(ids, false);
        }
        auto request = make_request(completion.fields, std::move(ids), kDefaultMaxTokens);
        if (auto* error = std::get_if<ApiError>(&request)) return std::move(*error);
        plan.prompts.push_back({std::move(std::get<Request>(request)), std::move(echo)});
    }
    return plan;
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
