// glm5 plan: what a model takes on a device and what is left for the cache, by its config alone.
#include "plan/plan.h"

#include <algorithm>
#include <cstdio>
#include <thread>

#include "json/write.h"
#include "plan/alternatives.h"
#include "plan/table.h"
#include "plan_json.h"
#include "plan_source.h"
#include "progress.h"
#include "subcommands.h"

namespace glm5 {
namespace {

Result<plan::Device> device_of(const cli::PlanOptions& options) {
    if (options.gpu.empty())
        return plan::Device{.name = "CPU", .kind = plan::DeviceKind::cpu, .memory_bytes = plan::host_memory_bytes()};
    if (const auto gpu = plan::find_gpu(options.gpu)) return *gpu;
    if (options.gpu_memory_bytes > 0) return plan::Device{.name = "GPU", .memory_bytes = options.gpu_memory_bytes};
    std::vector<std::string_view> names;
    for (const plan::Device& gpu : plan::known_gpus()) names.push_back(gpu.name);
    return invalid_argument("--gpu {}: expected {} or a size of memory such as 141GB", options.gpu,
                            fmt::join(names, ", "));
}

// What the options leave open is as serve would choose it on that device.
plan::PlanOptions fill_options(const cli::PlanOptions& options, const plan::Device& device, const PlanSource& source) {
    const bool cpu = device.kind == plan::DeviceKind::cpu;
    const auto given_or = [](auto given, auto otherwise) { return given > 0 ? given : otherwise; };
    plan::PlanOptions filled;
    filled.device = device;
    filled.utilization = cpu ? 1 : options.gpu_memory_utilization;
    filled.kv_cache_bytes = given_or(options.kv_cache_memory_bytes, cpu ? plan::kCpuCacheBytes : 0);
    filled.max_model_len = options.max_model_len;
    filled.max_num_batched_tokens = given_or(options.max_num_batched_tokens, cpu ? 2048 : 8192);
    filled.max_num_seqs = given_or(options.max_num_seqs, cpu ? 128 : 1024);
    filled.num_threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    filled.with_mtp = options.mtp;
    filled.form = cpu ? plan::BackendForm::cpu(false) : plan::BackendForm::gpu();
    filled.stored_form = source.stored_form();

    const std::string& dtype = options.kv_cache_dtype;
    const bool f32 = dtype == "float32" || (dtype == "auto" && cpu);
    filled.latent = f32 ? LatentFormat::f32 : dtype == "fp8_ds_mla" ? LatentFormat::fp8_ds_mla : LatentFormat::bf16;
    // On the CPU a cache in bfloat16 keeps its index keys in float32.
    const bool f32_keys = cpu ? filled.latent != LatentFormat::fp8_ds_mla : f32;
    filled.index_key = f32_keys ? IndexKeyFormat::f32 : IndexKeyFormat::e4m3;
    return filled;
}

std::string source_text(const PlanSource& source) {
    const char* quantization = source.config.quantization == config::Quantization::none  ? "BF16"
                               : source.config.quantization == config::Quantization::fp8 ? "FP8"
                                                                                         : "NVFP4";
    const int64_t bytes = plan::checkpoint_bytes(source.config, source.stored_form());
    std::string text = fmt::format("{}: {}, {} of tensors", source.name, quantization, bytes_text(bytes));
    if (source.checkpoint) text += fmt::format(" in {} files", source.checkpoint->shards().size());
    return text + "\n";
}

}  // namespace

int run_plan(const cli::PlanOptions& options) {
    const auto device = device_of(options);
    if (!device.ok()) return report_error(device.status());
    const auto source = read_plan_source(options.model);
    if (!source.ok()) return report_error(source.status());

    const int tensor = options.tensor_parallel_size, data = options.data_parallel_size;
    const layout::ParallelLayout layout = {tensor, data, options.expert_parallel ? tensor * data : 1};
    const auto plan = plan::make_plan(source->config, layout, fill_options(options, *device, *source));
    if (!plan.ok()) return report_error(plan.status());
    const auto alternatives = plan::alternatives(source->config, *plan);
    if (options.json) {
        fmt::print("{}\n", json::write(plan_json(source->config, *plan, alternatives), {.indent = 2}));
    } else {
        fmt::print("{}{}", source_text(*source), plan_table(*plan, options.buffers));
        for (const std::string& table : {step_table(source->config, *plan), alternatives_table(alternatives)})
            if (!table.empty()) fmt::print("\n{}", table);
    }
    std::fflush(stdout);
    return plan->fit.ok() ? 0 : report_error(plan->fit);
}

}  // namespace glm5
