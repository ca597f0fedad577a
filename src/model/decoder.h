// Decoder: GLM-5's forward pass (docs/model.md), written once against ops::Backend. Owns the weights' handles and the
// step buffers; the caches are the caller's. Belongs to the thread that owns the backend.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/status.h"
#include "config/config.h"
#include "load/tensor_source.h"
#include "model/observer.h"
#include "model/step.h"
#include "model/weights.h"
#include "ops/backend.h"

namespace glm5::model {

class Decoder {
public:
    // Loads the weights, allocates the step buffers for `limits`, and prepares the backend. `backend` outlives the
    // decoder. Errors name the tensor, what was expected and what was found.
    static Result<std::unique_ptr<Decoder>> load(const config::Config& config, const load::TensorSource& source,
                                                 ops::Backend& backend, const ops::StepLimits& limits,
                                                 const LoadProgress& progress);

    // Runs one step: writes the cache entries of its tokens, and returns the logits of its rows,
    // [batch.num_logit_rows, vocab_size] f32, valid until the next call. `caches` has one entry per layer.
    ops::Tensor forward(const ops::Batch& batch, std::span<const ops::LayerCache> caches);

    // What forward returns for `batch`, where its calls are repeated without it (Backend::repeat).
    ops::Tensor logits(const ops::Batch& batch) const { return buffers_.logits.first_rows(batch.num_logit_rows); }

    // Shows every named intermediate of the steps that follow.
    void set_observer(ActivationObserver observer) { observer_ = std::move(observer); }

    const Weights& weights() const { return weights_; }

private:
    Decoder(const config::Config& config, ops::Backend& backend, const ops::StepLimits& limits, Weights weights);

    void add_norm(const StepBuffers& buffers, const ops::Tensor& delta, const ops::Tensor& weight);
    void observe(std::string_view name, const ops::Tensor& tensor) const;

    const config::Config config_;
    ops::Backend& backend_;
    const Weights weights_;
    const StepBuffers buffers_;
    ActivationObserver observer_;
};

}  // namespace glm5::model
