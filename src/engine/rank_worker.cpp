#include "engine/rank_worker.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "ops/device_fault.h"

namespace glm5::engine {
namespace {

constexpr int kMostRecordedAtStart = 64;  // sequences in a step

// Pages that the device has room for: a GPU's memory is shared with what else runs on it, and counted exactly. The
// host's is what the plan says.
int64_t most_pages(const ops::Backend& backend, const cache::Layout& layout, const RankLimits& limits) {
    if (backend.memory_use().device_bytes == 0) return limits.num_pages;
    const int64_t bytes = backend.available_bytes() - limits.reserved_bytes;
    return std::clamp<int64_t>(bytes / layout.page_bytes(), 0, limits.num_pages);
}

}  // namespace

Result<std::unique_ptr<RankWorker>> RankWorker::open(std::unique_ptr<ops::Backend> backend,
                                                     const load::Checkpoint& checkpoint, const cache::Layout& layout,
                                                     const RankLimits& limits, const Progress& progress) {
    try {
        return load(std::move(backend), checkpoint, layout, limits, progress);
    } catch (const ops::DeviceFault& fault) {
        if (fault.kind() == ops::DeviceFault::Kind::out_of_memory)
            return resource_exhausted("the device has less memory than was planned: {}", fault.what());
        return io_error("the device failed while the model was loaded: {}", fault.what());
    }
}

Result<std::unique_ptr<RankWorker>> RankWorker::load(std::unique_ptr<ops::Backend> backend,
                                                     const load::Checkpoint& checkpoint, const cache::Layout& layout,
                                                     const RankLimits& limits, const Progress& progress) {
    const config::Config& config = checkpoint.config();
    const ops::StepLimits step_limits = {.max_tokens = limits.max_num_batched_tokens,
                                         .max_context_tokens = limits.max_model_len,
                                         .max_logit_rows = limits.max_num_seqs};
    GLM5_ASSIGN_OR_RETURN(auto decoder, model::Decoder::load(config, checkpoint, *backend, step_limits, progress));
    std::unique_ptr<RankWorker> worker(
        new RankWorker(std::move(backend), std::move(decoder), limits, config.eos_token_ids));
    GLM5_RETURN_IF_ERROR(worker->allocate_caches(layout));
    if (limits.repeat_decodes) worker->record_decodes();
    return worker;
}

RankWorker::RankWorker(std::unique_ptr<ops::Backend> backend, std::unique_ptr<model::Decoder> decoder,
                       const RankLimits& limits, std::vector<int32_t> eos_token_ids)
    : limits_(limits),
      backend_(std::move(backend)),
      decoder_(std::move(decoder)),
      batch_builder_(*backend_, {.max_num_seqs = limits.max_num_seqs,
                                 .max_num_tokens = limits.max_num_batched_tokens,
                                 .max_context_tokens = limits.max_model_len}),
      sampler_(*backend_,
               {.max_num_rows = limits.max_num_seqs,
                .max_model_len = limits.max_model_len,
                .num_vocab_tokens = limits.num_vocab_tokens},
               std::move(eos_token_ids)) {}

// The page arrays of every layer, one after the other in one piece: what is left of a piece would be lost.
Status RankWorker::allocate_caches(const cache::Layout& layout) {
    const int64_t pages = most_pages(*backend_, layout, limits_);
    if (pages < 1)
        return resource_exhausted("beside the weights and buffers, {} bytes of the device are free, of which {} are reserved",
                                  backend_->available_bytes(), limits_.reserved_bytes);
    if (pages < limits_.num_pages)
        log_warning("KV cache: {} of {} pages fit beside what else is on the device", pages, limits_.num_pages);
    num_pages_ = static_cast<int>(pages);
    cache_bytes_ = pages * layout.page_bytes();
    auto* next = backend_->allocate(DType::u8, {cache_bytes_}).as<std::byte>();
    const auto take = [&](int64_t page_bytes) {
        const ops::PageArray array{.data = page_bytes > 0 ? next : nullptr, .page_bytes = page_bytes};
        next += pages * page_bytes;
        return array;
    };
    for (const cache::LayerLayout& layer : layout.layers) {
        const ops::PageArray latent = take(layer.latent_page_bytes);
        caches_.push_back({.latent = latent, .index_keys = take(layer.index_page_bytes)});
    }
    return {};
}

// Runs a step of one token each for 1, 2, … sequences, so that the first requests find them recorded. What they write into
// the caches is in pages that nobody has yet.
void RankWorker::record_decodes() {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<int32_t> token = {0}, page = {0};
    schedule::StepPlan plan;
    ops::Batch batch;
    for (int count = 1; count <= std::min(limits_.max_num_seqs, kMostRecordedAtStart); ++count) {
        plan.sequences.push_back({.query_tokens = token, .pages = page, .wants_token = true});
        plan.num_tokens = count;
        batch = batch_builder_.build(plan);
        forward(batch);
    }
    int32_t ignored;
    backend_->copy_to_host(&ignored, batch.token_ids.first_rows(1), sizeof ignored);  // waits
    log_info("Graph capturing finished in {:.1f} s",
             std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

Status RankWorker::dump_activations(const std::string& directory) {
    GLM5_ASSIGN_OR_RETURN(dump_, model::ActivationDump::open(*backend_, directory));
    decoder_->set_observer(dump_->observer());
    return {};
}

ops::Tensor RankWorker::forward(const ops::Batch& batch) {
    const auto key = batch::repeat_key(batch);
    if (!limits_.repeat_decodes || !key || dump_) return decoder_->forward(batch, caches_);
    backend_->repeat(*key, [&] { decoder_->forward(batch, caches_); });
    return decoder_->logits(batch);
}

schedule::StepResult RankWorker::run(const schedule::StepPlan& plan) {
    return sampler_.sample(plan, forward(batch_builder_.build(plan)));
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
