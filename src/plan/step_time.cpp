#include "plan/step_time.h"

#include <algorithm>
#include <cmath>

namespace glm5::plan {

StepBytes step_bytes(const config::Config& config, const Plan& plan, int64_t num_seqs, int64_t context) {
    const WeightBytes& weights = plan.weights;
    const auto routed = static_cast<double>(weights[WeightPart::routed_experts]);
    StepBytes bytes;
    bytes.weights = static_cast<double>(weights.total() - weights[WeightPart::embedding] -
                                        weights[WeightPart::routed_experts] - weights[WeightPart::mtp_layer]);
    // A token leaves an expert out with probability 1 − k / E.
    const double left_out = 1 - static_cast<double>(config.num_experts_per_token) / config.num_experts;
    bytes.routed_experts = routed * (1 - std::pow(left_out, static_cast<double>(num_seqs)));

    const int64_t rank_seqs = (num_seqs + plan.layout.data - 1) / plan.layout.data;
    bytes.latent = static_cast<double>(rank_seqs * std::min<int64_t>(context, config.index_top_k) * plan.cache.latent);
    if (context > config.index_top_k)
        bytes.index_keys = static_cast<double>(rank_seqs * context * plan.cache.index_keys);
    return bytes;
}

double step_seconds(const Device& device, const StepBytes& bytes) {
    GLM5_CHECK(device.bytes_per_second > 0, "{}", device.name);
    return bytes.total() / device.bytes_per_second;
}

}  // namespace glm5::plan
