// EngineMetrics: the series of one engine, under vLLM's names and labels, so that boards and routers made for it work;
// and a few of our own, glm5:*. docs/serving.md lists them.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "glm5/types.h"

namespace glm5::api {

// Every member may be observed from any thread. The order is that of the page.
class EngineMetrics {
public:
    // `stats` is called once for each page. `registry` must outlive this, and must not render after the end of this.
    EngineMetrics(metrics::Registry& registry, std::string model_name, const ModelInfo& info,
                  std::function<EngineStats()> stats);
    EngineMetrics(const EngineMetrics&) = delete;

    // For EngineOptions::on_step.
    void observe_step(const StepStats& step);
    metrics::Counter& request_success(FinishReason reason);

private:
    metrics::Labels labels(metrics::Labels more = {}) const;
    metrics::Counter& counter(const std::string& name, const std::string& help, metrics::Labels more = {});
    metrics::Histogram& histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                                  metrics::Labels more = {});
    void add_load();
    void add_cache(const ModelInfo& info, int64_t num_pages);

    metrics::Registry& registry_;
    const metrics::Labels base_labels_;
    EngineStats stats_;  // of the page that is being rendered

public:
    metrics::Counter& prompt_tokens;
    metrics::Counter& generation_tokens;
    metrics::Counter& prompt_tokens_cached;
    metrics::Counter& prompt_tokens_computed;
    metrics::Counter& prompt_tokens_hit;

private:
    std::array<metrics::Counter*, 5> request_success_{};  // of kFinishedReasons

public:
    metrics::Histogram& time_to_first_token;
    metrics::Histogram& inter_token_latency;
    metrics::Histogram& time_per_output_token;
    metrics::Histogram& e2e_latency;
    metrics::Histogram& queue_time;
    metrics::Histogram& inference_time;
    metrics::Histogram& prefill_time;
    metrics::Histogram& decode_time;
    metrics::Histogram& request_prompt_tokens;
    metrics::Histogram& request_generation_tokens;
    metrics::Histogram& request_max_generation_tokens;
    metrics::Histogram& request_max_tokens;
    metrics::Histogram& request_n;
    metrics::Histogram& request_computed_tokens;
    metrics::Counter& queue_rejected;

private:
    metrics::Histogram& iteration_tokens_;
    metrics::Histogram &prefill_step_, &decode_step_, &mixed_step_;
};

// 1, 2 and 5 times the powers of ten, up to `max`.
std::vector<double> one_two_five_bounds(int64_t max);

}  // namespace glm5::api
