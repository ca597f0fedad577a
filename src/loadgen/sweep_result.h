// What a sweep measured, level by level, and the JSON file that holds it. A level is one benchmark at one concurrency.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "json/value.h"

namespace glm5::loadgen {

// What the server said of itself at one moment, since the level's begin (its warm-up included).
struct TimelinePoint {
    double time_s = 0;
    double num_running = 0, num_waiting = 0;
    double cache_usage = 0;  // 0 … 1
};

struct SweepLevel {
    int concurrency = 0;
    json::Object benchmark;  // to_json(BenchmarkResult, false)
    std::vector<std::pair<std::string, int>> failure_causes;
    std::optional<int64_t> num_preemptions;  // none: the server does not count them
    std::vector<double> itl_percentiles_ms;  // [101]: of all requests' gaps, 0 (least) … 100 (greatest); or empty
    std::vector<TimelinePoint> timeline;     // empty: the server has no metrics

    // A number of `benchmark`; NaN where it is absent or null.
    double figure(std::string_view key) const;
    int num_prompts() const { return static_cast<int>(figure("num_prompts")); }
    int num_completed() const { return static_cast<int>(figure("completed")); }
    int num_failed() const { return static_cast<int>(figure("failed")); }
    // Every request succeeded: the figures stand for the level.
    bool is_complete() const { return num_failed() == 0 && num_completed() == num_prompts(); }
};

struct Sweep {
    json::Object settings;           // of every level; a file is continued only with the same
    std::string date;                // of its begin, YYYYmmdd-HHMMSS
    std::string server;              // what runs there, for a reader
    std::string note;                // why it ended early; empty otherwise
    std::vector<SweepLevel> levels;  // by increasing concurrency, each once

    // A text among the settings; "" where it is absent.
    std::string setting(std::string_view key) const;
    const SweepLevel* find(int concurrency) const;
    // In the place of the level with the same concurrency, if there is one.
    void put(SweepLevel level);
};

// The least concurrency that reaches 95 % of the greatest output throughput among complete levels: more streams buy
// less than 5 % from there on.
struct Saturation {
    int concurrency = 0;
    double output_throughput = 0;
    double greatest_throughput = 0;
    bool is_last = false;  // no level above it: throughput may rise further
};
std::optional<Saturation> find_saturation(const Sweep& sweep);  // none: fewer than two complete levels

json::Value to_json(const Sweep& sweep);
// Error: the first member that is not as to_json writes it.
Result<Sweep> sweep_from_json(const json::Value& value);

// None when there is no such file. Errors name the file.
Result<std::optional<Sweep>> read_sweep(const std::string& path);
// Replaces the file whole: a reader sees the former one or this one, never a part.
Status write_file(const std::string& path, std::string_view text);

}  // namespace glm5::loadgen
