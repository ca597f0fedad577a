// A floor under the time of a decode step: the bytes that a rank must read, over the bandwidth of its memory. Not
// counted: activations, logits, communication, launches.
#pragma once

#include "config/config.h"
#include "plan/plan.h"

namespace glm5::plan {

struct StepBytes {
    double weights = 0;         // read whole: attention, indexer, router, dense and shared MLPs, norms, head
    double routed_experts = 0;  // those that some token of the step chose, if choices are independent
    double latent = 0;          // of the chosen positions
    double index_keys = 0;      // of the whole context, once it is longer than index_topk

    double total() const { return weights + routed_experts + latent + index_keys; }
};

// One token each of `num_seqs` sequences, spread over the data-parallel groups, with `context` tokens before it. The
// MTP layer is left out.
StepBytes step_bytes(const config::Config& config, const Plan& plan, int64_t num_seqs, int64_t context);

// Requires a device of known bandwidth.
double step_seconds(const Device& device, const StepBytes& bytes);

}  // namespace glm5::plan
