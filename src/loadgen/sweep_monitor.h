// SweepMonitor: reads the server's metrics (vLLM's names) some times a second while a level runs, on a thread of its
// own: how many requests run and wait, how full the cache is, and how often a request was preempted.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/status.h"
#include "loadgen/sweep_result.h"

namespace glm5::loadgen {

// The sum of a metric's series in the Prometheus text format, and how many there are (one per engine).
struct MetricSum {
    double sum = 0;
    int num_series = 0;
};
MetricSum sum_metric(std::string_view exposition, std::string_view name);

class SweepMonitor {
public:
    using Scrape = std::function<Result<std::string>()>;

    // Scrapes at once and then every `interval`, which doubles, as every second point is dropped, when there are more
    // than max_points.
    SweepMonitor(Scrape scrape, std::chrono::milliseconds interval, size_t max_points);
    ~SweepMonitor();
    SweepMonitor(const SweepMonitor&) = delete;
    SweepMonitor& operator=(const SweepMonitor&) = delete;

    // A last scrape, and the end. Then the results below may be read.
    void stop();
    const std::vector<TimelinePoint>& timeline() const { return timeline_; }
    // Between the first scrape and the last; none when the server does not count them, or was started anew meanwhile.
    std::optional<int64_t> num_preemptions() const;

private:
    void run();
    void sample();

    const Scrape scrape_;
    std::chrono::milliseconds interval_;
    const size_t max_points_;
    const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::vector<TimelinePoint> timeline_;
    std::optional<double> first_preemptions_, last_preemptions_;
    std::mutex mutex_;  // guards stopping_
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace glm5::loadgen
