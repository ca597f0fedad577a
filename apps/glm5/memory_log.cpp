#include "memory_log.h"

#include "base/log.h"
#include "plan/text.h"

namespace glm5 {
namespace {

double gib(int64_t bytes) {
    return static_cast<double>(bytes) / (1 << 30);
}

double mib(int64_t bytes) {
    return static_cast<double>(bytes) / (1 << 20);
}

// Of what a backend accounts for: the driver's context, graphs and communication are not.
int64_t accounted_bytes(const plan::Plan& plan) {
    return plan.weights.total() + total_bytes(plan.step_buffers) + plan.cache_bytes() + total_bytes(plan.workspaces);
}

}  // namespace

void log_plan(const plan::Plan& plan) {
    log_info("Using max model len {}", plan.sizes.max_model_len);
    log_info("Using {} data type to store kv cache", latent_format_name(plan.options.latent));
    log_info("Chunked prefill is enabled with max_num_batched_tokens={}.", plan.sizes.max_num_tokens);
}

void log_loaded(const plan::Plan& plan, const EngineStats& stats, double seconds) {
    const MemoryStats& taken = stats.memory;
    const int64_t num_tokens = stats.pages_total * kPageTokens;
    log_info("Model loading took {:.2f} GiB memory and {:.2f} seconds", gib(taken.weights), seconds);
    log_info("Available KV cache memory: {:.2f} GiB", gib(taken.kv_cache));
    log_info("GPU KV cache size: {} tokens", plan::with_commas(num_tokens));
    log_info("Maximum concurrency for {} tokens per request: {:.2f}x", plan::with_commas(plan.sizes.max_model_len),
             static_cast<double>(num_tokens) / static_cast<double>(plan.sizes.max_model_len));
    log_info("Memory planned and taken, MiB: weights {:.1f} {:.1f}, step buffers {:.1f} {:.1f}, KV cache {:.1f} {:.1f}",
             mib(plan.weights.total()), mib(taken.weights), mib(total_bytes(plan.step_buffers)),
             mib(taken.step_buffers), mib(plan.cache_bytes()), mib(taken.kv_cache));
}

void log_most_taken(const plan::Plan& plan, const MemoryStats& taken) {
    log_info("Memory planned and taken at most, MiB: {:.1f} {:.1f}, of it workspaces {:.1f} {:.1f}",
             mib(accounted_bytes(plan)), mib(taken.all()), mib(total_bytes(plan.workspaces)), mib(taken.workspaces));
}

}  // namespace glm5
