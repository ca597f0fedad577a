// glm5 serve: opens the port, loads the model, answers until a signal.
#include <atomic>
#include <cstdlib>

#include "api/service.h"
#include "base/log.h"
#include "http/server.h"
#include "memory_log.h"
#include "open_model.h"
#include "plan/table.h"
#include "stats_log.h"
#include "subcommands.h"

namespace glm5 {
namespace {

constexpr int kInterrupted = 130, kFailed = 1;

// For clients that still read what an engine that failed answered them.
constexpr std::chrono::seconds kFailureDrain{5};

api::ReasoningField reasoning_field(const std::string& name) {
    if (name == "reasoning") return api::ReasoningField::reasoning;
    if (name == "reasoning_content") return api::ReasoningField::reasoning_content;
    return api::ReasoningField::both;
}

// Version and a hash of what decides the answers.
std::string fingerprint(const cli::ServeOptions& options, const std::string& model_name) {
    uint32_t hash = 2166136261u;  // FNV-1a
    for (const std::string& part : {model_name, options.run.dtype, options.run.kv_cache_dtype, options.run.device})
        for (const char c : part + '\n') hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    return fmt::format("glm5-{}-{:08x}", GLM5_VERSION, hash);
}

void print_example(const std::string& host, uint16_t port) {
    const std::string reachable = host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host;
    fmt::print(
        "Try:\n  curl -s http://{}:{}/v1/chat/completions -H 'Content-Type: application/json' -d '{{\n"
        "    \"messages\": [{{\"role\": \"user\", \"content\": \"What is nginx-light?\"}}],\n"
        "    \"temperature\": 0,\n"
        "    \"chat_template_kwargs\": {{\"enable_thinking\": false}}\n  }}'\n",
        reachable, port);
    std::fflush(stdout);
}

// The sampling of requests that do not say.
SamplingDefaults sampling_defaults(const cli::ServeOptions& options, const SamplingDefaults& model) {
    SamplingDefaults defaults = options.use_generation_config ? model : SamplingDefaults();
    if (options.default_temperature) defaults.temperature = static_cast<float>(*options.default_temperature);
    if (options.default_top_p) defaults.top_p = static_cast<float>(*options.default_top_p);
    return defaults;
}

// First signal, or a failure of the engine: drain. Second signal: the process ends at once. While the model loads there is
// nothing to drain.
class SignalPolicy {
public:
    explicit SignalPolicy(std::chrono::seconds limit) : limit_(limit) {}

    void on_signal() {
        if (count_.fetch_add(1) > 0) std::_Exit(kInterrupted);
        http::Server* const server = server_;
        if (!server) std::_Exit(0);
        log_info("Stopping; a second signal ends the process at once");
        service_->set_draining();
        server->drain(limit_);
    }

    // Every request has been answered. The process is of no use any more, and whoever started it starts it again.
    void on_failure() {
        failed_ = true;
        if (http::Server* const server = server_) server->drain(kFailureDrain);
    }
    bool failed() const { return failed_; }

    // From here on signals drain.
    void arm(http::Server* server, api::Service* service) {
        service_ = service;
        server_ = server;
    }

private:
    const std::chrono::seconds limit_;
    std::atomic<int> count_ = 0;
    std::atomic<bool> failed_ = false;
    api::Service* service_ = nullptr;
    std::atomic<http::Server*> server_ = nullptr;
};

}  // namespace

int run_serve(const cli::ServeOptions& options) {
    auto files = open_model_files(options.model);
    if (!files.ok()) return report_error(files.status());
    http::raise_open_file_limit();

    api::ServiceOptions service_options;
    service_options.model_names = options.served_model_names;
    if (service_options.model_names.empty()) service_options.model_names = {files->resolved.name};
    service_options.root = files->resolved.name;
    service_options.default_chat_template_kwargs = options.default_chat_template_kwargs;
    service_options.reasoning_field = reasoning_field(options.reasoning_field);
    service_options.api_keys = options.api_keys;
    service_options.metrics_require_key = options.metrics_require_key;
    service_options.priority_scheduling = options.priority_scheduling;
    service_options.system_fingerprint = fingerprint(options, service_options.model_names[0]);
    api::Service service(std::move(service_options));

    SignalPolicy signals{std::chrono::seconds(options.shutdown_timeout_s)};
    http::ServerOptions server_options;
    server_options.host = options.host;
    server_options.port = options.port;
    server_options.handler = service.handler();
    server_options.error_body = api::http_error;
    server_options.on_signal = [&signals](int) { signals.on_signal(); };
    server_options.on_exchange_end = [&service](const http::ExchangeEnd& end) { service.observe_exchange(end); };
    server_options.access_log = options.access_log;
    server_options.max_connections = static_cast<size_t>(options.max_connections);
    auto server = http::Server::start(std::move(server_options));
    if (!server.ok()) return report_error(server.status());
    log_info("Starting glm5 server on http://{}:{}", options.host, (*server)->port());

    plan::Plan plan;
    auto engine = open_engine(
        *files, options.run,
        {.on_plan =
             [&](const plan::Plan& planned) {
                 plan = planned;
                 fmt::print("{}\n", plan_table(planned, false));
                 std::fflush(stdout);
             },
         .on_progress =
             [&](int64_t loaded_bytes, int64_t total_bytes) { service.set_progress(loaded_bytes, total_bytes); },
         .on_step = [&](const StepStats& step) { service.observe_step(step); },
         .on_failure = [&](const std::string&) { signals.on_failure(); }});
    if (!engine.ok()) return report_error(engine.status());
    Engine& running = **engine;
    signals.arm(server->get(), &service);
    ModelInfo info = running.info();
    info.sampling_defaults = sampling_defaults(options, info.sampling_defaults);
    service.set_model(
        {std::move(files->tokenizer),
         std::move(files->chat_format),
         std::move(info),
         {[&](Request request, EventSink sink) { return running.submit(std::move(request), std::move(sink)); },
          [&](RequestId id) { running.cancel(id); }, [&](RequestId id, int choice) { running.cancel(id, choice); },
          [&] { return running.stats(); }}});
    log_info("Application startup complete.");
    print_example(options.host, (*server)->port());

    StatsLog stats(running);
    while (!(*server)->wait_for(StatsLog::kInterval))
        if (options.log_stats) stats.write();
    log_most_taken(plan, running.stats().memory);
    engine->reset();  // before the server: its last events go through the server's queue
    server->reset();
    log_info("Stopped");
    return signals.failed() ? kFailed : 0;
}

}  // namespace glm5
