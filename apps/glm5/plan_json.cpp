#include "plan_json.h"

#include <algorithm>

#include "plan/step_time.h"
#include "plan/table.h"

namespace glm5 {
namespace {

using json::Object;
using json::Value;

Value buffers_json(const std::vector<plan::Buffer>& buffers) {
    json::Array list;
    for (const plan::Buffer& buffer : buffers) {
        Object object;
        object.set("name", buffer.name);
        object.set("shape", buffer.formula);
        object.set("bytes", buffer.bytes);
        list.push_back(std::move(object));
    }
    return list;
}

Value weights_json(const plan::WeightBytes& weights) {
    Object object;
    for (int i = 0; i < plan::kNumWeightParts; ++i) {
        std::string name(weight_part_name(static_cast<plan::WeightPart>(i)));
        std::ranges::replace(name, ' ', '_');
        object.set(std::move(name), weights.parts[i]);
    }
    object.set("all", weights.total());
    return object;
}

Value layout_json(const layout::ParallelLayout& layout) {
    Object object;
    object.set("ranks", layout.num_ranks());
    object.set("tensor_parallel", layout.tensor);
    object.set("data_parallel", layout.data);
    object.set("expert_groups", layout.expert);
    return object;
}

Value device_json(const plan::Plan& plan) {
    Object object;
    object.set("name", plan.options.device.name);
    object.set("memory_bytes", plan.options.device.memory_bytes);
    object.set("utilization", plan.options.utilization);
    object.set("budget_bytes", plan.budget_bytes);
    object.set("bytes_per_second", plan.options.device.bytes_per_second);
    return object;
}

Value rank_json(const plan::Plan& plan) {
    Object object;
    object.set("weights", weights_json(plan.weights));
    object.set("step_buffers", buffers_json(plan.step_buffers));
    object.set("workspaces", buffers_json(plan.workspaces));
    object.set("communication", buffers_json(plan.communication));
    object.set("weights_bytes", plan.weights.total());
    object.set("step_buffers_bytes", total_bytes(plan.step_buffers));
    object.set("workspaces_bytes", total_bytes(plan.workspaces));
    object.set("communication_bytes", total_bytes(plan.communication));
    object.set("context_bytes", plan.context_bytes);
    object.set("graphs_bytes", plan.graphs_bytes);
    object.set("kv_cache_bytes", plan.cache_bytes());
    object.set("bytes", plan.planned_bytes());
    return object;
}

Value cache_json(const plan::Plan& plan) {
    Object object;
    object.set("dtype", std::string(latent_format_name(plan.options.latent)));
    object.set("latent_bytes_per_token", plan.cache.latent);
    object.set("index_key_bytes_per_token", plan.cache.index_keys);
    object.set("mtp_bytes_per_token", plan.cache.mtp);
    object.set("bytes_per_token", plan.cache.per_token());
    object.set("page_bytes", plan.cache.per_page());
    object.set("pages", plan.num_pages);
    object.set("tokens", plan.num_tokens());
    object.set("tokens_of_all_groups", plan.num_tokens_of_all());
    return object;
}

Value steps_json(const config::Config& config, const plan::Plan& plan) {
    json::Array list;
    if (plan.options.device.bytes_per_second <= 0) return list;
    for (const int64_t num_seqs : plan::kStepSeqs)
        for (const int64_t context : step_contexts(plan)) {
            const plan::StepBytes bytes = step_bytes(config, plan, num_seqs, context);
            Object object;
            object.set("sequences", num_seqs);
            object.set("context", context);
            object.set("bytes", bytes.total());
            object.set("seconds", step_seconds(plan.options.device, bytes));
            list.push_back(std::move(object));
        }
    return list;
}

Value alternatives_json(const std::vector<plan::Alternative>& alternatives) {
    json::Array list;
    for (const auto& [name, plan] : alternatives) {
        Object object;
        object.set("name", name);
        object.set("layout", layout_json(plan.layout));
        object.set("weights_bytes", plan.weights.total());
        object.set("tokens_of_all_groups", plan.num_tokens_of_all());
        object.set("largest_model_len", plan.largest_model_len);
        list.push_back(std::move(object));
    }
    return list;
}

}  // namespace

json::Value plan_json(const config::Config& config, const plan::Plan& plan,
                      const std::vector<plan::Alternative>& alternatives) {
    Object object;
    object.set("fits", plan.fit.ok());
    object.set("reason", plan.fit.message());
    object.set("layout", layout_json(plan.layout));
    object.set("device", device_json(plan));
    object.set("max_num_batched_tokens", plan.sizes.max_num_tokens);
    object.set("max_num_seqs", plan.sizes.max_num_seqs);
    object.set("max_model_len", plan.sizes.max_model_len);
    object.set("largest_model_len", plan.largest_model_len);
    object.set("sequences_at_max_model_len", plan.concurrency(plan.sizes.max_model_len));
    object.set("rank", rank_json(plan));
    object.set("kv_cache", cache_json(plan));
    object.set("decode_steps", steps_json(config, plan));
    object.set("alternatives", alternatives_json(alternatives));
    return object;
}

}  // namespace glm5
