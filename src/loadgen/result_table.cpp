// The result as the table that `vllm bench serve` prints, row by row the same; causes of failures come behind it.
#include <algorithm>
#include <concepts>

#include "loadgen/benchmark.h"

namespace glm5::loadgen {
namespace {

constexpr size_t kWidth = 50, kMostErrors = 10;

std::string header(std::string_view title, char fill) {
    const size_t spare = kWidth - std::min(kWidth, title.size());
    return fmt::format("{}{}{}\n", std::string(spare / 2, fill), title, std::string(spare - spare / 2, fill));
}

std::string row(std::string_view name, std::integral auto value) {
    return fmt::format("{:<40} {:<10}\n", name, value);
}

std::string row(std::string_view name, double value) {
    return fmt::format("{:<40} {:<10.2f}\n", name, value);
}

std::string rows(std::string_view name, std::string_view title, const Distribution& distribution) {
    std::string text = header(title, '-');
    text += row(fmt::format("Mean {} (ms):", name), distribution.mean);
    text += row(fmt::format("Median {} (ms):", name), distribution.median);
    for (const auto& [percentile, value] : distribution.percentiles)
        text += row(fmt::format("P{} {} (ms):", percentile, name), value);
    return text;
}

std::string totals(const BenchmarkResult& result) {
    const BenchmarkOptions& options = result.options;
    std::string text = row("Successful requests:", result.completed) + row("Failed requests:", result.failed);
    if (result.unfinished > 0) text += row("Unfinished requests:", result.unfinished);
    if (options.max_concurrency) text += row("Maximum request concurrency:", *options.max_concurrency);
    if (options.request_rate) text += row("Request rate configured (RPS):", *options.request_rate);
    text += row("Benchmark duration (s):", result.duration_s);
    text += row("Total input tokens:", result.total_input_tokens);
    text += row("Total generated tokens:", result.total_output_tokens);
    text += row("Request throughput (req/s):", result.request_throughput);
    if (result.request_goodput) text += row("Request goodput (req/s):", *result.request_goodput);
    text += row("Output token throughput (tok/s):", result.output_throughput);
    text += row("Peak output token throughput (tok/s):", result.max_output_tokens_per_s);
    text += row("Peak concurrent requests:", static_cast<double>(result.max_concurrent_requests));
    text += row("Total token throughput (tok/s):", result.total_token_throughput);
    return text;
}

std::string distributions(const BenchmarkResult& result) {
    struct Section {
        Metric metric;
        std::string_view name, title;
    };
    constexpr Section kSections[] = {{Metric::ttft, "TTFT", "Time to First Token"},
                                     {Metric::tpot, "TPOT", "Time per Output Token (excl. 1st token)"},
                                     {Metric::itl, "ITL", "Inter-token Latency"},
                                     {Metric::e2el, "E2EL", "End-to-end Latency"}};
    std::string text;
    for (const auto& [metric, name, title] : kSections)
        for (const Metric chosen : result.options.percentile_metrics)
            if (chosen == metric) text += rows(name, title, result.distribution(metric));
    if (result.options.max_concurrency) text += rows("Client Queue Time", "Client-side Queueing", result.queue);
    return text;
}

std::string speculation(const SpeculationFigures& figures) {
    std::string text = header("Speculative Decoding", '-');
    text += row("Acceptance rate (%):", figures.acceptance_rate());
    text += row("Acceptance length:", figures.acceptance_length());
    text += row("Drafts:", figures.num_drafts);
    text += row("Draft tokens:", figures.draft_tokens);
    text += row("Accepted tokens:", figures.accepted_tokens);
    if (!figures.per_position_acceptance.empty()) text += "Per-position acceptance (%):\n";
    for (size_t i = 0; i < figures.per_position_acceptance.size(); ++i)
        text += row(fmt::format("  Position {}:", i), 100 * figures.per_position_acceptance[i]);
    return text;
}

// How many failed for which cause, and the first errors.
std::string failures(const BenchmarkResult& result) {
    if (result.failure_causes.empty()) return "";
    std::string text = "Failed requests, which are in no figure:\n";
    for (const auto& [cause, count] : result.failure_causes) text += fmt::format("  {} × {}\n", count, cause);
    size_t shown = 0;
    for (size_t i = 0; i < result.records.size() && shown < kMostErrors; ++i) {
        const RequestRecord& record = result.records[i];
        if (record.outcome != RequestRecord::Outcome::failed) continue;
        text += fmt::format("Error {} (request {}): {}\n", shown++, i, record.error);
    }
    return text;
}

}  // namespace

std::string to_table(const BenchmarkResult& result) {
    std::string text = header(" Serving Benchmark Result ", '=') + totals(result) + distributions(result);
    if (result.speculation) text += speculation(*result.speculation);
    text += std::string(kWidth, '=') + "\n";
    text += failures(result);
    if (result.interrupted)
        text += fmt::format("Interrupted: {} of {} requests had ended.\n", result.completed + result.failed,
                            result.records.size());
    return text;
}

}  // namespace glm5::loadgen
