// Sparse MLA for sm_90a by wgmma, 64 rows of (token, head) at a time: 8 tokens of 8 heads … 1 token of 64 heads, over the
// union of the positions that the tokens chose (groups.h). So a key that several tokens chose is read once.
//
// Two warpgroups multiply, a third gathers 64 keys a stage into swizzled shared memory, FP8 ones as bf16. Each of the two
// computes all scores, S[64, 64] = Q Kᵀ, and its own softmax, so that nothing is exchanged, and then its half of the
// latent dimensions, O[64, 256] += P V. V is K itself, read by columns; P stays in registers.
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cmath>

#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/device/wgmma.cuh"
#include "backend/cuda/shapes.h"
#include "backend/cuda/sparse_mla/groups.h"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

constexpr int kKeys = 64;  // of a stage
constexpr int kStages = 2;
constexpr int kTiles = kQueryDim / 64;  // of 64 dimensions: 8 of the latent, one of the rotated key
constexpr int kOperandBytes = kTiles * kTileBytes;
constexpr int kThreads = 384;
constexpr int kSharedBytes = 1024 + (1 + kStages) * kOperandBytes + kStages * kKeys + 2 * kStages * 8;

#ifdef GLM5_SM90
// d += weights · values for 16 keys. `values` describes keys in rows, dimensions in columns.
__device__ inline void add_values(float (&d)[128], const uint32_t (&weights)[4], uint64_t values) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
            "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
            "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
            "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
            "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
            "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
            "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
            "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
            "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
            "}, {%128, %129, %130, %131}, %132, 1, 1, 1, 1;\n"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
              "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
              "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
              "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),
              "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),
              "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),
              "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
              "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63]),
              "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]), "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71]),
              "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]), "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79]),
              "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]), "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87]),
              "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]), "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95]),
              "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99]), "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103]),
              "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107]), "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111]),
              "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115]), "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119]),
              "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123]), "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])
            : "r"(weights[0]), "r"(weights[1]), "r"(weights[2]), "r"(weights[3]), "l"(values));
}

// 16 keys × 256 dimensions: columns of 64 dimensions are a tile apart, groups of 8 keys 1024 bytes.
__device__ inline uint64_t values_descriptor(uint32_t address) {
    return uint64_t{1} << 62 | uint64_t{1024 >> 4} << 32 | uint64_t{kTileBytes >> 4} << 16 | ((address & 0x3ffff) >> 4);
}

struct Memory {
    uint32_t query, keys, full, empty;  // shared addresses
    std::byte* key_bytes;
    uint8_t* excluded;  // [kStages, kKeys]
};

// Gathers keys. Eight threads have a key, four keys a thread.
template <bool fp8>
class Gatherer {
public:
    __device__ Gatherer(const GroupParams& params, const Memory& memory, const uint32_t* list, int count,
                        const int32_t* page_row)
        : params_(params), memory_(memory), list_(list), count_(count), page_row_(page_row),
          row_(threadIdx.x % 128 / 8), chunk_(threadIdx.x % 8) {}

    __device__ void run() {
        constexpr int kEntryBytes = fp8 ? kFp8EntryBytes : kBf16EntryBytes;
        uint32_t entries[4], next_entries[4];
        int64_t places[4];
        const auto look_up = [&] {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int position = static_cast<int>(entries[i] & 0xffffff);
                places[i] = entries[i] == kNone ? -1
                                                : page_row_[position / kPage] * params_.tokens.page_bytes +
                                                      position % kPage * kEntryBytes;
            }
        };
        fetch(entries, 0);
        look_up();
        fetch(next_entries, 1);
        for (int tile = 0; tile * kKeys < count_; ++tile) {
            const int stage = tile % kStages;
            if (tile >= kStages) barrier_wait(memory_.empty + stage * 8, (tile / kStages & 1) ^ 1);
            if (chunk_ == 0) {
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    memory_.excluded[stage * kKeys + row_ + i * 16] = static_cast<uint8_t>(entries[i] >> 24);
            }
            copy(stage, places);
#pragma unroll
            for (int i = 0; i < 4; ++i) entries[i] = next_entries[i];
            look_up();
            fetch(next_entries, tile + 2);
            copy_async_wait<0>();
            async_proxy_fence();
            barrier_arrive(memory_.full + stage * 8);
        }
    }

private:
    static constexpr uint32_t kNone = 0xffffffff;  // excluded from every token

    __device__ void fetch(uint32_t (&entries)[4], int tile) const {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int key = tile * kKeys + row_ + i * 16;
            entries[i] = key < count_ ? list_[key] : kNone;
        }
    }
    __device__ void copy(int stage, const int64_t (&places)[4]) const {
        if constexpr (fp8) {
#pragma unroll
            for (int i = 0; i < 4; i += 2) convert(stage, i, places);
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = row_ + i * 16;
                const std::byte* entry = params_.tokens.pages + max(places[i], int64_t{0});
                const uint32_t out = memory_.keys + stage * kOperandBytes + tile_offset(row, chunk_);
#pragma unroll
                for (int tile = 0; tile < kTiles; ++tile)
                    copy_async_16_or_zero(out + tile * kTileBytes, entry + (tile * 8 + chunk_) * 16, places[i] >= 0);
            }
            copy_async_commit();
        }
    }
    // Keys i and i + 1 of this thread: of each, 16 codes of every group of 128, and 8 rope values.
    __device__ void convert(int stage, int i, const int64_t (&places)[4]) const {
        uint4 codes[2][4], rope[2];
        float4 scales[2];
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            const std::byte* entry = params_.tokens.pages + max(places[i + k], int64_t{0});
#pragma unroll
            for (int group = 0; group < 4; ++group)
                codes[k][group] = __ldg(reinterpret_cast<const uint4*>(entry + (group * 8 + chunk_) * 16));
            scales[k] = __ldg(reinterpret_cast<const float4*>(entry + kLatentDim));
            rope[k] = __ldg(reinterpret_cast<const uint4*>(entry + kLatentDim + 16 + chunk_ * 16));
        }
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            const bool valid = places[i + k] >= 0;
            const int row = row_ + (i + k) * 16;
            std::byte* out = memory_.key_bytes + stage * kOperandBytes;
#pragma unroll
            for (int group = 0; group < 4; ++group) {
                const float scale = group == 0   ? scales[k].x
                                    : group == 1 ? scales[k].y
                                    : group == 2 ? scales[k].z
                                                 : scales[k].w;
                const uint4& four = codes[k][group];
                uint4 low, high;
                expand(four.x, scale, valid, low.x, low.y);
                expand(four.y, scale, valid, low.z, low.w);
                expand(four.z, scale, valid, high.x, high.y);
                expand(four.w, scale, valid, high.z, high.w);
                const int tile = group * 2 + chunk_ / 4, chunk = chunk_ % 4 * 2;
                *reinterpret_cast<uint4*>(out + tile * kTileBytes + tile_offset(row, chunk)) = low;
                *reinterpret_cast<uint4*>(out + tile * kTileBytes + tile_offset(row, chunk + 1)) = high;
            }
            *reinterpret_cast<uint4*>(out + (kTiles - 1) * kTileBytes + tile_offset(row, chunk_)) =
                valid ? rope[k] : uint4{0, 0, 0, 0};
        }
    }
    // Four codes times their scale as bf16.
    __device__ static void expand(uint32_t codes, float scale, bool valid, uint32_t& low, uint32_t& high) {
        const float2 first = to_floats(static_cast<__nv_fp8x2_storage_t>(codes));
        const float2 second = to_floats(static_cast<__nv_fp8x2_storage_t>(codes >> 16));
        low = valid ? bf16x2(first.x * scale, first.y * scale) : 0;
        high = valid ? bf16x2(second.x * scale, second.y * scale) : 0;
    }
    __device__ static float2 to_floats(__nv_fp8x2_storage_t codes) {
        const __half2_raw halves = __nv_cvt_fp8x2_to_halfraw2(codes, __NV_E4M3);
        return __half22float2(__half2(halves));
    }

    const GroupParams& params_;
    const Memory& memory_;
    const uint32_t* list_;
    int count_;
    const int32_t* page_row_;
    int row_, chunk_;
};

// One warpgroup: rows g and g + 8 of each warp's 16, and dimensions 256 · half ….
__device__ inline void attend(const GroupParams& params, const Memory& memory, int count, int half, int num_rows,
                              int64_t first_row) {
    const int warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32, quad = lane % 4;
    const int row = warp * 16 + lane / 4;
    const float scale_log2 = params.tokens.scale * 1.4426950408889634f;
    // The bits of the two rows' tokens in an entry's exclusions.
    const uint32_t bits[2] = {1u << (row / params.tokens.num_heads), 1u << ((row + 8) / params.tokens.num_heads)};
    float sum[128], score[32];
    float largest[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};
#pragma unroll
    for (float& value : sum) value = 0;
    for (int tile = 0; tile * kKeys < count; ++tile) {
        const int stage = tile % kStages;
        const uint32_t keys = memory.keys + stage * kOperandBytes;
        barrier_wait(memory.full + stage * 8, tile / kStages & 1);
        wgmma_fence();
#pragma unroll
        for (int i = 0; i < kTiles; ++i)
            multiply_tile<kKeys, Operand::bf16>(score, memory.query + i * kTileBytes, keys + i * kTileBytes, i > 0);
        wgmma_commit();
        wgmma_wait<0>();
        keep_registers(score);

        float top[2] = {-INFINITY, -INFINITY};
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j) {
            const uint32_t excluded =
                *reinterpret_cast<const uint16_t*>(memory.excluded + stage * kKeys + j * 8 + quad * 2);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float& value = score[4 * j + i];
                value = (excluded >> (i % 2 * 8)) & bits[i / 2] ? -INFINITY : value * scale_log2;
                top[i / 2] = fmaxf(top[i / 2], value);
            }
        }
        float base[2], factor[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const float before = largest[i];
            largest[i] = fmaxf(before, max_over<4>(top[i]));
            base[i] = largest[i] == -INFINITY ? 0.0f : largest[i];  // no key of this token yet
            factor[i] = exp2f(before - base[i]);
            total[i] *= factor[i];
        }
        uint32_t weights[kKeys / 16][4];
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                score[4 * j + i] = exp2f(score[4 * j + i] - base[i / 2]);
                total[i / 2] += score[4 * j + i];
            }
            weights[j / 2][j % 2 * 2] = bf16x2(score[4 * j], score[4 * j + 1]);
            weights[j / 2][j % 2 * 2 + 1] = bf16x2(score[4 * j + 2], score[4 * j + 3]);
        }
#pragma unroll
        for (int i = 0; i < 128; ++i) sum[i] *= factor[i % 4 / 2];

        wgmma_fence();
#pragma unroll
        for (int step = 0; step < kKeys / 16; ++step)
            add_values(sum, weights[step], values_descriptor(keys + half * 4 * kTileBytes + step * 16 * kTileRowBytes));
        wgmma_commit();
        wgmma_wait<0>();
        keep_registers(sum);
        if (lane == 0) barrier_arrive(memory.empty + stage * 8);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        total[i] = sum_over<4>(total[i]);
        if (row + i * 8 >= num_rows) continue;
        const float scale = total[i] == 0 ? 0.0f : 1.0f / total[i];
        bf16* out = params.tokens.out + (first_row + row + i * 8) * kLatentDim + half * 256 + quad * 2;
#pragma unroll
        for (int j = 0; j < 32; ++j)
            *reinterpret_cast<uint32_t*>(out + j * 8) = bf16x2(sum[4 * j + 2 * i] * scale, sum[4 * j + 2 * i + 1] * scale);
    }
}
#endif

template <bool fp8>
__global__ void __launch_bounds__(kThreads, 1) groups_kernel(const __grid_constant__ GroupParams params) {
#ifdef GLM5_SM90
    extern __shared__ std::byte shared_memory[];
    const int group = static_cast<int>(gridDim.x - 1 - blockIdx.x);  // in prefill, the last have the most keys
    const int count = params.sizes[group];
    if (count == 0) return;
    std::byte* base = shared_memory + (1024 - shared_address(shared_memory) % 1024) % 1024;
    Memory memory{.query = shared_address(base), .keys = shared_address(base) + kOperandBytes, .full = 0, .empty = 0,
                  .key_bytes = base + kOperandBytes,
                  .excluded = reinterpret_cast<uint8_t*>(base) + (1 + kStages) * kOperandBytes};
    memory.full = shared_address(memory.excluded) + kStages * kKeys;
    memory.empty = memory.full + kStages * 8;
    if (threadIdx.x == 0) {
        for (int stage = 0; stage < kStages; ++stage) {
            barrier_init(memory.full + stage * 8, 128);
            barrier_init(memory.empty + stage * 8, 8);  // a lane of each warp that multiplies
        }
        barrier_init_fence();
    }
    // Rows of a group follow each other in the query.
    const int first_token = group * params.tokens_per_group;
    const int num_tokens = min(params.tokens_per_group, params.tokens.num_tokens - first_token);
    const int num_rows = num_tokens * params.tokens.num_heads;
    const int64_t first_row = static_cast<int64_t>(first_token) * params.tokens.num_heads;
    const auto* query = reinterpret_cast<const uint4*>(params.tokens.query + first_row * kQueryDim);
    for (int i = threadIdx.x; i < kTileRows * kTiles * 8; i += kThreads) {
        const int row = i / (kTiles * 8), chunk = i % (kTiles * 8);
        *reinterpret_cast<uint4*>(base + chunk / 8 * kTileBytes + tile_offset(row, chunk % 8)) =
            row < num_rows ? __ldg(query + i) : uint4{0, 0, 0, 0};
    }
    async_proxy_fence();
    __syncthreads();

    if (threadIdx.x >= 256) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 88;");
        const int32_t* page_row =
            params.tokens.page_table + params.tokens.sequence_ids[first_token] * params.tokens.max_pages;
        Gatherer<fp8>(params, memory, params.lists + group * params.list_stride, count, page_row).run();
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 208;");
        attend(params, memory, count, threadIdx.x / 128, num_rows, first_row);
    }
#endif
}

template <bool fp8>
void start(const Launch& launch, const GroupParams& params) {
    check_cuda(cudaFuncSetAttribute(groups_kernel<fp8>, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes),
               "sparse_mla_groups");
    const int64_t groups = ceil_div(params.tokens.num_tokens, params.tokens_per_group);
    groups_kernel<fp8><<<static_cast<unsigned>(groups), kThreads, kSharedBytes, launch.stream>>>(params);
    check_launch("sparse_mla_groups");
}

}  // namespace

void sparse_mla_groups_sm90(const Launch& launch, const GroupParams& params) {
    params.tokens.fp8 ? start<true>(launch, params) : start<false>(launch, params);
}

}  // namespace glm5::cuda
