// The result as the file that `vllm bench serve --save-result` writes, and its name.
#include <algorithm>
#include <cmath>

#include "json/number.h"
#include "loadgen/benchmark.h"

namespace glm5::loadgen {
namespace {

void add_distribution(json::Object& out, std::string_view name, const Distribution& distribution) {
    out.set(fmt::format("mean_{}_ms", name), distribution.mean);
    out.set(fmt::format("median_{}_ms", name), distribution.median);
    out.set(fmt::format("std_{}_ms", name), distribution.std);
    for (const auto& [percentile, value] : distribution.percentiles)
        out.set(fmt::format("p{}_{}_ms", percentile, name), value);
}

template <typename Field>
json::Value list(const std::vector<RequestRecord>& records, const Field& field) {
    json::Array items;
    for (const RequestRecord& record : records) items.emplace_back(field(record));
    return items;
}

json::Value numbers(const std::vector<double>& values) {
    return json::Array(values.begin(), values.end());
}

void add_setting(json::Object& out, const BenchmarkResult& result) {
    const BenchmarkOptions& options = result.options;
    out.set("date", result.date);
    out.set("endpoint_type", options.backend);
    out.set("backend", options.backend);
    out.set("label", options.label.empty() ? json::Value() : json::Value(options.label));
    out.set("model_id", options.model_id.empty() ? options.model : options.model_id);
    out.set("tokenizer_id", options.tokenizer_id.empty() ? json::Value() : json::Value(options.tokenizer_id));
    out.set("num_prompts", options.num_prompts);
    for (const auto& [key, value] : options.metadata) out.set(key, value);
    out.set("request_rate", options.request_rate ? json::Value(*options.request_rate) : json::Value("inf"));
    out.set("burstiness", std::isinf(options.burstiness) ? json::Value("inf") : json::Value(options.burstiness));
    out.set("max_concurrency", options.max_concurrency ? json::Value(*options.max_concurrency) : json::Value());
    if (options.ramp_up == RampUp::none) return;
    out.set("ramp_up_strategy", options.ramp_up == RampUp::linear ? "linear" : "exponential");
    out.set("ramp_up_start_rps", options.ramp_up_start_rps);
    out.set("ramp_up_end_rps", options.ramp_up_end_rps);
}

void add_lists(json::Object& out, const std::vector<RequestRecord>& records) {
    out.set("input_lens", list(records, [](const auto& record) { return record.input_tokens; }));
    out.set("output_lens", list(records, [](const auto& record) {
                return record.outcome == RequestRecord::Outcome::succeeded ? record.output_tokens : 0;
            }));
    out.set("ttfts", list(records, [](const auto& record) { return record.ttft_s; }));
    out.set("itls", list(records, [](const auto& record) { return numbers(record.itls_s); }));
    out.set("latencies", list(records, [](const auto& record) { return record.latency_s; }));
    out.set("start_times", list(records, [](const auto& record) { return record.start_s; }));
    out.set("queue_times", list(records, [](const auto& record) { return record.queue_s; }));
    out.set("generated_texts", list(records, [](const auto& record) { return record.text; }));
    out.set("errors", list(records, [](const auto& record) { return record.error; }));
}

void add_speculation(json::Object& out, const SpeculationFigures& figures) {
    out.set("spec_decode_acceptance_rate", figures.acceptance_rate());
    out.set("spec_decode_acceptance_length", figures.acceptance_length());
    out.set("spec_decode_num_drafts", figures.num_drafts);
    out.set("spec_decode_draft_tokens", figures.draft_tokens);
    out.set("spec_decode_accepted_tokens", figures.accepted_tokens);
    out.set("spec_decode_per_position_acceptance_rates", numbers(figures.per_position_acceptance));
}

}  // namespace

json::Value to_json(const BenchmarkResult& result, bool detailed) {
    json::Object out;
    add_setting(out, result);
    out.set("duration", result.duration_s);
    out.set("completed", result.completed);
    out.set("failed", result.failed);
    out.set("total_input_tokens", result.total_input_tokens);
    out.set("total_output_tokens", result.total_output_tokens);
    out.set("request_throughput", result.request_throughput);
    out.set("request_goodput", result.request_goodput ? json::Value(*result.request_goodput) : json::Value());
    out.set("output_throughput", result.output_throughput);
    out.set("total_token_throughput", result.total_token_throughput);
    if (detailed) add_lists(out, result.records);
    out.set("max_output_tokens_per_s", result.max_output_tokens_per_s);
    out.set("max_concurrent_requests", result.max_concurrent_requests);
    out.set("rtfx", 0.0);
    if (!result.rps_changes.empty()) {
        json::Array changes;
        for (const auto& [rps, time] : result.rps_changes)
            changes.push_back(json::Value::object({{"rps", rps}, {"timestamp", time}}));
        out.set("rps_change_events", std::move(changes));
    }
    if (result.speculation) add_speculation(out, *result.speculation);
    for (const Metric metric : result.options.percentile_metrics)
        add_distribution(out, metric_name(metric), result.distribution(metric));
    if (result.options.max_concurrency) add_distribution(out, "client_queue_time", result.queue);
    if (result.interrupted) out.set("interrupted", true);
    if (result.unfinished > 0) out.set("unfinished", result.unfinished);
    if (!result.failure_causes.empty()) {
        json::Object causes;
        for (const auto& [cause, count] : result.failure_causes) causes.set(cause, count);
        out.set("failure_causes", std::move(causes));
    }
    return out;
}

std::string result_file_name(const BenchmarkResult& result) {
    const BenchmarkOptions& options = result.options;
    const std::string& model = options.model_id.empty() ? options.model : options.model_id;
    // As Python prints it: inf, 10.0.
    const std::string rate =
        options.ramp_up != RampUp::none
            ? fmt::format("ramp-up-{}-{}qps-{}qps", options.ramp_up == RampUp::linear ? "linear" : "exponential",
                          options.ramp_up_start_rps, options.ramp_up_end_rps)
            : fmt::format("{}qps", options.request_rate ? json::double_text(*options.request_rate) : "inf");
    std::string name =
        fmt::format("{}-{}{}-{}-{}.json", options.label.empty() ? options.backend : options.label, rate,
                    options.max_concurrency ? fmt::format("-concurrency{}", *options.max_concurrency) : "",
                    model.substr(model.rfind('/') + 1), result.date);
    std::ranges::replace(name, '/', '-');  // of a label
    return name;
}

}  // namespace glm5::loadgen
