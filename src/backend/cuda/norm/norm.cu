#include "backend/cuda/device/convert.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/quantise.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/norm/norm.h"

namespace glm5::cuda {
namespace {

constexpr int kQuantiseThreads = 256;

// One CTA per row, whose values stay in registers: thread t has vectors t, t + blockDim.x, … of eight values. Sums run by
// groups of 32 neighbouring vectors and then over the groups, in the same order for every number of threads.
template <int vectors_per_thread>
__global__ void __launch_bounds__(1024) add_norm_kernel(AddNormParams params) {
    __shared__ float group_sums[32 * vectors_per_thread];
    const int num_vectors = static_cast<int>(params.width) / kVector;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, num_warps = blockDim.x / 32;
    const int64_t row = blockIdx.x, first = row * params.width;

    let_next_start();
    wait_for_previous();
    float values[vectors_per_thread][kVector] = {};
    float weights[vectors_per_thread][kVector];
#pragma unroll
    for (int i = 0; i < vectors_per_thread; ++i) {
        const int vector = threadIdx.x + i * blockDim.x;
        if (vector >= num_vectors) continue;
        load_bf16(values[i], params.residual + first + vector * kVector);
        load_float(weights[i], params.weight + vector * kVector);
        if (params.delta == nullptr) continue;
        float delta[kVector];
        load_bf16(delta, params.delta + first + vector * kVector);
#pragma unroll
        for (int j = 0; j < kVector; ++j) values[i][j] += delta[j];
        round_bf16(values[i]);
        store_bf16(params.residual + first + vector * kVector, values[i]);
    }
#pragma unroll
    for (int i = 0; i < vectors_per_thread; ++i) {
        const float sum = sum_over(sum_of_squares(values[i]));
        if (lane == 0) group_sums[i * num_warps + warp] = sum;
    }
    __syncthreads();
    float sum = 0;
    for (int group = lane; group < vectors_per_thread * num_warps; group += 32) sum += group_sums[group];
    const float r = 1.0f / sqrtf(sum_over(sum) / static_cast<float>(params.width) + params.eps);

#pragma unroll
    for (int i = 0; i < vectors_per_thread; ++i) {
        const int vector = threadIdx.x + i * blockDim.x;
        const bool inside = vector < num_vectors;
        if (inside) {
#pragma unroll
            for (int j = 0; j < kVector; ++j) values[i][j] = values[i][j] * r * weights[i][j];
            round_bf16(values[i]);
            store_bf16(params.out + first + vector * kVector, values[i]);
        }
        if (params.codes != nullptr)
            store_quantised(params.codes, params.scales, row, vector, num_vectors / kBlockVectors, inside, values[i]);
    }
}

// One thread per vector of row blockIdx.x.
__global__ void __launch_bounds__(kQuantiseThreads) quantise_kernel(QuantiseParams params) {
    const int num_vectors = static_cast<int>(params.width) / kVector;
    const int vector = blockIdx.y * blockDim.x + threadIdx.x;
    let_next_start();
    wait_for_previous();
    const bool inside = vector < num_vectors;
    float values[kVector] = {};
    if (inside) load_bf16(values, params.values + blockIdx.x * params.width + vector * kVector);
    store_quantised(params.codes, params.scales, blockIdx.x, vector, num_vectors / kBlockVectors, inside, values);
}

}  // namespace

// Few rows: as many threads as a row has vectors, for the latency. Many: half of them, so that more rows are in flight.
void add_norm(const Launch& launch, const AddNormParams& params) {
    if (params.rows == 0) return;
    const int64_t vectors = params.width / kVector;
    const bool two = vectors > 1024 || (params.rows > launch.num_sms && vectors > 256);
    const auto threads = static_cast<unsigned>(round_up(two ? ceil_div(vectors, 2) : vectors, 32));
    const auto kernel = two ? add_norm_kernel<2> : add_norm_kernel<1>;
    launch_kernel(launch, "add_norm", kernel, {.grid = dim3(static_cast<unsigned>(params.rows)), .block = dim3(threads)},
                  params);
}

void quantise(const Launch& launch, const QuantiseParams& params) {
    if (params.rows == 0) return;
    const int64_t vectors = params.width / kVector;
    const int64_t threads = vectors < kQuantiseThreads ? round_up(vectors, 32) : kQuantiseThreads;
    const dim3 blocks(static_cast<unsigned>(params.rows), static_cast<unsigned>(ceil_div(vectors, threads)));
    launch_kernel(launch, "quantise", quantise_kernel,
                  {.grid = blocks, .block = dim3(static_cast<unsigned>(threads))}, params);
}

}  // namespace glm5::cuda
