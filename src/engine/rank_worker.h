// RankWorker: one device: its weights, caches, step buffers and sampler. Runs planned steps; decides nothing.
// Every method is called by the thread that made it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "batch/batch_builder.h"
#include "cache/layout.h"
#include "load/checkpoint.h"
#include "model/activation_dump.h"
#include "model/decoder.h"
#include "ops/backend.h"
#include "sample/sampler.h"
#include "schedule/step_plan.h"

namespace glm5::engine {

struct RankLimits {
    int max_num_seqs = 0;
    int max_num_batched_tokens = 0;
    int max_model_len = 0;
    int num_pages = 0;  // at most
    int num_vocab_tokens = 0;
    int64_t reserved_bytes = 0;   // of a GPU's memory that the caches leave free
    bool repeat_decodes = false;  // steps of single tokens are repeated (Backend::repeat)
};

class RankWorker {
public:
    using Progress = std::function<void(int64_t loaded_bytes, int64_t total_bytes)>;

    // Loads the weights and allocates everything that steps need. Errors: those of the checkpoint; resource_exhausted when
    // the device has no memory for one page, or less than was planned for the rest; io_error when it fails.
    static Result<std::unique_ptr<RankWorker>> open(std::unique_ptr<ops::Backend> backend,
                                                    const load::Checkpoint& checkpoint, const cache::Layout& layout,
                                                    const RankLimits& limits, const Progress& progress);

    // Writes the named tensors of every later step below `directory`.
    Status dump_activations(const std::string& directory);

    // Throws ops::DeviceFault when the device fails; nothing can be run after that.
    schedule::StepResult run(const schedule::StepPlan& plan);

    // As many as were asked for, or what fits beside everything else.
    int num_pages() const { return num_pages_; }
    MemoryStats memory() const;

private:
    static Result<std::unique_ptr<RankWorker>> load(std::unique_ptr<ops::Backend> backend,
                                                    const load::Checkpoint& checkpoint, const cache::Layout& layout,
                                                    const RankLimits& limits, const Progress& progress);
    RankWorker(std::unique_ptr<ops::Backend> backend, std::unique_ptr<model::Decoder> decoder, const RankLimits& limits,
               std::vector<int32_t> eos_token_ids);
    Status allocate_caches(const cache::Layout& layout);
    void record_decodes();
    ops::Tensor forward(const ops::Batch& batch);

    const RankLimits limits_;
    std::unique_ptr<ops::Backend> backend_;
    std::unique_ptr<model::ActivationDump> dump_;  // outlives the decoder, which observes through it
    std::unique_ptr<model::Decoder> decoder_;
    batch::BatchBuilder batch_builder_;
    sample::Sampler sampler_;
    std::vector<ops::LayerCache> caches_;  // per layer
    int num_pages_ = 0;
    int64_t cache_bytes_ = 0;
};

}  // namespace glm5::engine
