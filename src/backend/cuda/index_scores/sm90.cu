// Index scores for sm_90a by wgmma, for many tokens of a sequence: a warpgroup has a page of 64 keys in the rows and the
// heads of 4 tokens in the 128 columns. Keys go from L2 to registers, and each page serves 16 tokens, whose queries lie in
// shared memory. Hopper sums FP8 products with about 14 bits of mantissa over the 128 dimensions.
#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/wgmma.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/index_scores/tile.cuh"

namespace glm5::cuda {
namespace {

constexpr int kTokens = 16;
constexpr int kGroups = 2;  // warpgroups
constexpr int kThreads = kGroups * 128;
constexpr int kTokenBytes = kIndexHeads * kIndexDim;
constexpr int kSharedBytes = 1024 + kTokens * kTokenBytes + kTokens * kIndexHeads * 4;

#ifdef GLM5_SM90
constexpr int kGroup = 4;  // tokens of one product

// d (+)= keys · queriesᵀ over 32 bytes of k.
__device__ inline void multiply(float (&d)[64], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint64_t queries,
                                bool accumulate) {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
            "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
            "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
            "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
            "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
            "}, {%64, %65, %66, %67}, %68, p, 1, 1;\n}\n"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
              "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
              "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
              "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),
              "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),
              "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),
              "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
              "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
            : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(queries), "r"(static_cast<int>(accumulate)));
}

// Chunk 16 q … of half j of a head's 128 bytes is words q of the 16-byte chunks j, 2 + j, 4 + j, 6 + j of its row: word
// 16 s + 4 j + q of a row is what lane q multiplies in step s as its j-th register.
__device__ inline void store_queries(const IndexScoresParams& params, uint8_t* queries, int first, int count) {
    for (int i = threadIdx.x; i < kTokens * kTokenBytes / 16; i += kThreads) {
        const int token = i / (kTokenBytes / 16), row = i / 8 % kIndexHeads, j = i % 8 / 4, q = i % 4;
        uint4 codes = {0, 0, 0, 0};
        if (token < count)
            codes = __ldg(reinterpret_cast<const uint4*>(params.query + static_cast<int64_t>(first + token) * kTokenBytes +
                                                         head_of_column(row) * kIndexDim + j * 64 + q * 16));
        const uint32_t words[4] = {codes.x, codes.y, codes.z, codes.w};
        auto* out = reinterpret_cast<uint32_t*>(queries + token * kTokenBytes + row * kIndexDim);
#pragma unroll
        for (int s = 0; s < 4; ++s) out[((2 * s + j) ^ (row & 7)) * 4 + q] = words[s];
    }
}

// Of keys g and g + 8 and four tokens: lane q gets those of token q, complete.
__device__ inline float2 sum_heads(const float (&d)[64], const float* weights, int lane) {
    float low[kGroup], high[kGroup];
#pragma unroll
    for (int token = 0; token < kGroup; ++token) {
        const auto* four = reinterpret_cast<const float4*>(weights + token * kIndexHeads + lane % 4 * 8);
        const float4 first = four[0], second = four[1];
        const float w[8] = {first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w};
        low[token] = high[token] = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const int at = token * 16 + i / 2 * 4 + i % 2;
            low[token] += fmaxf(d[at], 0.0f) * w[i];
            high[token] += fmaxf(d[at + 2], 0.0f) * w[i];
        }
    }
    // Exchange: of four sums of four lanes, one for each.
    const bool upper = lane & 2, odd = lane & 1;
    float2 pair[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        pair[i].x = (upper ? low[2 + i] : low[i]) + __shfl_xor_sync(kAllLanes, upper ? low[i] : low[2 + i], 2);
        pair[i].y = (upper ? high[2 + i] : high[i]) + __shfl_xor_sync(kAllLanes, upper ? high[i] : high[2 + i], 2);
    }
    return {(odd ? pair[1].x : pair[0].x) + __shfl_xor_sync(kAllLanes, odd ? pair[0].x : pair[1].x, 1),
            (odd ? pair[1].y : pair[0].y) + __shfl_xor_sync(kAllLanes, odd ? pair[0].y : pair[1].y, 1)};
}
#endif

__global__ void __launch_bounds__(kThreads, 2) index_scores_sm90_kernel(const __grid_constant__ IndexScoresParams params) {
#ifdef GLM5_SM90
    extern __shared__ uint8_t shared_memory[];
    uint8_t* queries = shared_memory + (1024 - shared_address(shared_memory) % 1024) % 1024;
    auto* weights = reinterpret_cast<float*>(queries + kTokens * kTokenBytes);
    const int first = blockIdx.y * kTokens, count = min(kTokens, params.num_tokens - first);
    const int group = threadIdx.x / 128, warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32;
    let_next_start();
    wait_for_previous();
    store_queries(params, queries, first, count);
    for (int i = threadIdx.x; i < kTokens * kIndexHeads; i += kThreads)
        weights[i] = i < count * kIndexHeads ? __ldg(params.weights + static_cast<int64_t>(first) * kIndexHeads + i) : 0;
    async_proxy_fence();
    __syncthreads();

    const uint32_t base = shared_address(queries);
    for (int begin = first; begin < first + count;) {
        const Run run = run_from(params, begin, first + count);
        KeyStream stream(params, run.sequence, blockIdx.x * kGroups + group, gridDim.x * kGroups, run.pages, warp * 16,
                         lane);
        stream.for_each([&](const IndexKeys& keys, int page) {
#pragma unroll 1
            for (int four = (run.begin - first) / kGroup; four * kGroup < run.end - first; ++four) {
                float d[64];
                const uint32_t operand = base + four * kGroup * kTokenBytes;
                wgmma_fence();
                const auto& [low, high] = keys.values;
                multiply(d, low[0].x, high[0].x, low[1].x, high[1].x, operand_descriptor(operand), false);
                multiply(d, low[0].y, high[0].y, low[1].y, high[1].y, operand_descriptor(operand + 32), true);
                multiply(d, low[0].z, high[0].z, low[1].z, high[1].z, operand_descriptor(operand + 64), true);
                multiply(d, low[0].w, high[0].w, low[1].w, high[1].w, operand_descriptor(operand + 96), true);
                wgmma_commit();
                wgmma_wait<0>();
                keep_registers(d);
                const float2 sum = sum_heads(d, weights + four * kGroup * kIndexHeads, lane);
                const int token = first + four * kGroup + lane % 4;
                if (token >= run.begin && token < run.end) {
                    float* row = params.scores + token * params.stride + page * kPage + warp * 16 + lane / 4;
                    row[0] = sum.x * keys.scales[0];
                    row[8] = sum.y * keys.scales[1];
                }
            }
        });
        begin = run.end;
    }
#endif
}

}  // namespace

void index_scores_sm90(const Launch& launch, const IndexScoresParams& params) {
    const int64_t tiles = ceil_div(params.num_tokens, kTokens);
    const int64_t wanted = int64_t{4} * launch.num_sms;  // two live on an SM
    const dim3 grid(index_splits(params, tiles, wanted), static_cast<unsigned>(tiles));
    launch_kernel(launch, "index_scores_sm90", index_scores_sm90_kernel,
                  {.grid = grid, .block = dim3(kThreads), .shared_bytes = kSharedBytes}, params);
}

}  // namespace glm5::cuda
