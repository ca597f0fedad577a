#include "engine/rank_plan.h"

#include <algorithm>
#include <thread>

namespace glm5::engine {
namespace {

plan::PlanOptions plan_options(const EngineOptions& options, const load::Checkpoint& checkpoint,
                               const ops::Backend& backend) {
    const int64_t device_bytes = backend.memory_use().device_bytes;
    const bool cpu = device_bytes == 0;
    const ops::Numerics& numerics = backend.numerics();
    plan::PlanOptions filled;
    filled.device = {.name = backend.description(),
                     .kind = cpu ? plan::DeviceKind::cpu : plan::DeviceKind::gpu,
                     .memory_bytes = cpu ? plan::host_memory_bytes() : device_bytes};
    filled.utilization = cpu ? 1 : options.gpu_memory_utilization;
    filled.kv_cache_bytes = options.kv_cache_bytes == 0 && cpu ? plan::kCpuCacheBytes : options.kv_cache_bytes;
    filled.max_model_len = options.max_model_len;
    filled.max_num_batched_tokens = options.max_num_batched_tokens;
    filled.max_num_seqs = options.max_num_seqs;
    filled.num_vocab_tokens = options.num_vocab_tokens;
    filled.num_threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    filled.latent = numerics.latent;
    filled.index_key = numerics.index_key;
    filled.form =
        cpu ? plan::BackendForm::cpu(numerics.activation == ops::ActivationFormat::bf16) : plan::BackendForm::gpu();
    filled.stored_form = [&](const config::Parameter& parameter) { return checkpoint.stored_form(parameter); };
    return filled;
}

}  // namespace

Result<plan::Plan> plan_rank(const EngineOptions& options, const load::Checkpoint& checkpoint,
                             const ops::Backend& backend) {
    GLM5_ASSIGN_OR_RETURN(plan::Plan plan,
                          plan::make_plan(checkpoint.config(), {}, plan_options(options, checkpoint, backend)));
    plan.options.stored_form = {};  // it refers to the checkpoint
    if (options.on_plan) options.on_plan(plan);
    GLM5_RETURN_IF_ERROR(plan.fit);
    return plan;
}

}  // namespace glm5::engine
