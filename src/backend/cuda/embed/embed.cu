#include "backend/cuda/embed/embed.h"

#include "backend/cuda/device/convert.cuh"

namespace glm5::cuda {
namespace {

constexpr int kThreads = 256;

// One CTA per row.
template <bool table_is_f32>
__global__ void __launch_bounds__(kThreads) embed_kernel(EmbedParams params) {
    const int64_t wanted = params.ids[blockIdx.x];
    const int64_t id = wanted >= 0 && wanted < params.vocab_size ? wanted : 0;
    for (int64_t i = threadIdx.x * kVector; i < params.width; i += kThreads * kVector) {
        float values[kVector];
        if constexpr (table_is_f32)
            load_float(values, static_cast<const float*>(params.table) + id * params.width + i);
        else
            load_bf16(values, static_cast<const bf16*>(params.table) + id * params.width + i);
        store_bf16(params.out + blockIdx.x * params.width + i, values);
    }
}

// One thread per pair. sincosf reduces its argument over the full range.
__global__ void __launch_bounds__(kThreads) rope_table_kernel(RopeTableParams params) {
    const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (index >= params.rows * params.pairs) return;
    const float angle = static_cast<float>(params.positions[index / params.pairs]) *
                        params.inverse_frequency[index % params.pairs];
    float2 out;
    sincosf(angle, &out.y, &out.x);
    reinterpret_cast<float2*>(params.cos_sin)[index] = out;
}

}  // namespace

void embed(const Launch& launch, const EmbedParams& params) {
    if (params.rows == 0) return;
    const auto kernel = params.table_is_f32 ? embed_kernel<true> : embed_kernel<false>;
    kernel<<<static_cast<unsigned>(params.rows), kThreads, 0, launch.stream>>>(params);
    check_launch("embed");
}

void rope_table(const Launch& launch, const RopeTableParams& params) {
    if (params.rows == 0) return;
    const auto blocks = static_cast<unsigned>(ceil_div(params.rows * params.pairs, kThreads));
    rope_table_kernel<<<blocks, kThreads, 0, launch.stream>>>(params);
    check_launch("rope_table");
}

}  // namespace glm5::cuda
