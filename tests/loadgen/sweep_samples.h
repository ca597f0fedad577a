// Sweeps made up for tests: of the published model and load, with figures that a test chooses.
#pragma once

#include <string>

#include "loadgen/sweep_result.h"

namespace glm5::loadgen {

inline json::Object settings_of(const std::string& model, int input_len, int output_len) {
    json::Object settings;
    settings.append("model", model);
    settings.append("base_url", "http://127.0.0.1:8000");
    settings.append("dataset", "random");
    settings.append("input_len", input_len);
    settings.append("output_len", output_len);
    for (const char* key : {"prefix_len", "input_range_ratio", "output_range_ratio"}) settings.append(key, 0);
    return settings;
}

inline SweepLevel sample_level(int concurrency, int num_failed, double output_throughput, double ttft_ms = 100,
                               double tpot_ms = 10, double itl_p99_ms = 11) {
    constexpr int kNumPrompts = 64;
    SweepLevel level;
    level.concurrency = concurrency;
    json::Object& benchmark = level.benchmark;
    benchmark.append("num_prompts", kNumPrompts);
    benchmark.append("completed", kNumPrompts - num_failed);
    benchmark.append("failed", num_failed);
    benchmark.append("duration", 12.5);
    benchmark.append("output_throughput", output_throughput);
    benchmark.append("mean_ttft_ms", ttft_ms);
    benchmark.append("mean_tpot_ms", tpot_ms);
    benchmark.append("p99_itl_ms", itl_p99_ms);
    if (num_failed > 0) level.failure_causes = {{"HTTP 429", num_failed}};
    for (int i = 0; i <= 100; ++i) level.itl_percentiles_ms.push_back(tpot_ms * (1 + 0.001 * i));
    level.num_preemptions = concurrency / 2;
    level.timeline = {{0, 0, double(concurrency), 0}, {0.25, double(concurrency), 0, 0.5}, {0.5, 0, 0, 0.125}};
    return level;
}

}  // namespace glm5::loadgen
