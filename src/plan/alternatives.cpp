#include "plan/alternatives.h"

#include <algorithm>

namespace glm5::plan {

config::Config with_shared_indexers(config::Config config) {
    int source = 0;
    for (int i = 0; i < config.num_layers; ++i) {
        const bool full = std::max(i - 2, 0) % 4 == 0;
        if (full) source = i;
        config.layers[i].indexer = full ? config::IndexerKind::full : config::IndexerKind::shared;
        config.layers[i].index_source = source;
    }
    return config;
}

std::vector<Alternative> alternatives(const config::Config& config, const Plan& plan) {
    std::vector<Alternative> list;
    const auto add = [&](std::string name, const config::Config& other, const layout::ParallelLayout& layout,
                         PlanOptions options) {
        if (auto planned = make_plan(other, layout, options); planned.ok())
            list.push_back({std::move(name), *std::move(planned)});
    };
    const PlanOptions& options = plan.options;
    const layout::ParallelLayout& layout = plan.layout;
    if (options.latent != LatentFormat::fp8_ds_mla) {
        PlanOptions fp8 = options;
        fp8.latent = LatentFormat::fp8_ds_mla;
        fp8.index_key = IndexKeyFormat::e4m3;
        add("--kv-cache-dtype fp8_ds_mla", config, layout, fp8);
    }
    if (options.device.kind == DeviceKind::cpu) return list;
    if (layout.tensor > 1) {
        const int ranks = layout.num_ranks();
        add(fmt::format("-tp 1 -dp {} -ep (DP attention)", ranks), config, {1, ranks, ranks}, options);
    }
    if (config.quantization != config::Quantization::nvfp4 && layout.tensor > 1 && layout.tensor % 2 == 0) {
        config::Config nvfp4 = config;
        nvfp4.quantization = config::Quantization::nvfp4;
        PlanOptions published = options;
        published.stored_form = {};
        const int tensor = layout.tensor / 2;
        const bool spread = layout.expert > 1;
        add(fmt::format("NVFP4 checkpoint, -tp {}", tensor), nvfp4,
            {tensor, layout.data, spread ? tensor * layout.data : 1}, published);
    }
    if (config.num_full_layers() == config.num_layers)
        add("shared indexers, as in GLM-5.2", with_shared_indexers(config), layout, options);
    return list;
}

}  // namespace glm5::plan
