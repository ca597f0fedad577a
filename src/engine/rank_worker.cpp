#include "engine/rank_worker.h"

namespace glm5::engine {
namespace {

// The page arrays of every layer, in one allocation each.
std::vector<ops::LayerCache> allocate_caches(ops::Backend& backend, const cache::Layout& layout, int num_pages) {
    const auto allocate = [&](int64_t page_bytes) {
        ops::PageArray pages{.data = nullptr, .page_bytes = page_bytes};
        if (page_bytes > 0) pages.data = backend.allocate(DType::u8, {num_pages, page_bytes}).as<std::byte>();
        return pages;
    };
    std::vector<ops::LayerCache> caches;
    for (const cache::LayerLayout& layer : layout.layers)
        caches.push_back({.latent = allocate(layer.latent_page_bytes), .index_keys = allocate(layer.index_page_bytes)});
    return caches;
}

}  // namespace

Result<std::unique_ptr<RankWorker>> RankWorker::open(std::unique_ptr<ops::Backend> backend,
                                                     const load::Checkpoint& checkpoint, const cache::Layout& layout,
                                                     const RankLimits& limits, const Progress& progress) {
    const config::Config& config = checkpoint.config();
    const ops::StepLimits step_limits = {.max_tokens = limits.max_num_batched_tokens,
                                         .max_context_tokens = limits.max_model_len,
                                         .max_logit_rows = limits.max_num_seqs};
    GLM5_ASSIGN_OR_RETURN(auto decoder, model::Decoder::load(config, checkpoint, *backend, step_limits, progress));
    return std::unique_ptr<RankWorker>(
        new RankWorker(std::move(backend), std::move(decoder), layout, limits, config.eos_token_ids));
}

RankWorker::RankWorker(std::unique_ptr<ops::Backend> backend, std::unique_ptr<model::Decoder> decoder,
                       const cache::Layout& layout, const RankLimits& limits, std::vector<int32_t> eos_token_ids)
    : backend_(std::move(backend)),
      decoder_(std::move(decoder)),
      caches_(allocate_caches(*backend_, layout, limits.num_pages)),
      cache_bytes_(limits.num_pages * layout.page_bytes()),
      batch_builder_(*backend_, {.max_num_seqs = limits.max_num_seqs,
                                 .max_num_tokens = limits.max_num_batched_tokens,
                                 .max_context_tokens = limits.max_model_len}),
      sampler_(*backend_,
               {.max_num_rows = limits.max_num_seqs,
                .max_model_len = limits.max_model_len,
                .num_vocab_tokens = limits.num_vocab_tokens},
               std::move(eos_token_ids)) {}

Status RankWorker::dump_activations(const std::string& directory) {
    GLM5_ASSIGN_OR_RETURN(dump_, model::ActivationDump::open(*backend_, directory));
    decoder_->set_observer(dump_->observer());
    return {};
}

schedule::StepResult RankWorker::run(const schedule::StepPlan& plan) {
    const ops::Batch batch = batch_builder_.build(plan);
    const ops::Tensor logits = decoder_->forward(batch, caches_);
    return sampler_.sample(plan, logits);
}

MemoryStats RankWorker::memory() const {
    const ops::MemoryUse use = backend_->memory_use();
    const int64_t weights = decoder_->weights().bytes;
    return {.weights = weights,
            .step_buffers = use.tensor_bytes - weights - cache_bytes_,
            .kv_cache = cache_bytes_,
            .workspaces = use.workspace_bytes};
}

}  // namespace glm5::engine
