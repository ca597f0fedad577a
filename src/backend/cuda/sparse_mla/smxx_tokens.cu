// Sparse MLA on every architecture, by mma.sync with keys in the rows of the product and 8 heads in its columns.
//
// A cluster computes a token and 8 heads; each of its CTAs takes a contiguous part of the chosen positions, in tiles of
// 32 keys that are gathered with cp.async. Per tile: 8 warps compute the scores, each of 16 keys over a quarter of the
// dimensions (S^T = C Q^T); then warp h makes the softmax weights of head h; then each warp adds to its 64 dimensions of
// the output (O^T += C^T P^T). The last step of a tile and the first of the next run without a barrier between them.
// The CTAs' results are combined in the order of their positions through distributed shared memory.
//
// FP8 entries are multiplied as they lie: an e4m3 code becomes the bf16 with the same sign, exponent and mantissa bits,
// which is 2^-120 times its value, exactly. The other operand carries 2^100 (also exact), sums carry 2^-20. The scales of
// a key multiply its scores, per group of 128 dimensions, and its softmax weight before that is rounded to bf16.
#include <cmath>

#include "backend/cuda/device/cluster.cuh"
#include "backend/cuda/device/copy.cuh"
#include "backend/cuda/device/launch_kernel.cuh"
#include "backend/cuda/device/mma.cuh"
#include "backend/cuda/device/order.cuh"
#include "backend/cuda/device/reduce.cuh"
#include "backend/cuda/shapes.h"
#include "backend/cuda/sparse_mla/groups.h"

namespace glm5::cuda {
namespace {

constexpr int kHeads = 8;  // of a CTA
constexpr int kTile = 32;  // keys
constexpr int kWarps = 8;
constexpr int kThreads = kWarps * 32;
constexpr int kMaxSplits = 16;   // CTAs of a cluster
constexpr int kParts = 4;        // of the dimensions of a score
constexpr int kWeightPitch = 40;  // of a head's weights: no bank conflicts between heads
constexpr int kOutPitch = kLatentDim + 4;

constexpr float kOperandFactor = 0x1p100f;
constexpr float kSumFactor = 0x1p20f;

template <bool fp8, int stages>
struct Shared {
    static constexpr int kEntryBytes = fp8 ? kFp8EntryBytes : kBf16EntryBytes;
    static constexpr int kChunks = kEntryBytes / 16;
    static constexpr int kStageBytes = kTile * kEntryBytes;
    static constexpr int kCopies = fp8 ? kLatentDim / 128 : 1;  // of the weights: each group has its own scale

    std::byte keys[stages][kStageBytes];  // the CTA's output [8, kOutPitch] f32 at the end
    union {
        float scores[kParts][kHeads][kTile];  // partial; key i of head h at i ^ (h / 2 · 8)
        struct {                              // of every CTA, when they are combined
            float all_largest[kMaxSplits][kHeads];
            float all_totals[kMaxSplits][kHeads];
        };
    };
    bf16 weights[kCopies][kHeads][kWeightPitch];
    float rescale[kHeads];
    float largest[kHeads];
    float total[kHeads];

    static constexpr int kOutBytes = kHeads * kOutPitch * 4;
    static_assert(kOutBytes <= stages * kStageBytes);

    // 16-byte chunk of a key's entry. FP8 entries are an odd number of chunks, so that chunks of 8 neighbours lie in
    // different banks; bf16 ones are swizzled.
    __device__ static int chunk_offset(int key, int chunk) {
        if constexpr (fp8) return key * kEntryBytes + chunk * 16;
        return key * kEntryBytes + ((chunk ^ (key & 7)) << 4);
    }
};

// Bytes 0 and 2, 1 and 3, of four e4m3 codes as bf16 pairs.
__device__ inline uint32_t even_codes(uint32_t codes) {
    return ((codes << 4) & 0x07f007f0) | ((codes << 8) & 0x80008000);
}
__device__ inline uint32_t odd_codes(uint32_t codes) {
    return ((codes >> 4) & 0x07f007f0) | (codes & 0x80008000);
}

// Both bf16 times 2^100.
__device__ inline uint32_t raise(uint32_t pair) {
    const float low = __uint_as_float(pair << 16) * kOperandFactor;
    const float high = __uint_as_float(pair & 0xffff0000u) * kOperandFactor;
    return (__float_as_uint(high) & 0xffff0000u) | (__float_as_uint(low) >> 16);
}

template <bool fp8, int stages>
struct Cta {
    using Memory = Shared<fp8, stages>;

    const SparseMlaParams& params;
    Memory& memory;
    int token, first_head;
    int first_key, end_key;  // among the token's chosen
    int warp, lane, group, quad;

    uint32_t query[18];    // this warp's quarter of the dimensions, head `group`
    float sum[4][4] = {};  // this warp's 64 dimensions, heads 2 quad and 2 quad + 1
    float largest = -INFINITY, total = 0;  // of head `warp`; total: this lane's share

    // Gathering. Eight lanes copy a key; each lane knows the key's position two tiles ahead and its place one ahead.
    const int32_t* page_row;
    int row;  // of a tile, that this lane helps to copy
    int next_place, position_after_next;

    __device__ Cta(const SparseMlaParams& p, Memory& m, int the_token, int the_first_head, int first, int end)
        : params(p), memory(m), token(the_token), first_head(the_first_head), first_key(first), end_key(end),
          warp(threadIdx.x / 32), lane(threadIdx.x % 32), group(lane / 4), quad(lane % 4),
          page_row(p.page_table + p.sequence_ids[the_token] * p.max_pages), row(warp * 4 + lane / 8) {}

    __device__ int num_tiles() const { return (end_key - first_key + kTile - 1) / kTile; }
    __device__ int position(int tile) const {
        const int key = first_key + tile * kTile + row;
        return key < end_key ? params.chosen[static_cast<int64_t>(token) * params.top_k + key] : -1;
    }
    __device__ int place(int at) const { return at < 0 ? -1 : page_row[at / kPage] * kPage + at % kPage; }

    // Keys beyond the end become zeros, so that their products with zero weights are zero.
    __device__ void copy_tile(int tile, int at) const {
        const std::byte* entry = params.pages;
        if (at >= 0) entry += (at / kPage) * params.page_bytes + (at % kPage) * Memory::kEntryBytes;
        const uint32_t base = shared_address(memory.keys[tile % stages]);
#pragma unroll
        for (int i = 0; i < (Memory::kChunks + 7) / 8; ++i) {
            const int chunk = i * 8 + lane % 8;
            if (Memory::kChunks % 8 == 0 || chunk < Memory::kChunks)
                copy_async_16_or_zero(base + Memory::chunk_offset(row, chunk), entry + chunk * 16, at >= 0);
        }
    }
    __device__ void start_copies() {
        int positions[stages + 2], places[stages + 1];
#pragma unroll
        for (int i = 0; i < stages + 2; ++i) positions[i] = position(i);
#pragma unroll
        for (int i = 0; i < stages + 1; ++i) places[i] = place(positions[i]);
#pragma unroll
        for (int i = 0; i < stages; ++i) {
            if (i < num_tiles()) copy_tile(i, places[i]);
            copy_async_commit();
        }
        next_place = places[stages];
        position_after_next = positions[stages + 1];
    }
    __device__ void copy_next(int tile) {
        if (tile < num_tiles()) copy_tile(tile, next_place);
        copy_async_commit();
        next_place = place(position_after_next);
        position_after_next = position(tile + 2);
    }

    __device__ void load_query() {
        const int part = warp / 2;
        const auto* words = reinterpret_cast<const uint32_t*>(
            params.query + (static_cast<int64_t>(token) * params.num_heads + first_head + group) * kQueryDim);
        if constexpr (fp8) {
            // The group of 128 dimensions `part`, in the order of even_codes and odd_codes; 16 of the rope dimensions.
#pragma unroll
            for (int step = 0; step < 8; ++step) {
                const uint2 four = *reinterpret_cast<const uint2*>(words + (part * 8 + step) * 8 + quad * 2);
                query[2 * step] = raise(__byte_perm(four.x, four.y, 0x5410));
                query[2 * step + 1] = raise(__byte_perm(four.x, four.y, 0x7632));
            }
            query[16] = words[(kLatentDim + part * 16) / 2 + quad];
            query[17] = words[(kLatentDim + part * 16) / 2 + quad + 4];
        } else {
#pragma unroll
            for (int step = 0; step < 9; ++step) {
                query[2 * step] = words[(part * 9 + step) * 8 + quad];
                query[2 * step + 1] = words[(part * 9 + step) * 8 + quad + 4];
            }
        }
    }

    // Partial scores of 16 keys over this warp's quarter of the dimensions.
    __device__ void score(int tile) {
        const int part = warp / 2, first = warp % 2 * 16;
        const std::byte* keys = memory.keys[tile % stages];
        const uint32_t base = shared_address(keys);
        const int key = first + lane % 16;
        float d[2][4] = {};
        uint32_t a[4];
        if constexpr (fp8) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {  // 32 dimensions
                load_matrices<false>(a, base + Memory::chunk_offset(key, part * 8 + 2 * i + lane / 16));
                mma_bf16(d[0], even_codes(a[0]), even_codes(a[1]), odd_codes(a[0]), odd_codes(a[1]), query[4 * i],
                         query[4 * i + 1]);
                mma_bf16(d[1], even_codes(a[2]), even_codes(a[3]), odd_codes(a[2]), odd_codes(a[3]), query[4 * i + 2],
                         query[4 * i + 3]);
            }
            const float scales[2] = {*scales_of(keys, first + group, part) * kSumFactor,
                                     *scales_of(keys, first + group + 8, part) * kSumFactor};
#pragma unroll
            for (int i = 0; i < 4; ++i) d[0][i] = (d[0][i] + d[1][i]) * scales[i / 2];
            constexpr int kRopeChunk = (kLatentDim + 16) / 16;
            load_matrices<false>(a, base + Memory::chunk_offset(key, kRopeChunk + part * 2 + lane / 16));
            mma_bf16(d[0], a[0], a[1], a[2], a[3], query[16], query[17]);
        } else {
#pragma unroll
            for (int i = 0; i < 9; ++i) {
                load_matrices<false>(a, base + Memory::chunk_offset(key, (part * 9 + i) * 2 + lane / 16));
                mma_bf16(d[i % 2], a[0], a[1], a[2], a[3], query[2 * i], query[2 * i + 1]);
            }
#pragma unroll
            for (int i = 0; i < 4; ++i) d[0][i] += d[1][i];
        }
        const int column = (first + group) ^ (quad * 8);  // heads 2 quad and 2 quad + 1 swizzle alike
        float* out = memory.scores[part][2 * quad];
        out[column] = d[0][0];
        out[kTile + column] = d[0][1];
        out[column ^ 8] = d[0][2];
        out[kTile + (column ^ 8)] = d[0][3];
    }
    __device__ static const float* scales_of(const std::byte* keys, int key, int index) {
        return reinterpret_cast<const float*>(keys + key * Memory::kEntryBytes + kLatentDim) + index;
    }

    // Softmax weights of head `warp`, key `lane`.
    __device__ void weigh(int tile, float scale_log2) {
        const int column = lane ^ (warp / 2 * 8);
        float score = 0;
#pragma unroll
        for (int part = 0; part < kParts; ++part) score += memory.scores[part][warp][column];
        score *= scale_log2;
        if (first_key + tile * kTile + lane >= end_key) score = -INFINITY;
        const float before = largest;
        largest = fmaxf(before, order_value(__reduce_max_sync(kAllLanes, order_key(score))));
        const float factor = exp2f(before - largest), weight = exp2f(score - largest);
        total = total * factor + weight;
        if (lane == 0) memory.rescale[warp] = factor;
        if constexpr (fp8) {
            const float4 scales = *reinterpret_cast<const float4*>(scales_of(memory.keys[tile % stages], lane, 0));
            memory.weights[0][warp][lane] = __float2bfloat16_rn(weight * (scales.x * kOperandFactor));
            memory.weights[1][warp][lane] = __float2bfloat16_rn(weight * (scales.y * kOperandFactor));
            memory.weights[2][warp][lane] = __float2bfloat16_rn(weight * (scales.z * kOperandFactor));
            memory.weights[3][warp][lane] = __float2bfloat16_rn(weight * (scales.w * kOperandFactor));
        } else {
            memory.weights[0][warp][lane] = __float2bfloat16_rn(weight);
        }
    }

    // Adds the tile's weighted latents to this warp's 64 dimensions.
    __device__ void add_values(int tile) {
        const float2 factor = *reinterpret_cast<const float2*>(memory.rescale + 2 * quad);
        if (__any_sync(kAllLanes, factor.x != 1 || factor.y != 1)) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                sum[i][0] *= factor.x, sum[i][1] *= factor.y;
                sum[i][2] *= factor.x, sum[i][3] *= factor.y;
            }
        }
        const auto* weights =
            reinterpret_cast<const uint32_t*>(memory.weights[fp8 ? warp / 2 : 0][group]);
        const uint32_t base = shared_address(memory.keys[tile % stages]);
#pragma unroll
        for (int step = 0; step < kTile / 16; ++step) {
            const uint32_t b0 = weights[step * 8 + quad], b1 = weights[step * 8 + quad + 4];
            uint32_t a[4];
            if constexpr (fp8) {
                // A matrix is 8 keys × 8 pairs of dimensions; rows g and g + 8 of the product are dimensions 2g, 2g + 1.
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const int key = step * 16 + lane % 16;
                    load_matrices<true>(a, base + Memory::chunk_offset(key, warp * 4 + 2 * i + lane / 16));
                    mma_bf16(sum[2 * i], even_codes(a[0]), odd_codes(a[0]), even_codes(a[1]), odd_codes(a[1]), b0, b1);
                    mma_bf16(sum[2 * i + 1], even_codes(a[2]), odd_codes(a[2]), even_codes(a[3]), odd_codes(a[3]), b0,
                             b1);
                }
            } else {
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int key = step * 16 + lane % 8 + lane / 16 * 8;
                    load_matrices<true>(a, base + Memory::chunk_offset(key, warp * 8 + 2 * i + lane / 8 % 2));
                    mma_bf16(sum[i], a[0], a[1], a[2], a[3], b0, b1);
                }
            }
        }
    }

    __device__ void run() {
        const float scale_log2 = params.scale * 1.4426950408889634f;
        start_copies();
        load_query();
        const int tiles = num_tiles();
        if (tiles == 0) return;
        copy_async_wait<stages - 1>();
        __syncthreads();
        score(0);
        for (int tile = 0; tile < tiles; ++tile) {
            __syncthreads();  // the scores are written, and the tile before is read
            if (tile > 0) copy_next(tile - 1 + stages);
            weigh(tile, scale_log2);
            copy_async_wait<stages - 2>();  // the next tile
            __syncthreads();
            add_values(tile);
            if (tile + 1 < tiles) score(tile + 1);
        }
    }

    // This CTA's output, largest scores and totals, to shared memory. Keys are not read any more after it begins.
    __device__ void store_partial() {
        copy_async_wait<0>();
        __syncthreads();
        auto* out = reinterpret_cast<float*>(memory.keys[0]);
        constexpr float kFactor = fp8 ? kSumFactor : 1.0f;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int first = warp * 64 + i * 16;
            const int low = fp8 ? first + 2 * group : first + group, high = fp8 ? low + 1 : low + 8;
            out[(2 * quad) * kOutPitch + low] = sum[i][0] * kFactor;
            out[(2 * quad + 1) * kOutPitch + low] = sum[i][1] * kFactor;
            out[(2 * quad) * kOutPitch + high] = sum[i][2] * kFactor;
            out[(2 * quad + 1) * kOutPitch + high] = sum[i][3] * kFactor;
        }
        total = sum_over(total);
        if (lane == 0) {
            memory.largest[warp] = largest;
            memory.total[warp] = total;
        }
    }

    // Each CTA finishes its share of the outputs of all CTAs of the cluster.
    __device__ void combine(int splits, int rank) {
        if (threadIdx.x < splits * kHeads) {
            const int split = threadIdx.x / kHeads, head = threadIdx.x % kHeads;
            const float its_largest = cluster_load_float(cluster_address(shared_address(&memory.largest[head]), split));
            const float its_total = cluster_load_float(cluster_address(shared_address(&memory.total[head]), split));
            memory.all_largest[split][head] = its_largest;
            memory.all_totals[split][head] = its_total;
        }
        __syncthreads();
        if (threadIdx.x < kHeads) {
            const int head = threadIdx.x;
            float top = -INFINITY, sum_of_weights = 0;
            for (int split = 0; split < splits; ++split) top = fmaxf(top, memory.all_largest[split][head]);
            for (int split = 0; split < splits; ++split) {
                const float its = memory.all_largest[split][head];
                const float factor = its == -INFINITY ? 0.0f : exp2f(its - top);  // no keys: its outputs are zero
                memory.all_largest[split][head] = factor;
                sum_of_weights += factor * memory.all_totals[split][head];
            }
            for (int split = 0; split < splits; ++split)
                memory.all_largest[split][head] *= sum_of_weights == 0 ? 0.0f : 1.0f / sum_of_weights;
        }
        __syncthreads();
        const uint32_t out = shared_address(memory.keys[0]);
        const int count = kHeads * kLatentDim / 2 / splits;  // pairs of dimensions
        for (int i = threadIdx.x; i < count; i += kThreads) {
            const int pair = rank * count + i;
            const int head = pair / (kLatentDim / 2), dim = pair % (kLatentDim / 2) * 2;
            float2 value = {0, 0};
#pragma unroll 8
            for (int split = 0; split < splits; ++split) {
                const float factor = memory.all_largest[split][head];
                const float2 part =
                    cluster_load_float2(cluster_address(out + (head * kOutPitch + dim) * 4, split));
                value.x += factor * part.x;
                value.y += factor * part.y;
            }
            auto* row = params.out + (static_cast<int64_t>(token) * params.num_heads + first_head + head) * kLatentDim;
            *reinterpret_cast<__nv_bfloat162*>(row + dim) = __floats2bfloat162_rn(value.x, value.y);
        }
    }
};

template <bool fp8, int stages>
__global__ void __launch_bounds__(kThreads, 2)
    tokens_kernel(const __grid_constant__ SparseMlaParams params, const __grid_constant__ DoneGroups done, int splits) {
    extern __shared__ __align__(128) std::byte shared[];
    auto& memory = *reinterpret_cast<Shared<fp8, stages>*>(shared);
    const int token = blockIdx.x / splits, rank = blockIdx.x % splits;
    let_next_start();
    wait_for_previous();
    if (done.sizes != nullptr && done.sizes[token / done.tokens_per_group] > 0) return;
    const int count = params.counts[token];
    const int tiles = (count + kTile - 1) / kTile, keys = (tiles + splits - 1) / splits * kTile;
    Cta<fp8, stages> cta(params, memory, token, blockIdx.y * kHeads, min(count, rank * keys),
                         min(count, (rank + 1) * keys));
    cta.run();
    cta.store_partial();
    cluster_sync();
    cta.combine(splits, rank);
    cluster_sync();  // no CTA leaves while others read its memory
}

// How many clusters of kMaxSplits CTAs run at once: none where so large ones are not supported.
template <bool fp8, int stages>
int most_large_clusters() {
    cudaLaunchAttribute attribute{.id = cudaLaunchAttributeClusterDimension};
    attribute.val.clusterDim = {kMaxSplits, 1, 1};
    const cudaLaunchConfig_t config{.gridDim = {kMaxSplits, 1, 1},
                                    .blockDim = {kThreads, 1, 1},
                                    .dynamicSmemBytes = sizeof(Shared<fp8, stages>),
                                    .stream = nullptr,
                                    .attrs = &attribute,
                                    .numAttrs = 1};
    int clusters = 0;
    check_cuda(cudaFuncSetAttribute(tokens_kernel<fp8, stages>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(sizeof(Shared<fp8, stages>))),
               "sparse_mla");
    if (cudaOccupancyMaxActiveClusters(&clusters, tokens_kernel<fp8, stages>, &config) == cudaSuccess) return clusters;
    cudaGetLastError();
    return 0;
}

// CTAs of a token and 8 heads: a power of two, so that about two CTAs of an SM have work and each has two tiles.
template <bool fp8, int stages>
int splits_of(const Launch& launch, const SparseMlaParams& params) {
    constexpr int kPortable = 8;
    const int64_t clusters = static_cast<int64_t>(params.num_tokens) * (params.num_heads / kHeads);
    int splits = 1;
    while (splits < kPortable && clusters * splits * 2 <= 2 * launch.num_sms && splits * 2 * 2 * kTile <= params.top_k)
        splits *= 2;
    if (splits < kPortable || clusters > 8 || params.top_k < kMaxSplits * 2 * kTile) return splits;
    static const int large_clusters = most_large_clusters<fp8, stages>();
    return clusters <= large_clusters ? kMaxSplits : splits;
}

template <bool fp8, int stages>
void start(const Launch& launch, const SparseMlaParams& params, const DoneGroups& done) {
    const auto kernel = tokens_kernel<fp8, stages>;
    check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1), "sparse_mla");
    // Of tokens that are left over from groups there are few.
    const int splits = done.sizes != nullptr ? 2 : splits_of<fp8, stages>(launch, params);
    launch_kernel(launch, "sparse_mla", kernel,
                  {.grid = dim3(static_cast<unsigned>(params.num_tokens * splits),
                                static_cast<unsigned>(params.num_heads / kHeads)),
                   .block = dim3(kThreads),
                   .shared_bytes = static_cast<int>(sizeof(Shared<fp8, stages>)),
                   .cluster = splits},
                  params, done, splits);
}

}  // namespace

void sparse_mla_tokens(const Launch& launch, const SparseMlaParams& params, const DoneGroups& done) {
    if (params.fp8)
        start<true, 4>(launch, params, done);
    else if (launch.architecture == 120)  // 99 KiB of shared memory
        start<false, 2>(launch, params, done);
    else
        start<false, 3>(launch, params, done);
}

}  // namespace glm5::cuda
