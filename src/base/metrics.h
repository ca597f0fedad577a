// Metrics: counters, gauges and histograms, and a Registry that renders them in the Prometheus text format 0.0.4.
//
// Observing takes no lock: each metric is sharded over relaxed atomics, a thread writes the cells of its shard. What a
// scrape reads never decreases from one to the next, and a histogram's _count always equals its +Inf bucket.
//
//   metrics::Registry registry;
//   metrics::Counter& tokens = registry.counter("glm5:tokens_total", "Tokens.", {{"kind", "prompt"}});
//   tokens.add(3);
//   registry.render();  // # HELP …, # TYPE …, glm5:tokens_total{kind="prompt"} 3
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace glm5::metrics {

inline constexpr size_t kShards = 8;
size_t shard_of_this_thread();  // < kShards

class Counter {
public:
    void add(uint64_t amount = 1) { cells_[shard_of_this_thread()].value.fetch_add(amount, std::memory_order_relaxed); }
    uint64_t value() const;

private:
    struct alignas(64) Cell {
        std::atomic<uint64_t> value = 0;
    };
    std::array<Cell, kShards> cells_;
};

class Gauge {
public:
    void set(double value) { value_.store(value, std::memory_order_relaxed); }
    double value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<double> value_ = 0;
};

class Histogram {
public:
    // `bounds` increase strictly and are finite; a bucket above the last is implied.
    explicit Histogram(std::vector<double> bounds);

    // Counts `value` in the first bucket whose bound is ≥ it. NaN is dropped: it would spoil the sum for ever.
    void observe(double value);

    struct Snapshot {
        std::vector<uint64_t> cumulative;  // [bounds + 1]: observations ≤ each bound; the last is all of them
        double sum = 0;
    };
    Snapshot snapshot() const;
    const std::vector<double>& bounds() const { return bounds_; }

private:
    struct alignas(64) Shard {
        std::atomic<double> sum = 0;
        std::vector<std::atomic<uint64_t>> counts;  // [bounds + 1]
    };
    const std::vector<double> bounds_;
    std::array<Shard, kShards> shards_;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// Series appear in the order of registration, those of one name together, from the moment they are registered. The
// references live as long as the registry. A name has one type, and a name with the same labels is registered once.
class Registry {
public:
    Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
    Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
    Histogram& histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                         const Labels& labels = {});

    // Series whose value lies elsewhere: `read` is called by render(), never by two threads at once, and must not use
    // the registry. A counter's must not decrease.
    using Read = std::function<double()>;
    void counter_callback(const std::string& name, const std::string& help, const Labels& labels, Read read);
    void gauge_callback(const std::string& name, const std::string& help, const Labels& labels, Read read);
    // Called by render() before any `read`: takes a snapshot that several of them read, so that they agree.
    void before_render(std::function<void()> prepare);

    std::string render() const;

private:
    enum class Type { counter, gauge, histogram };
    using Source = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>, Read>;
    struct Series {
        std::string labels;  // as rendered, without braces: a="x",b="y"
        Source source;
    };
    struct Family {
        std::string name, help;
        Type type = Type::counter;
        std::vector<Series> series;
    };

    void add(const std::string& name, const std::string& help, Type type, const Labels& labels, Source source);

    mutable std::mutex mutex_;  // guards what follows
    std::vector<std::unique_ptr<Family>> families_;
    std::vector<std::function<void()>> prepare_;
};

// The content type of what render() makes.
inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace glm5::metrics
