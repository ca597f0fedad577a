// Sums, distributions and peaks.
#include "loadgen/figures.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace glm5::loadgen {
namespace {

using Outcome = RequestRecord::Outcome;

// `sorted` is not empty; 0 ≤ percentile ≤ 100.
double percentile_of(const std::vector<double>& sorted, double percentile) {
    const double position = percentile / 100 * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(position);
    const double low = sorted[below], high = sorted[std::min(below + 1, sorted.size() - 1)];
    const double part = position - static_cast<double>(below);
    return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}

// Zero for one token: there is no time between tokens.
double tpot_of(const RequestRecord& record) {
    if (record.output_tokens < 2) return 0;
    return (record.latency_s - record.ttft_s) / static_cast<double>(record.output_tokens - 1);
}

bool is_good(const RequestRecord& record, const std::vector<std::pair<Metric, double>>& limits_ms) {
    return std::ranges::all_of(limits_ms, [&](const auto& limit) {
        const double value = limit.first == Metric::ttft   ? record.ttft_s
                             : limit.first == Metric::tpot ? tpot_of(record)
                                                           : record.latency_s;
        return value <= limit.second / 1000;
    });
}

// The largest number of messages in one of the seconds since the first start.
double peak_messages(const std::vector<const RequestRecord*>& records) {
    double first_start = std::numeric_limits<double>::infinity();
    for (const RequestRecord* record : records) first_start = std::min(first_start, record->start_s);
    std::map<int64_t, int64_t> seconds;
    for (const RequestRecord* record : records) {
        double time = record->start_s + record->ttft_s;
        ++seconds[static_cast<int64_t>(time - first_start)];
        for (const double gap : record->itls_s) ++seconds[static_cast<int64_t>((time += gap) - first_start)];
    }
    int64_t peak = 0;
    for (const auto& [second, count] : seconds) peak = std::max(peak, count);
    return static_cast<double>(peak);
}

// The largest number of requests at one time; one that ends when another starts does not meet it.
int peak_concurrency(const std::vector<const RequestRecord*>& records) {
    std::vector<std::pair<double, int>> changes;
    for (const RequestRecord* record : records) {
        changes.emplace_back(record->start_s, 1);
        changes.emplace_back(record->start_s + record->latency_s, -1);
    }
    std::ranges::sort(changes);
    int running = 0, peak = 0;
    for (const auto& [time, change] : changes) peak = std::max(peak, running += change);
    return peak;
}

std::vector<std::pair<std::string, int>> causes(const std::vector<RequestRecord>& records) {
    std::map<std::string, int> counts;
    for (const RequestRecord& record : records)
        if (record.outcome == Outcome::failed) ++counts[record.cause];
    std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
    std::ranges::stable_sort(sorted, std::greater<>(), [](const auto& cause) { return cause.second; });
    return sorted;
}

void fill_distributions(BenchmarkResult& result, const std::vector<const RequestRecord*>& succeeded) {
    std::vector<double> ttft, tpot, itl, e2el, queue;
    for (const RequestRecord* record : succeeded) {
        ttft.push_back(record->ttft_s);
        if (record->output_tokens > 1) tpot.push_back(tpot_of(*record));
        itl.insert(itl.end(), record->itls_s.begin(), record->itls_s.end());
        e2el.push_back(record->latency_s);
        queue.push_back(record->queue_s);
    }
    const std::vector<double>& percentiles = result.options.percentiles;
    result.ttft = make_distribution(std::move(ttft), percentiles);
    result.tpot = make_distribution(std::move(tpot), percentiles);
    result.itl = make_distribution(std::move(itl), percentiles);
    result.e2el = make_distribution(std::move(e2el), percentiles);
    result.queue = make_distribution(std::move(queue), percentiles);
}

}  // namespace

Distribution make_distribution(std::vector<double> samples_s, const std::vector<double>& percentiles) {
    Distribution distribution;
    distribution.count = samples_s.size();
    for (const double percentile : percentiles) distribution.percentiles.emplace_back(percentile, 0.0);
    if (samples_s.empty()) return distribution;
    std::ranges::sort(samples_s);
    const auto count = static_cast<double>(samples_s.size());
    const double mean = std::accumulate(samples_s.begin(), samples_s.end(), 0.0) / count;
    double squares = 0;
    for (const double sample : samples_s) squares += (sample - mean) * (sample - mean);
    distribution.mean = 1000 * mean;
    distribution.std = 1000 * std::sqrt(squares / count);
    distribution.median = 1000 * percentile_of(samples_s, 50);
    for (auto& [percentile, value] : distribution.percentiles) value = 1000 * percentile_of(samples_s, percentile);
    return distribution;
}

void fill_figures(BenchmarkResult& result) {
    std::vector<const RequestRecord*> succeeded;
    for (const RequestRecord& record : result.records) {
        if (record.outcome == Outcome::succeeded) succeeded.push_back(&record);
        result.failed += record.outcome == Outcome::failed;
        result.unfinished += record.outcome == Outcome::unsent || record.outcome == Outcome::interrupted;
    }
    result.failure_causes = causes(result.records);
    result.completed = static_cast<int>(succeeded.size());
    int good = 0;
    for (const RequestRecord* record : succeeded) {
        result.total_input_tokens += record->input_tokens;
        result.total_output_tokens += record->output_tokens;
        good += is_good(*record, result.options.goodput_ms);
    }
    const auto per_second = [&](double count) { return result.duration_s > 0 ? count / result.duration_s : 0.0; };
    result.request_throughput = per_second(result.completed);
    result.output_throughput = per_second(static_cast<double>(result.total_output_tokens));
    result.total_token_throughput =
        per_second(static_cast<double>(result.total_input_tokens + result.total_output_tokens));
    if (!result.options.goodput_ms.empty()) result.request_goodput = per_second(good);
    result.max_output_tokens_per_s = peak_messages(succeeded);
    result.max_concurrent_requests = peak_concurrency(succeeded);
    fill_distributions(result, succeeded);
}

const Distribution& BenchmarkResult::distribution(Metric metric) const {
    switch (metric) {
        case Metric::ttft: return ttft;
        case Metric::tpot: return tpot;
        case Metric::itl: return itl;
        case Metric::e2el: break;
    }
    return e2el;
}

std::string_view metric_name(Metric metric) {
    constexpr std::string_view kNames[] = {"ttft", "tpot", "itl", "e2el"};
    return kNames[static_cast<size_t>(metric)];
}

}  // namespace glm5::loadgen
