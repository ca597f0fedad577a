// The choice of experts from the router's logits (ops/mlp.h, RouteArgs).
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

struct RouteSelectParams {
    int32_t* expert_ids = nullptr;    // [rows, top_k]
    float* expert_weights = nullptr;  // [rows, top_k]
    const float* logits = nullptr;    // [rows, num_experts]
    const float* bias = nullptr;      // [num_experts]
    int64_t rows = 0;
    int num_experts = 0;  // at most kMostExperts
    int top_k = 0;        // at most kMostExpertsPerToken, and num_experts
    float scaling = 1;
    bool normalise = true;
};
inline constexpr int kMostExperts = 256;
inline constexpr int kMostExpertsPerToken = 32;
void route_select(const Launch& launch, const RouteSelectParams& params);

}  // namespace glm5::cuda
