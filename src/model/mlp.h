// The feed-forward half of a layer: one dense MLP, or routed experts and a shared one.
#pragma once

#include "model/step.h"
#include "model/weights.h"

namespace glm5::model {

// Both read buffers.hidden and leave the output in buffers.delta.
void dense_mlp(const Step& step, const ops::GatedMlp& weights);
void mixture_of_experts(const Step& step, const MoeWeights& weights);

}  // namespace glm5::model
