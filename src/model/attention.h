// Attention of one layer: MLA over the positions that the layer's indexer, or the one it shares, chose.
#pragma once

#include "model/step.h"
#include "model/weights.h"

namespace glm5::model {

// Reads buffers.hidden, writes the caches of the step's tokens, and leaves the output in buffers.delta.
void attention(const Step& step, const AttentionWeights& weights, const ops::LayerCache& cache);

}  // namespace glm5::model
