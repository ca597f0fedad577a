// One CTA per token, one thread per vector of eight values: the first warps norm q_a, the next two the latent, and the last
// one rotates the two keys.
#include "backend/cuda/prologue/prologue.h"

#include "backend/cuda/device/convert.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/quantise.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/device/rope.cuh"
#include "backend/cuda/shapes.h"

namespace glm5::cuda {
namespace {

constexpr int kLatentWarps = kLatentDim / kVector / 32;
constexpr int kIndexLanes = kIndexDim / kVector;  // of the last warp
constexpr int kRopeLanes = kRopeDim / kVector;    // the lanes after those
static_assert(kLatentWarps == 2 && kIndexLanes == 16 && kRopeLanes == 8);
constexpr float kIndexNormEps = 1e-6f;  // fixed by the model, whatever rms_norm_eps is

__device__ std::byte* latent_entry(const PrologueParams& params, int slot) {
    const int64_t entry_bytes = params.latent_is_fp8 ? kFp8EntryBytes : kBf16EntryBytes;
    return params.latent_pages + slot / kPage * params.latent_page_bytes + slot % kPage * entry_bytes;
}

// values · r · weight, with r = 1 / sqrt(squares / count + eps).
__device__ void scale_norm(float (&values)[kVector], float squares, int64_t count, float eps, const float* weight) {
    const float r = 1.0f / sqrtf(squares / static_cast<float>(count) + eps);
    float weights[kVector];
    load_float(weights, weight);
#pragma unroll
    for (int i = 0; i < kVector; ++i) values[i] = values[i] * r * weights[i];
}

__device__ void write_query(const PrologueParams& params, int vector, float squares, float (&values)[kVector]) {
    const int64_t row = blockIdx.x;
    const bool inside = vector * kVector < params.q_width;
    if (inside) {
        scale_norm(values, squares, params.q_width, params.eps, params.q_weight + vector * kVector);
        round_bf16(values);
        store_bf16(params.q_norm + row * params.q_width + vector * kVector, values);
    }
    if (params.q_codes != nullptr)
        store_quantised(params.q_codes, params.q_scales, row, vector, static_cast<int>(params.q_width) / 128, inside,
                        values);
}

// In FP8 the codes are taken of the norm itself, not of its rounding to bf16.
__device__ void write_latent(const PrologueParams& params, int vector, float squares, float (&values)[kVector]) {
    std::byte* entry = latent_entry(params, params.slots[blockIdx.x]);
    scale_norm(values, squares, kLatentDim, params.eps, params.latent_weight + vector * kVector);
    if (!params.latent_is_fp8) {
        store_bf16(entry + vector * kVector * sizeof(bf16), values);
        return;
    }
    const float largest = max_over<kBlockVectors>(largest_magnitude(values));
    const float scale = fmaxf(largest / 448.0f, 1.1754944e-38f);
#pragma unroll
    for (float& value : values) value = value / scale;
    store_e4m3(entry + vector * kVector, values);
    if (vector % kBlockVectors == 0)
        *reinterpret_cast<float*>(entry + kLatentDim + vector / kBlockVectors * sizeof(float)) = scale;
}

// LayerNorm over the lanes of the index key. All lanes of the warp take part.
__device__ void layer_norm(const PrologueParams& params, int lane, float (&values)[kVector]) {
    float sum = 0;
#pragma unroll
    for (float value : values) sum += value;
    const float mean = sum_over<kIndexLanes>(sum) / kIndexDim;
    if (lane < kIndexLanes) {
#pragma unroll
        for (float& value : values) value -= mean;
    }
    const float squares = sum_over<kIndexLanes>(sum_of_squares(values));
    if (lane >= kIndexLanes) return;
    scale_norm(values, squares, kIndexDim, kIndexNormEps, params.index_weight + lane * kVector);
    float bias[kVector];
    load_float(bias, params.index_bias + lane * kVector);
#pragma unroll
    for (int i = 0; i < kVector; ++i) values[i] += bias[i];
}

// e4m3 keys of the page's 64 entries, then their scales. All lanes of the warp take part.
__device__ void write_index_key(const PrologueParams& params, int lane, float (&values)[kVector]) {
    const float scale = index_scale(max_over<kIndexLanes>(largest_magnitude(values)));
    if (lane >= kIndexLanes) return;
    const int slot = params.slots[blockIdx.x], entry = slot % kPage;
    std::byte* page = params.index_pages + slot / kPage * params.index_page_bytes;
#pragma unroll
    for (float& value : values) value *= inverse_power_of_two(scale);
    store_e4m3(page + entry * kIndexDim + lane * kVector, values);
    if (lane == 0) *reinterpret_cast<float*>(page + kPage * kIndexDim + entry * sizeof(float)) = scale;
}

__device__ void write_keys(const PrologueParams& params, int lane) {
    const int64_t row = blockIdx.x;
    const int rope_lane = lane - kIndexLanes;
    const bool is_index = lane < kIndexLanes && params.index_k != nullptr;
    const bool is_rope = rope_lane >= 0 && rope_lane < kRopeLanes;
    float values[kVector] = {};
    if (is_index) load_bf16(values, params.index_k + row * kIndexDim + lane * kVector);
    if (is_rope) load_bf16(values, params.kv_a + row * kQueryDim + kLatentDim + rope_lane * kVector);
    if (params.index_k != nullptr) layer_norm(params, lane, values);

    // An index key is rotated in its first kRopeDim values.
    const int pair_vector = is_rope ? rope_lane : lane;
    if (is_rope || (is_index && lane < kRopeLanes))
        rotate(values, params.cos_sin + row * kRopeDim + pair_vector * kVector);
    if (is_rope) {
        const int64_t latent_bytes =
            params.latent_is_fp8 ? kFp8EntryBytes - kRopeDim * sizeof(bf16) : kLatentDim * sizeof(bf16);
        store_bf16(latent_entry(params, params.slots[row]) + latent_bytes + rope_lane * kVector * sizeof(bf16), values);
    }
    if (params.index_k != nullptr) write_index_key(params, lane, values);
}

__global__ void __launch_bounds__(1024) mla_prologue_kernel(PrologueParams params) {
    __shared__ float warp_sums[32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int query_warps = blockDim.x / 32 - kLatentWarps - 1;
    const bool is_query = warp < query_warps, is_latent = !is_query && warp < query_warps + kLatentWarps;
    const int vector = is_query ? threadIdx.x : threadIdx.x - query_warps * 32;

    let_next_start();
    wait_for_previous();
    float values[kVector] = {};
    if (is_query && vector * kVector < params.q_width)
        load_bf16(values, params.q_a + blockIdx.x * params.q_width + vector * kVector);
    if (is_latent) load_bf16(values, params.kv_a + int64_t{blockIdx.x} * kQueryDim + vector * kVector);
    if (is_query || is_latent) {
        const float sum = sum_over(sum_of_squares(values));
        if (lane == 0) warp_sums[warp] = sum;
    }
    __syncthreads();
    if (is_query)
        write_query(params, vector, sum_over(lane < query_warps ? warp_sums[lane] : 0.0f), values);
    else if (is_latent)
        write_latent(params, vector, warp_sums[query_warps] + warp_sums[query_warps + 1], values);
    else
        write_keys(params, lane);
}

}  // namespace

void mla_prologue(const Launch& launch, const PrologueParams& params) {
    if (params.rows == 0) return;
    const int64_t warps = ceil_div(params.q_width / kVector, 32) + kLatentWarps + 1;
    launch_kernel(launch, "mla_prologue", mla_prologue_kernel,
                  {.grid = dim3(static_cast<unsigned>(params.rows)), .block = dim3(static_cast<unsigned>(warps * 32))},
                  params);
}

}  // namespace glm5::cuda
