// Names, meanings and buckets.
#include "api/metrics_engine.h"

#include "base/dtype.h"

namespace glm5::api {
namespace {

using metrics::Labels;

constexpr const char* kFinishedReasons[] = {"stop", "length", "abort", "error", "repetition"};

// vLLM's, so that its queries hold; those of tokens begin lower, because a step can take less than 10 ms.
const std::vector<double> kFirstTokenBounds = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
                                               1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
const std::vector<double> kTokenBounds = {.001, .002, .003, .005, .0075, .01, .025, .05, .075, .1, .15, .2,
                                          .3,   .4,   .5,   .75,  1,     2.5, 5,    7.5, 10,   20, 40,  80};
const std::vector<double> kRequestBounds = {.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                            30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
const std::vector<double> kStepTokenBounds = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
const std::vector<double> kStepBounds = {.0005, .001, .002, .003, .005, .0075, .01, .015, .02, .03, .05,
                                         .075,  .1,   .15,  .2,   .3,   .5,    .75, 1,    2.5, 5,   10};

}  // namespace

std::vector<double> one_two_five_bounds(int64_t max) {
    std::vector<double> bounds;
    for (int64_t power = 1; power <= max; power *= 10)
        for (const int64_t factor : {1, 2, 5})
            if (factor * power <= max) bounds.push_back(static_cast<double>(factor * power));
    return bounds;
}

EngineMetrics::EngineMetrics(metrics::Registry& registry, std::string model_name, const ModelInfo& info,
                             std::function<EngineStats()> stats)
    : registry_(registry),
      base_labels_{{"model_name", std::move(model_name)}, {"engine", "0"}},
      prompt_tokens(counter("vllm:prompt_tokens_total", "Tokens of prompts, those from the prefix cache included.")),
      generation_tokens(counter("vllm:generation_tokens_total", "Tokens generated.")),
      prompt_tokens_cached(counter("vllm:prompt_tokens_cached_total", "Tokens of prompts from the prefix cache.")),
      prompt_tokens_computed(counter("vllm:prompt_tokens_by_source_total", "Tokens of prompts by where they came from.",
                                     {{"source", "local_compute"}})),
      prompt_tokens_hit(counter("vllm:prompt_tokens_by_source_total", "Tokens of prompts by where they came from.",
                                {{"source", "local_cache_hit"}})),
      time_to_first_token(histogram("vllm:time_to_first_token_seconds",
                                    "From the arrival of a request to its first token.", kFirstTokenBounds)),
      inter_token_latency(histogram("vllm:inter_token_latency_seconds",
                                    "Between successive outputs of the engine for one request.", kTokenBounds)),
      time_per_output_token(histogram("vllm:request_time_per_output_token_seconds",
                                      "Decode time of a request per token after the first.", kTokenBounds)),
      e2e_latency(
          histogram("vllm:e2e_request_latency_seconds", "From the arrival of a request to its end.", kRequestBounds)),
      queue_time(histogram("vllm:request_queue_time_seconds", "From being queued to the first step.", kRequestBounds)),
      inference_time(
          histogram("vllm:request_inference_time_seconds", "From the first step to the last token.", kRequestBounds)),
      prefill_time(
          histogram("vllm:request_prefill_time_seconds", "From the first step to the first token.", kRequestBounds)),
      decode_time(histogram("vllm:request_decode_time_seconds", "From the first token to the last.", kRequestBounds)),
      request_prompt_tokens(histogram("vllm:request_prompt_tokens", "Tokens of the prompt of a request.",
                                      one_two_five_bounds(info.max_model_len))),
      request_generation_tokens(histogram("vllm:request_generation_tokens", "Tokens generated for a choice.",
                                          one_two_five_bounds(info.max_model_len))),
      request_max_generation_tokens(histogram("vllm:request_max_num_generation_tokens",
                                              "Tokens of the longest choice of a request.",
                                              one_two_five_bounds(info.max_model_len))),
      request_max_tokens(histogram("vllm:request_params_max_tokens", "max_tokens of a request, or its default.",
                                   one_two_five_bounds(info.max_model_len))),
      request_n(histogram("vllm:request_params_n", "n of a request.", {1, 2, 5, 10, 20})),
      request_computed_tokens(histogram("vllm:request_prefill_kv_computed_tokens",
                                        "Tokens of the prompt of a request that were not in the prefix cache.",
                                        one_two_five_bounds(info.max_model_len))),
      queue_rejected(counter("glm5:queue_rejected_total", "Requests that were refused.", {{"reason", "queue_full"}})),
      iteration_tokens_(histogram("vllm:iteration_tokens_total", "Tokens of a step.", kStepTokenBounds)),
      prefill_step_(
          histogram("glm5:step_seconds", "Time of a step on the device.", kStepBounds, {{"phase", "prefill"}})),
      decode_step_(histogram("glm5:step_seconds", "Time of a step on the device.", kStepBounds, {{"phase", "decode"}})),
      mixed_step_(histogram("glm5:step_seconds", "Time of a step on the device.", kStepBounds, {{"phase", "mixed"}})) {
    const int64_t num_pages = stats().pages_total;
    registry_.before_render([this, stats = std::move(stats)] { stats_ = stats(); });
    counter("vllm:prompt_tokens_by_source_total", "Tokens of prompts by where they came from.",
            {{"source", "external_kv_transfer"}});
    for (size_t i = 0; i < request_success_.size(); ++i)
        request_success_[i] = &counter("vllm:request_success_total", "Choices that ended, by the reason.",
                                       {{"finished_reason", kFinishedReasons[i]}});
    add_load();
    add_cache(info, num_pages);
}

Labels EngineMetrics::labels(Labels more) const {
    Labels all = base_labels_;
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

metrics::Counter& EngineMetrics::counter(const std::string& name, const std::string& help, Labels more) {
    return registry_.counter(name, help, labels(std::move(more)));
}

metrics::Histogram& EngineMetrics::histogram(const std::string& name, const std::string& help,
                                             std::vector<double> bounds, Labels more) {
    return registry_.histogram(name, help, std::move(bounds), labels(std::move(more)));
}

// What the engine holds at the moment.
void EngineMetrics::add_load() {
    auto gauge = [&](const char* name, const char* help, Labels more, metrics::Registry::Read read) {
        registry_.gauge_callback(name, help, labels(std::move(more)), std::move(read));
    };
    gauge("vllm:num_requests_running", "Sequences in the batch.", {}, [this] { return stats_.running; });
    gauge("vllm:num_requests_waiting", "Sequences that are queued.", {}, [this] { return stats_.waiting; });
    constexpr const char* kByReason = "Sequences that are queued, by what they wait for.";
    gauge("vllm:num_requests_waiting_by_reason", kByReason, {{"reason", "capacity"}},
          [this] { return stats_.waiting - stats_.deferred; });
    gauge("vllm:num_requests_waiting_by_reason", kByReason, {{"reason", "deferred"}},
          [this] { return stats_.deferred; });
    auto share = [](int64_t part, int64_t whole) {
        return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
    };
    gauge("vllm:kv_cache_usage_perc", "Pages in use, from 0 to 1.", {},
          [this, share] { return share(stats_.pages_used, stats_.pages_total); });
    constexpr const char* kPages = "Pages of the KV cache: free, used by sequences, or kept for their prefixes only.";
    gauge("glm5:pages", kPages, {{"state", "free"}},
          [this] { return static_cast<double>(stats_.pages_total - stats_.pages_used - stats_.pages_cached); });
    gauge("glm5:pages", kPages, {{"state", "active"}}, [this] { return static_cast<double>(stats_.pages_used); });
    gauge("glm5:pages", kPages, {{"state", "cached"}}, [this] { return static_cast<double>(stats_.pages_cached); });
    for (const char* state : {"awake", "weights_offloaded", "discard_all"})
        registry_
            .gauge("vllm:engine_sleep_state", "1 for the state that the engine is in.",
                   labels({{"sleep_state", state}}))
            .set(std::string_view(state) == "awake" ? 1 : 0);
}

void EngineMetrics::add_cache(const ModelInfo& info, int64_t num_pages) {
    registry_
        .gauge("vllm:cache_config_info", "The KV cache, as labels.",
               labels({{"block_size", std::to_string(kPageTokens)},
                       {"cache_dtype", info.kv_cache_dtype},
                       {"num_gpu_blocks", std::to_string(num_pages)},
                       {"enable_prefix_caching", info.prefix_caching ? "True" : "False"}}))
        .set(1);
    auto total = [&](const char* name, const char* help, metrics::Registry::Read read) {
        registry_.counter_callback(name, help, labels(), std::move(read));
    };
    total("vllm:prefix_cache_queries_total", "Tokens of prompts that were looked up in the prefix cache.",
          [this] { return static_cast<double>(stats_.prefix_query_tokens); });
    total("vllm:prefix_cache_hits_total", "Tokens of prompts that were found in the prefix cache.",
          [this] { return static_cast<double>(stats_.prefix_hit_tokens); });
    total("vllm:external_prefix_cache_queries_total", "There is no external prefix cache.", [] { return 0; });
    total("vllm:external_prefix_cache_hits_total", "There is no external prefix cache.", [] { return 0; });
    total("vllm:num_preemptions_total", "Sequences that gave up their pages, to be computed again.",
          [this] { return static_cast<double>(stats_.preemptions); });
}

metrics::Counter& EngineMetrics::request_success(FinishReason reason) {
    switch (reason) {
        case FinishReason::none:
        case FinishReason::stop: return *request_success_[0];
        case FinishReason::length: return *request_success_[1];
        case FinishReason::cancelled: return *request_success_[2];
        case FinishReason::error: break;
    }
    return *request_success_[3];
}

void EngineMetrics::observe_step(const StepStats& step) {
    iteration_tokens_.observe(step.prefill_tokens + step.decode_tokens);
    (step.prefill_tokens == 0  ? decode_step_
     : step.decode_tokens == 0 ? prefill_step_
                               : mixed_step_)
        .observe(step.seconds);
}

}  // namespace glm5::api
