// GET /metrics over the service with an engine whose events the test writes: which series exist, and what each kind of
// request adds to them.
#include <gtest/gtest.h>

#include "api/fakes.h"
#include "api/service.h"
#include "base/exposition_parser.h"

namespace glm5::api {
namespace {

using exposition::LabelMap;
using exposition::Page;
using std::chrono::milliseconds;

const TimePoint kStart = std::chrono::steady_clock::now();

class MetricsTest : public testing::Test {
protected:
    MetricsTest() : service_({.model_names = {"na\"no", "alias"}}) {}

    void load() {
        const std::string directory = GLM5_SOURCE_DIR "/models/glm5-nano";
        auto tokenizer = text::Tokenizer::load(directory + "/tokenizer.json");
        ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
        ModelInfo info;
        info.max_model_len = 1000;
        info.num_vocab_tokens = 4132;
        info.eos_token_ids = {4096};
        info.kv_cache_dtype = "fp8_ds_mla";
        engine_.stats.pages_total = 100;
        service_.set_model({std::move(*tokenizer), std::nullopt, info, engine_.handle()});
    }

    std::shared_ptr<FakeExchange> send(std::string method, std::string path, std::string body = "") {
        http::Request request;
        request.method = std::move(method);
        request.path = request.target = std::move(path);
        request.body = std::move(body);
        request.headers.add("Content-Type", "application/json");
        auto exchange = std::make_shared<FakeExchange>(std::move(request));
        service_.handler()(exchange);
        return exchange;
    }

    std::shared_ptr<FakeExchange> submit(const std::string& fields) {
        const int before = engine_.submitted;
        auto exchange = send("POST", "/v1/completions", R"({"prompt": [1, 2, 3, 4, 5])" + fields + "}");
        EXPECT_TRUE(exchange->run_until([&] { return engine_.submitted > before || exchange->ended; }));
        return exchange;
    }

    // Event of one token, `ms` after the start.
    void token(FakeExchange& exchange, int ms, FinishReason reason = FinishReason::none, int32_t id = 100) {
        engine_.sink(Event{.tokens = {id},
                           .finish_reason = reason,
                           .cached_prompt_tokens = 2,
                           .queued = kStart,
                           .scheduled = kStart + milliseconds(400),
                           .time = kStart + milliseconds(ms)});
        exchange.run_tasks();
    }

    Page page() {
        const auto exchange = send("GET", "/metrics");
        EXPECT_EQ(exchange->response.status, 200);
        EXPECT_EQ(exchange->response.content_type, "text/plain; version=0.0.4; charset=utf-8");
        return Page(exchange->response.body);
    }

    // Of a series of the engine.
    static double value(const Page& page, const std::string& name, LabelMap more = {}) {
        more.insert({{"model_name", "na\"no"}, {"engine", "0"}});
        return page.value(name, more);
    }
    static double count(const Page& page, const std::string& name) { return value(page, "vllm:" + name + "_count"); }
    static double sum(const Page& page, const std::string& name) { return value(page, "vllm:" + name + "_sum"); }
    static double ended(const Page& page, const std::string& reason) {
        return value(page, "vllm:request_success_total", {{"finished_reason", reason}});
    }

    Service service_;
    FakeEngine engine_;
};

constexpr const char* kRequestHistograms[] = {
    "request_time_per_output_token_seconds",
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_inference_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "request_prompt_tokens",
    "request_generation_tokens",
    "request_max_num_generation_tokens",
    "request_params_max_tokens",
    "request_params_n",
    "request_prefill_kv_computed_tokens",
};

TEST_F(MetricsTest, WhileLoadingThereAreServerAndProcess) {
    const Page loading = page();
    EXPECT_GT(loading.value("process_resident_memory_bytes"), 1 << 20);
    EXPECT_GT(loading.value("process_open_fds"), 2);
    EXPECT_GE(loading.value("process_max_fds"), loading.value("process_open_fds"));
    EXPECT_GE(loading.value("process_cpu_seconds_total"), 0);
    const double age = static_cast<double>(std::time(nullptr)) - loading.value("process_start_time_seconds");
    EXPECT_GT(age, -2);
    EXPECT_LT(age, 3600);
    EXPECT_FALSE(loading.families.contains("vllm:prompt_tokens_total"));
}

TEST_F(MetricsTest, EverySeriesIsThereAtZero) {
    load();
    const Page first = page();
    for (const char* name :
         {"prompt_tokens_total", "generation_tokens_total", "prompt_tokens_cached_total", "num_preemptions_total",
          "prefix_cache_queries_total", "prefix_cache_hits_total", "external_prefix_cache_queries_total",
          "external_prefix_cache_hits_total", "num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"})
        EXPECT_EQ(value(first, std::string("vllm:") + name), 0) << name;
    for (const char* name : kRequestHistograms) EXPECT_EQ(count(first, name), 0) << name;
    for (const char* name : {"time_to_first_token_seconds", "inter_token_latency_seconds", "iteration_tokens_total"})
        EXPECT_EQ(count(first, name), 0) << name;
    for (const char* reason : {"stop", "length", "abort", "error", "repetition"}) EXPECT_EQ(ended(first, reason), 0);
    for (const char* source : {"local_compute", "local_cache_hit", "external_kv_transfer"})
        EXPECT_EQ(value(first, "vllm:prompt_tokens_by_source_total", {{"source", source}}), 0);
    EXPECT_EQ(value(first, "vllm:engine_sleep_state", {{"sleep_state", "awake"}}), 1);
    EXPECT_EQ(value(first, "vllm:engine_sleep_state", {{"sleep_state", "discard_all"}}), 0);
    EXPECT_EQ(value(first, "vllm:cache_config_info",
                    {{"block_size", "64"},
                     {"cache_dtype", "fp8_ds_mla"},
                     {"num_gpu_blocks", "100"},
                     {"enable_prefix_caching", "True"}}),
              1);
    EXPECT_EQ(first.value("glm5:build_info", {{"version", GLM5_VERSION}, {"arch", "x86_64"}}), 1);
    EXPECT_EQ(
        first.value("http_requests_total", {{"handler", "/v1/completions"}, {"method", "POST"}, {"status", "5xx"}}), 0);
}

TEST_F(MetricsTest, BucketsAreThoseOfTheReference) {
    load();
    const Page first = page();
    auto bounds = [&](const std::string& family) {
        std::set<double> found;
        for (const auto& [labels, unused] : first.families.at(family).samples.at(family + "_bucket"))
            if (labels.at("le") != "+Inf") found.insert(std::stod(labels.at("le")));
        return found;
    };
    EXPECT_EQ(bounds("vllm:request_prompt_tokens"), (std::set<double>{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}));
    EXPECT_EQ(bounds("vllm:request_params_n"), (std::set<double>{1, 2, 5, 10, 20}));
    EXPECT_EQ(bounds("vllm:iteration_tokens_total"),
              (std::set<double>{1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384}));
    EXPECT_EQ(bounds("vllm:time_to_first_token_seconds"),
              (std::set<double>{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
                                1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560}));
    const std::set<double> tokens = {.001, .002, .003, .005, .0075, .01, .025, .05, .075, .1, .15, .2,
                                     .3,   .4,   .5,   .75,  1,     2.5, 5,    7.5, 10,   20, 40,  80};
    EXPECT_EQ(bounds("vllm:inter_token_latency_seconds"), tokens);
    EXPECT_EQ(bounds("vllm:request_time_per_output_token_seconds"), tokens);
    EXPECT_EQ(
        bounds("vllm:request_queue_time_seconds"),
        (std::set<double>{.3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680}));
    EXPECT_EQ(one_two_five_bounds(1), std::vector<double>{1});
    EXPECT_EQ(one_two_five_bounds(202'752).back(), 200'000);
    EXPECT_EQ(one_two_five_bounds(1'048'576).back(), 1'000'000);
}

TEST_F(MetricsTest, ARequestThatEndsIsInEveryHistogram) {
    load();
    const auto exchange = submit(R"(, "max_tokens": 3, "stream": true)");
    token(*exchange, 600);
    token(*exchange, 610);
    token(*exchange, 700, FinishReason::length);
    ASSERT_TRUE(exchange->ended);
    const Page after = page();
    EXPECT_EQ(value(after, "vllm:prompt_tokens_total"), 5);
    EXPECT_EQ(value(after, "vllm:generation_tokens_total"), 3);
    EXPECT_EQ(value(after, "vllm:prompt_tokens_cached_total"), 2);
    EXPECT_EQ(value(after, "vllm:prompt_tokens_by_source_total", {{"source", "local_compute"}}), 3);
    EXPECT_EQ(value(after, "vllm:prompt_tokens_by_source_total", {{"source", "local_cache_hit"}}), 2);
    EXPECT_EQ(ended(after, "length"), 1);
    EXPECT_EQ(ended(after, "stop"), 0);
    for (const char* name : kRequestHistograms) EXPECT_EQ(count(after, name), 1) << name;
    EXPECT_EQ(count(after, "time_to_first_token_seconds"), 1);
    EXPECT_EQ(count(after, "inter_token_latency_seconds"), 2);
    constexpr double kTiny = 1e-9;
    EXPECT_NEAR(sum(after, "inter_token_latency_seconds"), 0.1, kTiny);
    EXPECT_NEAR(sum(after, "request_time_per_output_token_seconds"), 0.05, kTiny);
    EXPECT_NEAR(sum(after, "request_queue_time_seconds"), 0.4, kTiny);
    EXPECT_NEAR(sum(after, "request_prefill_time_seconds"), 0.2, kTiny);
    EXPECT_NEAR(sum(after, "request_decode_time_seconds"), 0.1, kTiny);
    EXPECT_NEAR(sum(after, "request_inference_time_seconds"), 0.3, kTiny);
    EXPECT_GT(sum(after, "time_to_first_token_seconds"), 0);
    EXPECT_GE(sum(after, "e2e_request_latency_seconds"), sum(after, "time_to_first_token_seconds"));
    EXPECT_EQ(sum(after, "request_prompt_tokens"), 5);
    EXPECT_EQ(sum(after, "request_generation_tokens"), 3);
    EXPECT_EQ(sum(after, "request_max_num_generation_tokens"), 3);
    EXPECT_EQ(sum(after, "request_params_max_tokens"), 3);
    EXPECT_EQ(sum(after, "request_params_n"), 1);
    EXPECT_EQ(sum(after, "request_prefill_kv_computed_tokens"), 3);
}

TEST_F(MetricsTest, OneTokenHasNoTimePerToken) {
    load();
    token(*submit(R"(, "max_tokens": 1)"), 600, FinishReason::length);
    const Page after = page();
    EXPECT_EQ(count(after, "request_time_per_output_token_seconds"), 0);
    EXPECT_EQ(count(after, "inter_token_latency_seconds"), 0);
    EXPECT_EQ(count(after, "request_decode_time_seconds"), 1);
}

TEST_F(MetricsTest, AnOutputOfSeveralTokensIsOneLatency) {
    load();
    const auto exchange = submit("");
    token(*exchange, 600);
    engine_.sink(
        Event{.tokens = {100, 101, 102}, .finish_reason = FinishReason::length, .time = kStart + milliseconds(630)});
    exchange->run_tasks();
    const Page after = page();
    EXPECT_EQ(value(after, "vllm:generation_tokens_total"), 4);
    EXPECT_EQ(count(after, "inter_token_latency_seconds"), 1);
    EXPECT_NEAR(sum(after, "request_time_per_output_token_seconds"), 0.01, 1e-9);
}

TEST_F(MetricsTest, AStopStringCountsOnceAsStop) {
    load();
    const auto exchange = submit(R"(, "stop": ["a"], "max_tokens": 50)");
    auto tokenizer = text::Tokenizer::load(GLM5_SOURCE_DIR "/models/glm5-nano/tokenizer.json");
    token(*exchange, 600, FinishReason::none, tokenizer->encode("a")[0]);
    ASSERT_TRUE(exchange->ended);
    token(*exchange, 610);  // made before the engine heard of the end
    token(*exchange, 620, FinishReason::cancelled);
    const Page after = page();
    EXPECT_EQ(ended(after, "stop"), 1);
    EXPECT_EQ(ended(after, "abort"), 0);
    EXPECT_EQ(value(after, "vllm:generation_tokens_total"), 1);
    EXPECT_EQ(count(after, "e2e_request_latency_seconds"), 1);
}

TEST_F(MetricsTest, CancelledAndFailedRequestsAreInNoTime) {
    load();
    const auto left = submit(R"(, "stream": true)");
    token(*left, 600);
    left->gone = true;
    left->cancel_callback();
    token(*left, 610, FinishReason::cancelled);
    const auto failed = submit("");
    engine_.sink(Event{.finish_reason = FinishReason::error, .error = "fault"});
    failed->run_tasks();
    const auto stopped = submit("");
    engine_.sink(Event{.finish_reason = FinishReason::cancelled});
    stopped->run_tasks();
    const Page after = page();
    EXPECT_EQ(ended(after, "abort"), 2);
    EXPECT_EQ(ended(after, "error"), 1);
    EXPECT_EQ(value(after, "vllm:prompt_tokens_total"), 5);
    EXPECT_EQ(value(after, "vllm:generation_tokens_total"), 1);
    EXPECT_EQ(count(after, "time_to_first_token_seconds"), 1);
    for (const char* name : kRequestHistograms) EXPECT_EQ(count(after, name), 0) << name;
}

TEST_F(MetricsTest, AFullQueueIsCounted) {
    load();
    engine_.refusal = resource_exhausted("full");
    EXPECT_EQ(submit("")->response.status, 429);
    engine_.refusal = invalid_argument("bad");
    EXPECT_EQ(submit("")->response.status, 400);
    const Page after = page();
    EXPECT_EQ(value(after, "glm5:queue_rejected_total", {{"reason", "queue_full"}}), 1);
}

TEST_F(MetricsTest, SeveralChoicesAreOneRequest) {
    metrics::Registry registry;
    EngineMetrics metrics(registry, "na\"no", {.max_model_len = 1000}, [] { return EngineStats(); });
    Request request;
    request.prompt = {1, 2, 3};
    request.sampling.max_tokens = 9;
    request.num_choices = 3;
    RequestMetrics observer(metrics, request, kStart);
    auto event = [&](int choice, FinishReason reason) {
        observer.on_event({.choice = choice, .tokens = {7}, .finish_reason = reason, .cached_prompt_tokens = choice});
    };
    event(0, FinishReason::none);
    event(1, FinishReason::none);
    event(1, FinishReason::none);
    event(1, FinishReason::length);
    EXPECT_EQ(count(Page(registry.render()), "request_params_n"), 0);
    event(0, FinishReason::stop);
    event(0, FinishReason::none);  // none follows the last; it would not count
    observer.end_all(FinishReason::cancelled);
    const Page after(registry.render());
    EXPECT_EQ(value(after, "vllm:prompt_tokens_total"), 3);
    EXPECT_EQ(value(after, "vllm:generation_tokens_total"), 5);
    EXPECT_EQ(count(after, "time_to_first_token_seconds"), 2);
    EXPECT_EQ(ended(after, "stop") + ended(after, "length"), 2);
    EXPECT_EQ(ended(after, "abort"), 1);
    EXPECT_EQ(count(after, "request_generation_tokens"), 2);
    EXPECT_EQ(sum(after, "request_generation_tokens"), 5);
    EXPECT_EQ(count(after, "request_max_num_generation_tokens"), 1);
    EXPECT_EQ(sum(after, "request_max_num_generation_tokens"), 3);
    EXPECT_EQ(sum(after, "request_params_n"), 3);
}

TEST_F(MetricsTest, TheLoadIsThatOfTheEngine) {
    load();
    engine_.stats = {.running = 3,
                     .waiting = 7,
                     .deferred = 2,
                     .pages_used = 25,
                     .pages_cached = 15,
                     .pages_total = 100,
                     .prefix_query_tokens = 1000,
                     .prefix_hit_tokens = 640,
                     .preemptions = 4};
    const Page after = page();
    EXPECT_EQ(value(after, "vllm:num_requests_running"), 3);
    EXPECT_EQ(value(after, "vllm:num_requests_waiting"), 7);
    EXPECT_EQ(value(after, "vllm:num_requests_waiting_by_reason", {{"reason", "capacity"}}), 5);
    EXPECT_EQ(value(after, "vllm:num_requests_waiting_by_reason", {{"reason", "deferred"}}), 2);
    EXPECT_EQ(value(after, "vllm:kv_cache_usage_perc"), 0.25);
    EXPECT_EQ(value(after, "glm5:pages", {{"state", "free"}}), 60);
    EXPECT_EQ(value(after, "glm5:pages", {{"state", "active"}}), 25);
    EXPECT_EQ(value(after, "glm5:pages", {{"state", "cached"}}), 15);
    EXPECT_EQ(value(after, "vllm:prefix_cache_queries_total"), 1000);
    EXPECT_EQ(value(after, "vllm:prefix_cache_hits_total"), 640);
    EXPECT_EQ(value(after, "vllm:num_preemptions_total"), 4);
}

TEST_F(MetricsTest, StepsByWhatTheyCompute) {
    load();
    service_.observe_step({.seconds = 0.5, .prefill_tokens = 100});
    service_.observe_step({.seconds = 0.25, .decode_tokens = 8});
    service_.observe_step({.seconds = 0.125, .prefill_tokens = 30, .decode_tokens = 4});
    service_.observe_step({.seconds = 0.0625, .decode_tokens = 1});
    const Page after = page();
    EXPECT_EQ(value(after, "glm5:step_seconds_sum", {{"phase", "prefill"}}), 0.5);
    EXPECT_EQ(value(after, "glm5:step_seconds_sum", {{"phase", "decode"}}), 0.3125);
    EXPECT_EQ(value(after, "glm5:step_seconds_sum", {{"phase", "mixed"}}), 0.125);
    EXPECT_EQ(sum(after, "iteration_tokens_total"), 143);
    EXPECT_EQ(value(after, "vllm:iteration_tokens_total_bucket", {{"le", "8.0"}}), 2);
}

TEST_F(MetricsTest, RequestsByRouteAndStatus) {
    auto observe = [&](const char* method, const char* path, int status, bool slow = false) {
        http::Request request;
        request.method = method;
        request.path = path;
        service_.observe_exchange({request, status, milliseconds(250), slow});
    };
    auto requests = [](const Page& page, const char* handler, const char* method, const char* status) {
        return page.value("http_requests_total", {{"handler", handler}, {"method", method}, {"status", status}});
    };
    observe("POST", "/v1/completions", 200);
    observe("POST", "/v1/completions", 400);
    observe("POST", "/v1/completions", 503);
    observe("POST", "/v1/completions", 499);
    observe("POST", "/v1/completions", 499, true);
    observe("GET", "/v1/models/some/name", 404);
    observe("HEAD", "/v1/models", 200);
    observe("GET", "/nothing\n", 404);
    observe("BREW", "/v1/completions", 405);
    for (const char* path : {"/health", "/ping", "/metrics", "/version"}) observe("GET", path, 200);
    const Page after = page();
    EXPECT_EQ(requests(after, "/v1/completions", "POST", "2xx"), 1);
    EXPECT_EQ(requests(after, "/v1/completions", "POST", "4xx"), 3);
    EXPECT_EQ(requests(after, "/v1/completions", "POST", "5xx"), 1);
    EXPECT_EQ(requests(after, "/v1/models/*", "GET", "4xx"), 1);
    EXPECT_EQ(requests(after, "/v1/models", "GET", "2xx"), 1);
    EXPECT_EQ(requests(after, "none", "GET", "4xx"), 1);
    EXPECT_EQ(requests(after, "none", "other", "4xx"), 1);
    EXPECT_EQ(after.value("http_request_duration_seconds_sum", {{"handler", "/v1/completions"}, {"method", "POST"}}),
              1.25);
    EXPECT_EQ(after.value("glm5:client_aborts_total"), 1);
    EXPECT_EQ(after.value("glm5:slow_readers_dropped_total"), 1);
    double total = 0;
    for (const auto& [labels, count] : after.families.at("http_requests_total").samples.at("http_requests_total"))
        total += count;
    EXPECT_EQ(total, 9);  // those that watch the server are not counted
}

}  // namespace
}  // namespace glm5::api
