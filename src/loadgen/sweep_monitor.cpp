#include "loadgen/sweep_monitor.h"

#include <charconv>
#include <cmath>

namespace glm5::loadgen {
namespace {

// The value of a line `name{labels} value [timestamp]` of this metric; label values may hold any character in quotes.
std::optional<double> value_of_line(std::string_view line, std::string_view name) {
    if (!line.starts_with(name)) return {};
    line.remove_prefix(name.size());
    if (line.starts_with('{')) {
        bool quoted = false;
        size_t end = 1;
        for (; end < line.size() && (quoted || line[end] != '}'); ++end) {
            if (quoted && line[end] == '\\')
                ++end;
            else if (line[end] == '"')
                quoted = !quoted;
        }
        if (end >= line.size()) return {};
        line.remove_prefix(end + 1);
    }
    if (!line.starts_with(' ')) return {};
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    double value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || !std::isfinite(value)) return {};
    return value;
}

}  // namespace

MetricSum sum_metric(std::string_view exposition, std::string_view name) {
    MetricSum result;
    while (!exposition.empty()) {
        const size_t end = std::min(exposition.find('\n'), exposition.size());
        if (const auto value = value_of_line(exposition.substr(0, end), name)) {
            result.sum += *value;
            ++result.num_series;
        }
        exposition.remove_prefix(std::min(end + 1, exposition.size()));
    }
    return result;
}

SweepMonitor::SweepMonitor(Scrape scrape, std::chrono::milliseconds interval, size_t max_points)
    : scrape_(std::move(scrape)), interval_(interval), max_points_(max_points), thread_([this] { run(); }) {}

SweepMonitor::~SweepMonitor() {
    stop();
}

void SweepMonitor::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

std::optional<int64_t> SweepMonitor::num_preemptions() const {
    if (!first_preemptions_ || *last_preemptions_ < *first_preemptions_) return {};
    return std::llround(*last_preemptions_ - *first_preemptions_);
}

void SweepMonitor::run() {
    std::unique_lock lock(mutex_);
    do {
        lock.unlock();
        sample();
        lock.lock();
    } while (!wake_.wait_for(lock, interval_, [this] { return stopping_; }));
    lock.unlock();
    sample();
}

void SweepMonitor::sample() {
    const auto text = scrape_();
    if (!text.ok()) return;  // a scrape that fails leaves a gap
    const MetricSum preemptions = sum_metric(*text, "vllm:num_preemptions_total");
    if (preemptions.num_series > 0) {
        last_preemptions_ = preemptions.sum;
        if (!first_preemptions_) first_preemptions_ = preemptions.sum;
    }
    const MetricSum running = sum_metric(*text, "vllm:num_requests_running");
    if (running.num_series == 0) return;
    const MetricSum waiting = sum_metric(*text, "vllm:num_requests_waiting");
    const MetricSum cache = sum_metric(*text, "vllm:kv_cache_usage_perc");
    if (timeline_.size() >= max_points_) {
        size_t kept = 0;
        for (size_t i = 0; i < timeline_.size(); i += 2) timeline_[kept++] = timeline_[i];
        timeline_.resize(kept);
        interval_ *= 2;
    }
    timeline_.push_back({
        .time_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(),
        .num_running = running.sum,
        .num_waiting = waiting.sum,
        .cache_usage = cache.num_series > 0 ? cache.sum / cache.num_series : 0,
    });
}

}  // namespace glm5::loadgen
