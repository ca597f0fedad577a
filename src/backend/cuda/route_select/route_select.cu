#include "backend/cuda/route_select/route_select.h"

#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/order.cuh"
#include "backend/cuda/device/reduce.cuh"

namespace glm5::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kPerLane = kMostExperts / 32;

// One warp per row; lane l has the experts l, l + 32, … In each round the largest key of g + bias wins, equal keys by the
// lower expert; NaN counts as -inf. A key that won, or that has no expert, is 0, below that of -inf.
__global__ void __launch_bounds__(kWarps * 32) route_select_kernel(RouteSelectParams params) {
    const int lane = threadIdx.x % 32;
    const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
    let_next_start();
    wait_for_previous();
    if (row >= params.rows) return;
    const float* logits = params.logits + row * params.num_experts;

    float gates[kPerLane];
    uint32_t keys[kPerLane];
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
        const int expert = lane + 32 * i;
        gates[i] = 0, keys[i] = 0;
        if (expert >= params.num_experts) continue;
        gates[i] = 1.0f / (1.0f + expf(-logits[expert]));
        const float choice = gates[i] + params.bias[expert];
        keys[i] = order_key(choice == choice ? choice : -INFINITY);
    }

    // Lane s keeps what slot s chose.
    int chosen_expert = 0;
    float chosen_gate = 0, total = 0;
    for (int slot = 0; slot < params.top_k; ++slot) {
        uint32_t key = 0;
        float gate = 0;
        int expert = 0;
#pragma unroll
        for (int i = 0; i < kPerLane; ++i)
            if (keys[i] > key) key = keys[i], gate = gates[i], expert = lane + 32 * i;
        const uint32_t best_key = __reduce_max_sync(kAllLanes, key);
        const unsigned best = __reduce_min_sync(kAllLanes, key == best_key ? static_cast<unsigned>(expert) : ~0u);
        gate = __shfl_sync(kAllLanes, gate, best % 32);
        total += gate;
        if (lane == slot) chosen_expert = static_cast<int>(best), chosen_gate = gate;
#pragma unroll
        for (int i = 0; i < kPerLane; ++i)
            if (best == static_cast<unsigned>(lane + 32 * i)) keys[i] = 0;
    }
    if (lane >= params.top_k) return;
    const float weight = params.normalise ? chosen_gate / (total + 1e-20f) : chosen_gate;
    params.expert_ids[row * params.top_k + lane] = chosen_expert;
    params.expert_weights[row * params.top_k + lane] = weight * params.scaling;
}

}  // namespace

void route_select(const Launch& launch, const RouteSelectParams& params) {
    if (params.rows == 0) return;
    launch_kernel(launch, "route_select", route_select_kernel,
                  {.grid = dim3(static_cast<unsigned>(ceil_div(params.rows, kWarps))), .block = dim3(kWarps * 32)}, params);
}

}  // namespace glm5::cuda
