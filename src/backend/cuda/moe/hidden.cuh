// What stands between gate_up and down: the gated values of a pair, and their FP8 form.
#pragma once

#include <cuda_fp8.h>

#include "backend/cuda/moe/moe.h"

namespace glm5::cuda {

// R(silu(R(gate)) · R(up))
__device__ inline float gated(float gate, float up) {
    const float a = __bfloat162float(__float2bfloat16_rn(gate)), b = __bfloat162float(__float2bfloat16_rn(up));
    return __bfloat162float(__float2bfloat16_rn(a / (1.0f + expf(-a)) * b));
}

// One warp: the 128 values of a pair, four a lane.
template <bool e4m3>
__device__ void store_hidden(const MoeParams& params, int64_t pair, int first_row, float4 gate, float4 up) {
    const int lane = threadIdx.x % 32;
    const float values[4] = {gated(gate.x, up.x), gated(gate.y, up.y), gated(gate.z, up.z), gated(gate.w, up.w)};
    const int64_t at = pair * params.width + first_row + lane * 4;
    if constexpr (!e4m3) {
        union {
            uint2 words;
            __nv_bfloat162 pairs[2];
        } out;
        out.pairs[0] = __floats2bfloat162_rn(values[0], values[1]);
        out.pairs[1] = __floats2bfloat162_rn(values[2], values[3]);
        *reinterpret_cast<uint2*>(static_cast<bf16*>(params.hidden_values) + at) = out.words;
        return;
    }
    float largest = 0;
    for (float value : values) largest = fmaxf(largest, fabsf(value));
    for (int distance = 16; distance > 0; distance /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, distance));
    const float scale = fmaxf(largest, 1e-10f) / 448.0f;
    uint32_t codes = 0;
    for (int i = 0; i < 4; ++i)
        codes |= static_cast<uint32_t>(__nv_cvt_float_to_fp8(values[i] / scale, __NV_SATFINITE, __NV_E4M3)) << 8 * i;
    *reinterpret_cast<uint32_t*>(static_cast<uint8_t*>(params.hidden_values) + at) = codes;
    if (lane == 0) params.hidden_scales[pair * (params.width / 128) + first_row / 128] = scale;
}

}  // namespace glm5::cuda
