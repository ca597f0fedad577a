#include "backend/cuda/repack/repack.h"

#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kThreads = 256;

// One thread per 16-byte chunk of the output, in the order of a row: reads of neighbours are neighbours.
template <RepackSource source>
__global__ void __launch_bounds__(kThreads) repack_kernel(RepackParams params) {
    constexpr int kValues = source == RepackSource::fp8 ? 16 : 8;  // of a chunk
    const int64_t chunks_per_row = params.k_tiles * 8;
    const int64_t padded_rows = round_up(params.rows, kTileRows);
    const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (index >= padded_rows * chunks_per_row) return;
    const int64_t row = index / chunks_per_row, chunk = index % chunks_per_row, first = chunk * kValues;

    union {
        uint4 vector;
        uint8_t bytes[16];
        bf16 values[8];
    } out;
    out.vector = make_uint4(0, 0, 0, 0);
    if (row < params.rows) {
        for (int i = 0; i < kValues; ++i) {
            if (first + i >= params.columns) break;
            const int64_t at = row * params.columns + first + i;
            if constexpr (source == RepackSource::fp8) out.bytes[i] = static_cast<const uint8_t*>(params.in)[at];
            if constexpr (source == RepackSource::bfloat16) out.values[i] = static_cast<const bf16*>(params.in)[at];
            if constexpr (source == RepackSource::float32)
                out.values[i] = __float2bfloat16_rn(static_cast<const float*>(params.in)[at]);
        }
    }
    *reinterpret_cast<uint4*>(params.out + tiled_offset(row, chunk * 16, params.k_tiles)) = out.vector;
}

}  // namespace

void repack(const Launch& launch, const RepackParams& params) {
    const int64_t chunks = round_up(params.rows, kTileRows) * params.k_tiles * 8;
    const auto blocks = static_cast<unsigned>(ceil_div(chunks, kThreads));
    switch (params.source) {
        case RepackSource::fp8: repack_kernel<RepackSource::fp8><<<blocks, kThreads, 0, launch.stream>>>(params); break;
        case RepackSource::bfloat16:
            repack_kernel<RepackSource::bfloat16><<<blocks, kThreads, 0, launch.stream>>>(params);
            break;
        case RepackSource::float32:
            repack_kernel<RepackSource::float32><<<blocks, kThreads, 0, launch.stream>>>(params);
            break;
    }
    check_launch("repack");
}

}  // namespace glm5::cuda
