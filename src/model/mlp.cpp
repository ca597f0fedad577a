#include "model/mlp.h"

namespace glm5::model {

void dense_mlp(const Step& step, const ops::GatedMlp& weights) {
    step.backend.dense_mlp({.out = step.buffers.delta, .in = step.buffers.hidden, .weights = weights});
    step.observe("mlp_out", step.buffers.delta);
}

void mixture_of_experts(const Step& step, const MoeWeights& weights) {
    const StepBuffers& buffers = step.buffers;
    step.backend.route({.expert_ids = buffers.expert_ids,
                        .expert_weights = buffers.expert_weights,
                        .in = buffers.hidden,
                        .gate = weights.gate,
                        .bias = weights.bias,
                        .scaling = step.config.routed_scaling_factor,
                        .normalise = true});
    step.observe("expert_ids", buffers.expert_ids);
    step.observe("expert_weights", buffers.expert_weights);

    step.backend.moe({.out = buffers.delta,
                      .in = buffers.hidden,
                      .expert_ids = buffers.expert_ids,
                      .expert_weights = buffers.expert_weights,
                      .experts = weights.experts,
                      .shared = weights.shared});
    step.observe("mlp_out", buffers.delta);
}

}  // namespace glm5::model
