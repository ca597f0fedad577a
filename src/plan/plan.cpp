#include "plan/plan.h"

#include <algorithm>

#include "cache/layout.h"
#include "cache/page_pool.h"
#include "plan/check_layout.h"
#include "plan/text.h"

namespace glm5::plan {
namespace {

// What a process holds on a GPU before it allocates anything: read on an H100 and an H200, driver 580.
constexpr int64_t kGpuContextBytes = 552'402'944;

// Captured graphs: an estimate of their number and of the launches in a layer; bytes of a launch were read on an H100.
int64_t graphs_bytes(const config::Config& config) {
    constexpr int64_t kGraphs = 64, kLaunchesPerLayer = 13, kLaunchBytes = 2517;
    return kGraphs * config.num_layers * kLaunchesPerLayer * kLaunchBytes;
}

// Shortest context worth planning for: one token of a prompt and one of its answer.
constexpr int64_t kShortestModelLen = 2;

CacheBytes cache_bytes(const config::Config& config, const PlanOptions& options) {
    const auto layout = cache::Layout::compute(config, options.latent, options.index_key);
    CacheBytes bytes;
    cache::LayerLayout full;  // of a layer with an indexer of its own, as the MTP layer is
    for (const cache::LayerLayout& layer : layout.layers) {
        bytes.latent += layer.latent_page_bytes / kPageTokens;
        bytes.index_keys += layer.index_page_bytes / kPageTokens;
        if (layer.index_page_bytes > 0) full = layer;
    }
    if (options.with_mtp) bytes.mtp = (full.latent_page_bytes + full.index_page_bytes) / kPageTokens;
    return bytes;
}

// Everything but what depends on the length of a sequence.
Plan start_plan(const config::Config& config, const layout::ParallelLayout& layout, const PlanOptions& options) {
    Plan plan;
    plan.options = options;
    plan.layout = layout;
    plan.weights = weight_bytes(config, layout, options.form, options.with_mtp, options.stored_form);
    plan.cache = cache_bytes(config, options);
    plan.budget_bytes = static_cast<int64_t>(static_cast<double>(options.device.memory_bytes) * options.utilization);
    if (options.device.kind == DeviceKind::gpu) {
        plan.context_bytes = kGpuContextBytes;
        plan.graphs_bytes = graphs_bytes(config);
    }
    return plan;
}

// Buffers and pages for sequences of at most `model_len` tokens.
void size_for(Plan& plan, const config::Config& config, int64_t model_len) {
    const PlanOptions& options = plan.options;
    plan.sizes = {.max_num_tokens = options.max_num_batched_tokens,
                  .max_num_seqs = std::min(options.max_num_seqs, options.max_num_batched_tokens),
                  .max_model_len = model_len,
                  .num_vocab_tokens = options.num_vocab_tokens > 0 ? options.num_vocab_tokens : config.vocab_size,
                  .num_threads = options.num_threads};
    plan.step_buffers = step_buffers(config, plan.layout, options.form, plan.sizes);
    plan.workspaces = options.device.kind == DeviceKind::cpu ? cpu_workspaces(config, options.form, plan.sizes)
                                                             : gpu_workspaces(config, plan.layout, plan.sizes);
    plan.communication = communication_buffers(config, plan.layout, plan.sizes);
    const int64_t left = std::max<int64_t>(0, plan.budget_bytes - plan.fixed_bytes());
    const int64_t bytes = options.kv_cache_bytes > 0 ? options.kv_cache_bytes : left;
    plan.num_pages = std::min<int64_t>(bytes / plan.cache.per_page(), cache::kMaxPages);
}

// The largest length for which the cache, sized beside the buffers of that length, holds a sequence; 0: none.
int64_t largest_model_len(Plan plan, const config::Config& config) {
    int64_t fits = 0, beyond = int64_t{config.max_position_embeddings} + 1;
    while (fits + 1 < beyond) {
        const int64_t middle = (fits + beyond) / 2;
        size_for(plan, config, middle);
        (plan.num_tokens() >= middle ? fits : beyond) = middle;
    }
    return fits >= kShortestModelLen ? fits : 0;
}

Status fit_of(const Plan& plan) {
    const PlanOptions& options = plan.options;
    const int64_t pages = (plan.sizes.max_model_len + kPageTokens - 1) / kPageTokens;
    if (plan.planned_bytes() > plan.budget_bytes)
        return resource_exhausted(
            "the model does not fit: a rank needs {} (weights {}, step buffers and workspaces {}, cache {}, other {}), "
            "and "
            "may use {} ({} of {})",
            size_text(plan.planned_bytes()), size_text(plan.weights.total()),
            size_text(total_bytes(plan.step_buffers) + total_bytes(plan.workspaces)), size_text(plan.cache_bytes()),
            size_text(plan.context_bytes + plan.graphs_bytes + total_bytes(plan.communication)),
            size_text(plan.budget_bytes), options.utilization, size_text(options.device.memory_bytes));
    if (plan.num_pages < pages)
        return resource_exhausted(
            "to serve at least one request of max-model-len {}, {} of KV cache are needed, and {} are available, which "
            "hold {} tokens; the largest max-model-len that fits is {}",
            plan.sizes.max_model_len, size_text(pages * plan.cache.per_page()), size_text(plan.cache_bytes()),
            plan.num_tokens(), plan.largest_model_len);
    return {};
}

}  // namespace

int64_t Plan::fixed_bytes() const {
    return weights.total() + total_bytes(step_buffers) + total_bytes(workspaces) + total_bytes(communication) +
           context_bytes + graphs_bytes;
}

double Plan::concurrency(int64_t model_len) const {
    return static_cast<double>(num_tokens_of_all()) / static_cast<double>(model_len);
}

Result<Plan> make_plan(const config::Config& config, const layout::ParallelLayout& layout, const PlanOptions& options) {
    GLM5_RETURN_IF_ERROR(check_layout(config, layout));
    if (options.max_model_len != 0 &&
        (options.max_model_len < kShortestModelLen || options.max_model_len > config.max_position_embeddings))
        return invalid_argument("--max-model-len {}: the model's limit is {} (max_position_embeddings)",
                                options.max_model_len, config.max_position_embeddings);
    if (options.with_mtp && !config.has_mtp())
        return invalid_argument("config.json: num_nextn_predict_layers: 0; speculation with the MTP layer needs 1");
    Plan plan = start_plan(config, layout, options);
    plan.largest_model_len = largest_model_len(plan, config);
    const int64_t chosen = options.max_model_len > 0 ? options.max_model_len : plan.largest_model_len;
    size_for(plan, config, std::max(chosen, kShortestModelLen));
    plan.fit = fit_of(plan);
    return plan;
}

}  // namespace glm5::plan
