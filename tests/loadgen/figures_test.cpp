// Figures, table and result file against numpy and Python's formatting; the counters of speculative decoding.
#include "loadgen/figures.h"

#include <gmock/gmock.h>

#include "json/write.h"
#include "support.h"

namespace glm5::loadgen {
namespace {

using ::testing::ElementsAre;
using Outcome = RequestRecord::Outcome;

BenchmarkResult result_of_fixture(const json::Value& fixture) {
    BenchmarkResult result;
    BenchmarkOptions& options = result.options;
    options.model = "org/glm5-nano";
    options.tokenizer_id = "nano";
    options.num_prompts = 40;
    options.request_rate = 3.5;
    options.max_concurrency = 16;
    options.percentile_metrics = {Metric::ttft, Metric::tpot, Metric::itl, Metric::e2el};
    options.percentiles = {50, 99, 99.9};
    options.metadata = {{"gpu", "none"}};
    const json::Value& goodput = *fixture.find("goodput");
    for (const Metric metric : {Metric::ttft, Metric::tpot, Metric::e2el})
        options.goodput_ms.emplace_back(metric, number(goodput, metric_name(metric)));
    result.date = "20260102-030405";
    result.duration_s = number(*fixture.find("figures"), "duration");
    for (const json::Value& row : fixture.find("records")->as_array()) {
        RequestRecord record;
        record.outcome = row.find("ok")->as_bool() ? Outcome::succeeded : Outcome::failed;
        record.start_s = number(row, "start");
        record.queue_s = number(row, "queue");
        record.ttft_s = number(row, "ttft");
        record.latency_s = number(row, "latency");
        for (const json::Value& gap : row.find("itls")->as_array()) record.itls_s.push_back(gap.to_double().value());
        record.input_tokens = integer(row, "input_tokens");
        record.output_tokens = integer(row, "output_tokens");
        record.cause = record.error = row.find("error")->as_string();
        result.records.push_back(std::move(record));
    }
    result.speculation = SpeculationFigures{300, 900, 450, {0.8, 0.5, 0.2}};
    fill_figures(result);
    return result;
}

TEST(Figures, AreThoseOfNumpy) {
    const json::Value fixture = read_fixture("figures.json");
    const json::Value found = to_json(result_of_fixture(fixture), false);
    for (const auto& [key, expected] : fixture.find("figures")->as_object()) {
        ASSERT_NE(found.find(key), nullptr) << key;
        const double value = expected.to_double().value();
        EXPECT_NEAR(found.find(key)->to_double().value(), value, 1e-9 * std::max(1.0, value)) << key;
    }
}

TEST(Figures, TheTableOfTheOtherTool) {
    const json::Value fixture = read_fixture("figures.json");
    const std::string table = to_table(result_of_fixture(fixture));
    const std::string& expected = fixture.find("table")->as_string();
    EXPECT_EQ(table.substr(0, expected.size()), expected);
    // Behind it, what failed.
    EXPECT_EQ(table.substr(expected.size(), 42), "Failed requests, which are in no figure:\n ");
    EXPECT_NE(table.find("Error 0 (request 4): "), std::string::npos);
}

TEST(Figures, TheKeysOfTheOtherToolInItsOrder) {
    const json::Value found = to_json(result_of_fixture(read_fixture("figures.json")), true);
    std::vector<std::string> keys;
    for (const auto& [key, value] : found.as_object()) keys.push_back(key);
    keys.resize(43);
    EXPECT_THAT(
        keys, ElementsAre("date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id", "num_prompts", "gpu",
                          "request_rate", "burstiness", "max_concurrency", "duration", "completed", "failed",
                          "total_input_tokens", "total_output_tokens", "request_throughput", "request_goodput",
                          "output_throughput", "total_token_throughput", "input_lens", "output_lens", "ttfts", "itls",
                          "latencies", "start_times", "queue_times", "generated_texts", "errors",
                          "max_output_tokens_per_s", "max_concurrent_requests", "rtfx", "spec_decode_acceptance_rate",
                          "spec_decode_acceptance_length", "spec_decode_num_drafts", "spec_decode_draft_tokens",
                          "spec_decode_accepted_tokens", "spec_decode_per_position_acceptance_rates", "mean_ttft_ms",
                          "median_ttft_ms", "std_ttft_ms", "p50_ttft_ms", "p99_ttft_ms"));
    EXPECT_EQ(found.find("errors")->as_array()[0].as_string(), "");
    EXPECT_EQ(found.find("itls")->as_array().size(), 40u);
    EXPECT_EQ(found.find("output_lens")->as_array()[4], json::Value(0));  // it failed
}

TEST(Figures, FileNames) {
    BenchmarkResult result;
    result.options.model = "zai-org/GLM-5-FP8";
    result.date = "20260102-030405";
    EXPECT_EQ(result_file_name(result), "openai-infqps-GLM-5-FP8-20260102-030405.json");
    result.options.request_rate = 10;
    result.options.max_concurrency = 64;
    result.options.label = "a/b";
    EXPECT_EQ(result_file_name(result), "a-b-10.0qps-concurrency64-GLM-5-FP8-20260102-030405.json");
}

TEST(Figures, NothingSucceeded) {
    BenchmarkResult result;
    result.records.resize(3);
    result.records[0].outcome = Outcome::failed;
    result.records[0].cause = "connection refused";
    fill_figures(result);
    EXPECT_EQ(result.failed, 1);
    EXPECT_EQ(result.unfinished, 2);
    EXPECT_EQ(result.output_throughput, 0);
    EXPECT_THAT(result.failure_causes, ElementsAre(std::pair("connection refused", 1)));
    EXPECT_EQ(result.ttft.percentiles[0].second, 0);
    const json::Value found = to_json(result, false);
    EXPECT_EQ(found.find("request_rate")->as_string(), "inf");
    EXPECT_TRUE(found.find("request_goodput")->is_null());
    EXPECT_EQ(integer(found, "unfinished"), 2);
}

TEST(Speculation, CountersOfAllEngines) {
    const auto counters = read_speculation(
        "# HELP vllm:spec_decode_num_drafts_total Number of spec decoding drafts.\n"
        "vllm:num_requests_running{engine=\"0\"} 3.0\n"
        "vllm:spec_decode_num_drafts_total{engine=\"0\",model_name=\"a b\"} 100.0\n"
        "vllm:spec_decode_num_drafts_total{engine=\"1\",model_name=\"a b\"} 50\n"
        "vllm:spec_decode_num_drafts_created{engine=\"1\",model_name=\"a b\"} 1.7e9\n"
        "vllm:spec_decode_num_draft_tokens_total 450\n"
        "vllm:spec_decode_num_accepted_tokens_total{engine=\"0\"} 2.1e+02\n"
        "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"1\"} 60\n"
        "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"0\"} 120\n"
        "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"-7\"} 1\n"
        "vllm:spec_decode_num_drafts_total{engine=\"2\"} NaN\n"
        "vllm:spec_decode_num_drafts_total{\n");
    ASSERT_TRUE(counters);
    EXPECT_EQ(counters->num_drafts, 150);
    EXPECT_EQ(counters->draft_tokens, 450);
    EXPECT_EQ(counters->accepted_tokens, 210);
    EXPECT_THAT(counters->accepted_per_position, ElementsAre(120, 60));
    const auto figures = speculation_between(SpeculationCounters{}, counters);
    ASSERT_TRUE(figures);
    EXPECT_DOUBLE_EQ(figures->acceptance_rate(), 100.0 * 210 / 450);
    EXPECT_DOUBLE_EQ(figures->acceptance_length(), 1 + 210.0 / 150);
    EXPECT_THAT(figures->per_position_acceptance, ElementsAre(0.8, 0.4));
    EXPECT_FALSE(speculation_between(counters, counters));
    EXPECT_FALSE(read_speculation("vllm:num_requests_running 3\n"));
}

}  // namespace
}  // namespace glm5::loadgen
