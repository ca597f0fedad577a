// The client and whole benchmarks against a stub server whose times and failures are known.
#include "loadgen/client.h"

#include <gmock/gmock.h>

#include <mutex>

#include "stub_server.h"
#include "support.h"

namespace glm5::loadgen {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Outcome = RequestRecord::Outcome;
using std::chrono::microseconds;

constexpr double kSlack_s = 0.4;  // other programs run on this machine

std::string event(const std::string& data) {
    return http_chunk("data: " + data + "\n\n");
}

const std::string kStreamHead =
    http_head("200 OK", "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n");
const std::string kText = event(R"({"choices":[{"index":0,"text":"ab "}]})");
const std::string kUsage = event(R"({"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7}})");
const std::string kEnd = event("[DONE]") + http_chunk("");

using AnswerPtr = std::shared_ptr<const StubAnswer>;

AnswerPtr answer(std::vector<StubAnswer::Part> parts, bool close = false) {
    return std::make_shared<const StubAnswer>(StubAnswer{std::move(parts), close});
}

AnswerPtr at_once(const std::string& bytes, bool close = false) {
    return answer({{microseconds(0), bytes}}, close);
}

const AnswerPtr kGood = at_once(kStreamHead + kText + kText + kUsage + kEnd);
// The same without keeping the connection.
const AnswerPtr kGoodOnce = at_once(http_head("200 OK", "Connection: close\r\n") + "data: {\"choices\":[{}]}\n\n" +
                                        "data: {\"usage\":{\"completion_tokens\":7}}\n\ndata: [DONE]\n\n",
                                    true);
const AnswerPtr kNoMetrics = at_once(http_answer("404 Not Found", ""));

bool is_metrics(const std::string& request) {
    return request.starts_with("GET /metrics");
}

// Options for prompts of the custom file.
BenchmarkOptions options_for(const StubServer& server, int num_prompts) {
    BenchmarkOptions options;
    options.base_url = server.base_url();
    options.model = "m";
    options.num_prompts = num_prompts;
    options.dataset.kind = DatasetKind::custom;
    options.dataset.path = fixture_path("prompts.jsonl");
    options.request_id_prefix = "id-";
    return options;
}

BenchmarkResult run(const BenchmarkOptions& options, const text::Tokenizer* tokenizer = nullptr,
                    const Hooks& hooks = {}) {
    auto result = run_benchmark(options, tokenizer, hooks);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *std::move(result) : BenchmarkResult();
}

TEST(Client, MeasuresTheTimesOfAStream) {
    const AnswerPtr stream = answer({{microseconds(0), kStreamHead},
                                     {microseconds(100'000), http_chunk(": ping\n\n")},
                                     {microseconds(100'000), kText},
                                     {microseconds(300'000), kText + kText},
                                     {microseconds(200'000), kUsage},
                                     {microseconds(400'000), kEnd}});
    StubServer server([&](const std::string& request) { return is_metrics(request) ? kNoMetrics : stream; });
    const BenchmarkResult result = run(options_for(server, 1));
    ASSERT_EQ(result.completed, 1);
    const RequestRecord& record = result.records[0];
    EXPECT_NEAR(record.ttft_s, 0.2, kSlack_s);
    ASSERT_EQ(record.itls_s.size(), 2u);
    EXPECT_NEAR(record.itls_s[0], 0.3, kSlack_s);
    EXPECT_NEAR(record.itls_s[1], 0, kSlack_s);
    EXPECT_NEAR(record.latency_s, 0.5, kSlack_s);
    // Neither usage nor the end moves it.
    EXPECT_NEAR(record.latency_s, record.ttft_s + record.itls_s[0] + record.itls_s[1], 1e-6);
    EXPECT_GE(record.ttft_s, 0.2);
    EXPECT_GE(record.latency_s, 0.5);
    EXPECT_GE(result.duration_s, 1.1);
    EXPECT_NEAR(result.duration_s, 1.1, kSlack_s);
    EXPECT_EQ(record.input_tokens, 11);
    EXPECT_EQ(record.output_tokens, 7);
    EXPECT_EQ(record.text, "ab ab ab ");
    EXPECT_EQ(record.http_status, 200);
    EXPECT_NEAR(result.tpot.mean, 1000 * 0.3 / 6, 1000 * kSlack_s / 6);
}

TEST(Client, AStreamThatBreaksOffBehindItsEndSucceeds) {
    const AnswerPtr stream = at_once(kStreamHead + kText + kUsage + event("[DONE]"), true);
    StubServer server([&](const std::string& request) { return is_metrics(request) ? kNoMetrics : stream; });
    const BenchmarkResult result = run(options_for(server, 3));
    EXPECT_EQ(result.completed, 3);
    EXPECT_EQ(result.total_output_tokens, 21);
}

TEST(Client, CountsTokensOfTheTextWithoutUsage) {
    const AnswerPtr stream = at_once(kStreamHead + kText + kText + kEnd);
    StubServer server([&](const std::string&) { return stream; });
    EXPECT_EQ(run(options_for(server, 1)).total_output_tokens, 1);
    const BenchmarkResult result = run(options_for(server, 1), &nano_tokenizer());
    EXPECT_EQ(result.total_output_tokens, static_cast<int64_t>(nano_tokenizer().encode("ab ab ").size()));
    EXPECT_GT(result.total_input_tokens, 0);
}

TEST(Client, KeepsConnectionsAndTheConcurrency) {
    const AnswerPtr stream = answer({{microseconds(100'000), kStreamHead + kText + kUsage + kEnd}});
    StubServer server([&](const std::string& request) { return is_metrics(request) ? kNoMetrics : stream; });
    BenchmarkOptions options = options_for(server, 9);
    options.max_concurrency = 3;
    const BenchmarkResult result = run(options);
    EXPECT_EQ(result.completed, 9);
    EXPECT_EQ(result.max_concurrent_requests, 3);
    EXPECT_EQ(server.num_connections(), 3 + 2);  // two for the metrics
    EXPECT_GE(result.duration_s, 0.3);
    // The wait for a place is not in the latency.
    EXPECT_GE(result.records[8].queue_s, 0.2);
    EXPECT_GE(result.records[8].latency_s, 0.1);
    EXPECT_LE(result.records[8].latency_s, result.duration_s - 0.2);
    EXPECT_EQ(result.queue.count, 9u);
}

TEST(Client, SendsWhatWasAskedForInOrder) {
    StubServer server([](const std::string& request) { return is_metrics(request) ? kNoMetrics : kGood; });
    BenchmarkOptions options = options_for(server, 4);
    options.dataset.disable_shuffle = true;
    options.max_concurrency = 1;
    options.num_warmups = 2;
    options.api_key = "secret";
    run(options);
    std::vector<std::string> ids;
    for (const std::string& request : server.requests()) {
        EXPECT_THAT(request, HasSubstr("Authorization: Bearer secret\r\n"));
        const size_t at = request.find("x-request-id: ");
        if (at != std::string::npos) ids.push_back(request.substr(at + 14, request.find('\r', at) - at - 14));
    }
    EXPECT_THAT(ids, ElementsAre("id-warmup-0", "id-warmup-1", "id-0", "id-1", "id-2", "id-3"));
}

TEST(Client, LeavesAtTheTimesOfTheRate) {
    StubServer server([](const std::string& request) { return is_metrics(request) ? kNoMetrics : kGood; });
    BenchmarkOptions options = options_for(server, 10);
    options.request_rate = 20;
    const BenchmarkResult result = run(options);
    EXPECT_GE(result.records[9].start_s, 0.5);
    EXPECT_NEAR(result.records[9].start_s, 0.5, kSlack_s);
    for (size_t i = 1; i < 10; ++i) EXPECT_GE(result.records[i].start_s, result.records[i - 1].start_s);
}

TEST(Client, RampUpNotesTheRates) {
    StubServer server([](const std::string& request) { return is_metrics(request) ? kNoMetrics : kGood; });
    BenchmarkOptions options = options_for(server, 12);
    options.ramp_up = RampUp::linear;
    options.ramp_up_start_rps = 20;
    options.ramp_up_end_rps = 24;
    const BenchmarkResult result = run(options);
    std::vector<int> rates;
    for (const auto& [rps, time] : result.rps_changes) rates.push_back(rps);
    EXPECT_THAT(rates, ElementsAre(20, 21, 22, 23, 24));
    EXPECT_EQ(to_json(result, false).find("ramp_up_strategy")->as_string(), "linear");
}

struct Failure {
    AnswerPtr answer;
    std::string cause, error;
};

TEST(Client, FailuresAreCountedAndInNoFigure) {
    const std::vector<Failure> failures = {
        {at_once(http_answer("429 Too Many Requests", R"({"error":{"message":"queue is full"}})")), "HTTP 429",
         "HTTP 429 Too Many Requests: queue is full"},
        {at_once(http_answer("500 Internal Server Error", "")), "HTTP 500", "HTTP 500 Internal Server Error"},
        {at_once(http_answer("418 \x1b[31mred", "\x1b]0;title\x07")), "HTTP 418", "HTTP 418  [31mred:  ]0;title "},
        {nullptr, "connection closed", "the connection was closed without an answer"},
        {at_once("SSH-2.0\r\n\r\n"), "not understood", "the answer is not HTTP/1.1"},
        {at_once(kStreamHead + kText + kText, true), "connection closed in mid-stream",
         "the connection was closed in the middle of the answer"},
        {at_once(kStreamHead + kText + event(R"({"error":{"message":"device fault"}})") + kEnd), "error in the stream",
         "device fault"},
        {at_once(kStreamHead + kUsage + kEnd), "no message with choices came", "no message with choices came"},
        {at_once(kStreamHead + event("[DONE]"), true), "no message with choices came", "no message with choices came"},
        {at_once(kStreamHead + event("{")), "not understood", "a message of the stream is no JSON object: {"},
        {at_once(http_answer("200 OK", "{}")), "no message with choices came", "no message with choices came"},
    };
    for (const Failure& failure : failures) {
        int count = 0;
        StubServer server([&](const std::string& request) {
            return is_metrics(request) ? kNoMetrics : count++ % 2 == 1 ? failure.answer : kGoodOnce;
        });
        BenchmarkOptions options = options_for(server, 6);
        options.max_concurrency = 1;
        const BenchmarkResult result = run(options);
        EXPECT_EQ(result.completed, 3) << failure.error;
        EXPECT_EQ(result.failed, 3) << failure.error;
        EXPECT_EQ(result.total_output_tokens, 3 * 7);
        EXPECT_EQ(result.ttft.count, 3u);
        EXPECT_THAT(result.failure_causes, ElementsAre(std::pair(failure.cause, 3)));
        EXPECT_EQ(result.records[1].error, failure.error);
        EXPECT_EQ(result.records[1].outcome, Outcome::failed);
        EXPECT_THAT(to_table(result), AllOf(HasSubstr("Failed requests:                         3 "),
                                            HasSubstr(fmt::format("  3 × {}\n", failure.cause)),
                                            HasSubstr("Error 0 (request 1): " + failure.error)));
    }
}

TEST(Client, AServerThatIsNotThere) {
    uint16_t port = 0;
    {
        StubServer server([](const std::string&) { return kGood; });
        port = server.port();
    }
    BenchmarkOptions options;
    options.base_url = fmt::format("http://127.0.0.1:{}", port);
    options.model = "m";
    options.num_prompts = 3;
    options.dataset.kind = DatasetKind::custom;
    options.dataset.path = fixture_path("prompts.jsonl");
    const BenchmarkResult result = run(options);
    EXPECT_EQ(result.completed, 0);
    EXPECT_THAT(result.failure_causes, ElementsAre(std::pair("connection refused", 3)));
    EXPECT_EQ(result.records[0].error, "cannot connect: Connection refused");
    EXPECT_EQ(first_model(options).status().message(),
              fmt::format("127.0.0.1:{}: cannot connect: Connection refused", port));
    options.ready_check_timeout_s = 0.2;
    EXPECT_EQ(run_benchmark(options, nullptr).status().message(),
              fmt::format("127.0.0.1:{}: not ready after 0.2 s: cannot connect: Connection refused", port));
}

// A server may close a connection that it kept, at any time between two requests.
TEST(Client, SendsAgainOnAConnectionThatWasClosedBetween) {
    int count = 0;
    StubServer server([&](const std::string& request) -> AnswerPtr {
        if (is_metrics(request)) return kNoMetrics;
        return count++ == 1 ? nullptr : kGood;  // the second finds it closed
    });
    BenchmarkOptions options = options_for(server, 3);
    options.max_concurrency = 1;
    const BenchmarkResult result = run(options);
    EXPECT_EQ(result.completed, 3);
    EXPECT_EQ(result.failed, 0);
}

TEST(Client, WaitsForReadiness) {
    int count = 0;
    const AnswerPtr loading = at_once(http_answer("503 Service Unavailable", ""));
    StubServer server([&](const std::string& request) {
        return is_metrics(request) ? kNoMetrics : count++ < 2 ? loading : kGood;
    });
    BenchmarkOptions options = options_for(server, 2);
    options.ready_check_timeout_s = 30;
    EXPECT_EQ(run(options).completed, 2);
}

TEST(Client, InterruptedItShowsWhatWasMeasured) {
    int count = 0;
    const AnswerPtr endless = answer({{microseconds(0), kStreamHead + kText}, {std::chrono::hours(1), kEnd}});
    StubServer server([&](const std::string& request) {
        return is_metrics(request) ? kNoMetrics : count++ < 2 ? kGood : endless;
    });
    BenchmarkOptions options = options_for(server, 9);
    options.max_concurrency = 1;
    int finished = 0;
    const Hooks hooks{.on_progress = [&](const Progress& progress) { finished = progress.finished; },
                      .interrupted = [&] { return finished == 2; }};
    const BenchmarkResult result = run(options, nullptr, hooks);
    EXPECT_TRUE(result.interrupted);
    EXPECT_EQ(result.completed, 2);
    EXPECT_EQ(result.failed, 0);
    EXPECT_EQ(result.unfinished, 7);
    EXPECT_EQ(result.records[2].outcome, Outcome::interrupted);
    EXPECT_EQ(result.records[8].outcome, Outcome::unsent);
    EXPECT_THAT(to_table(result), HasSubstr("Interrupted: 2 of 9 requests had ended.\n"));
}

TEST(Client, ReadsTheCountersOfSpeculationAroundTheRun) {
    int scrapes = 0;
    StubServer server([&](const std::string& request) {
        if (!is_metrics(request)) return kGood;
        const int times = scrapes++ + 1;
        return at_once(http_answer("200 OK", fmt::format("vllm:spec_decode_num_drafts_total {}\n"
                                                         "vllm:spec_decode_num_draft_tokens_total {}\n"
                                                         "vllm:spec_decode_num_accepted_tokens_total {}\n",
                                                         100 * times, 300 * times, 150 * times)));
    });
    const BenchmarkResult result = run(options_for(server, 1));
    ASSERT_TRUE(result.speculation);
    EXPECT_EQ(result.speculation->num_drafts, 100);
    EXPECT_EQ(result.speculation->acceptance_rate(), 50);
    EXPECT_EQ(result.speculation->acceptance_length(), 2.5);
}

TEST(Client, AsksForTheFirstModel) {
    StubServer server([](const std::string& request) {
        EXPECT_TRUE(request.starts_with("GET /v1/models HTTP/1.1\r\n")) << request;
        return at_once(http_answer("200 OK", R"({"object":"list","data":[{"id":"glm5-nano"},{"id":"x"}]})"));
    });
    EXPECT_EQ(first_model(options_for(server, 1)).value(), "glm5-nano");
    StubServer empty([](const std::string&) { return at_once(http_answer("200 OK", R"({"data":[]})")); });
    EXPECT_THAT(first_model(options_for(empty, 1)).status().message(), HasSubstr("/v1/models names no model"));
    StubServer locked([](const std::string&) { return at_once(http_answer("401 Unauthorized", "")); });
    EXPECT_THAT(first_model(options_for(locked, 1)).status().message(), HasSubstr("/v1/models is answered 401"));
}

TEST(Client, ManyStreams) {
    std::vector<StubAnswer::Part> parts = {{microseconds(0), kStreamHead}};
    for (int i = 0; i < 10; ++i) parts.push_back({microseconds(20'000), kText});
    parts.push_back({microseconds(0), kUsage + kEnd});
    const AnswerPtr stream = answer(parts);
    StubServer server([&](const std::string& request) { return is_metrics(request) ? kNoMetrics : stream; });
    const BenchmarkResult result = run(options_for(server, 400));
    EXPECT_EQ(result.completed, 400);
    EXPECT_EQ(result.itl.count, 400u * 9);
    EXPECT_EQ(result.max_concurrent_requests, 400);
}

}  // namespace
}  // namespace glm5::loadgen
