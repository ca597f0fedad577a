#include "backend/cuda/rotate/rotate.h"

#include "backend/cuda/device/convert.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/device/rope.cuh"
#include "backend/cuda/shapes.h"

namespace glm5::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kIndexLanes = kIndexDim / kVector;  // of one index head
constexpr int kRopeLanes = kRopeDim / kVector;    // of one head
constexpr int kIndexThreads = kIndexHeads * kIndexLanes;
static_assert(kIndexThreads % kThreads == 0, "a CTA has index heads or other heads");

// e4m3(rotated / scale), and the weight of the head times scale. Whole warps.
__device__ void rotate_index_query(const RotateParams& params, int64_t row, int item) {
    const int64_t head = row * kIndexHeads + item / kIndexLanes;
    const int lane = item % kIndexLanes;
    float values[kVector];
    load_bf16(values, params.index_q + head * kIndexDim + lane * kVector);
    if (lane < kRopeLanes) rotate(values, params.cos_sin + row * kRopeDim + lane * kVector);
    const float scale = index_scale(max_over<kIndexLanes>(largest_magnitude(values)));
#pragma unroll
    for (float& value : values) value *= inverse_power_of_two(scale);
    store_e4m3(params.index_query + head * kIndexDim + lane * kVector, values);
    if (lane == 0) params.index_weights[head] *= scale;
}

__device__ void rotate_query(const RotateParams& params, int64_t row, int item) {
    if (item >= params.num_heads * kRopeLanes) return;
    const int64_t head = row * params.num_heads + item / kRopeLanes;
    const int lane = item % kRopeLanes;
    float values[kVector];
    load_bf16(values, params.q + head * (kNopeDim + kRopeDim) + kNopeDim + lane * kVector);
    rotate(values, params.cos_sin + row * kRopeDim + lane * kVector);
    store_bf16(params.query + head * kQueryDim + kLatentDim + lane * kVector, values);
}

// One thread per vector of row blockIdx.x: those of the index heads, then those of the heads.
__global__ void __launch_bounds__(kThreads) rotate_kernel(RotateParams params) {
    const int item = blockIdx.y * kThreads + threadIdx.x;
    const int index_items = params.index_q != nullptr ? kIndexThreads : 0;
    let_next_start();
    wait_for_previous();
    if (item < index_items)
        rotate_index_query(params, blockIdx.x, item);
    else
        rotate_query(params, blockIdx.x, item - index_items);
}

}  // namespace

void rotate_queries(const Launch& launch, const RotateParams& params) {
    if (params.rows == 0) return;
    const int64_t items = (params.index_q != nullptr ? kIndexThreads : 0) + params.num_heads * kRopeLanes;
    const dim3 blocks(static_cast<unsigned>(params.rows), static_cast<unsigned>(ceil_div(items, kThreads)));
    launch_kernel(launch, "rotate_queries", rotate_kernel, {.grid = blocks, .block = dim3(kThreads)}, params);
}

}  // namespace glm5::cuda
