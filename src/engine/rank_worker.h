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
    int num_pages = 0;
    int num_vocab_tokens = 0;
};

class RankWorker {
public:
    using Progress = std::function<void(int64_t loaded_bytes, int64_t total_bytes)>;

    // Loads the weights and allocates everything that steps need.
    static Result<std::unique_ptr<RankWorker>> open(std::unique_ptr<ops::Backend> backend,
                                                    const load::Checkpoint& checkpoint, const cache::Layout& layout,
                                                    const RankLimits& limits, const Progress& progress);

    // Writes the named tensors of every later step below `directory`.
    Status dump_activations(const std::string& directory);

    schedule::StepResult run(const schedule::StepPlan& plan);

    MemoryStats memory() const;

private:
    RankWorker(std::unique_ptr<ops::Backend> backend, std::unique_ptr<model::Decoder> decoder,
               const cache::Layout& layout, const RankLimits& limits, std::vector<int32_t> eos_token_ids);

    std::unique_ptr<ops::Backend> backend_;
    std::unique_ptr<model::ActivationDump> dump_;  // outlives the decoder, which observes through it
    std::unique_ptr<model::Decoder> decoder_;
    std::vector<ops::LayerCache> caches_;  // per layer
    const int64_t cache_bytes_;
    batch::BatchBuilder batch_builder_;
    sample::Sampler sampler_;
};

}  // namespace glm5::engine
