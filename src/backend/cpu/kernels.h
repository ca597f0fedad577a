// The single-threaded kernels of one instruction set, as a table of functions over plain memory. Each has one source in
// kernels/, compiled once per instruction set. A float array is row major and needs no alignment.
//
// What a kernel computes for one row, head or key does not depend on what else the call covers.
#pragma once

#include <cstdint>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/simd/inline.h"

namespace glm5::cpu {

inline constexpr int kPanelColumns = 64;  // outputs of a packed panel, and keys of a cache page
inline constexpr int kBlock = 128;        // inputs that share one scale in FP8
inline constexpr int kDepthStep = 256;    // inputs of a panel that all rows go through at a time; whole blocks
inline constexpr int kMaxGemmRows = 192;  // rows of one call

// What a call of gemm_panel may scribble on.
struct alignas(64) GemmScratch {
    float panel[kDepthStep * kPanelColumns];
    float sums[kMaxGemmRows * kPanelColumns];
};

enum class PanelFormat : uint8_t { f32, bf16, e4m3 };  // e4m3: with block scales and without NaN

// out[m, n] = Σ_k x[m][k] · panel[k, n] for n < columns; with block scales Σ_b factor · Σ_{k in b} …, where the factor
// is block_scales[b] · row_scales[m][b]. Each sum runs over k in order.
struct GemmPanel {
    const float* const* x;           // [rows] → [depth]
    const float* const* row_scales;  // [rows] → [ceil(depth / 128)], or null
    int rows;                        // ≤ kMaxGemmRows
    int64_t depth;
    PanelFormat format;
    const void* panel;          // [depth, 64]
    const float* block_scales;  // [ceil(depth / 128)], or null
    float* out;                 // row m at out + m · out_stride
    int64_t out_stride;
    int columns;  // ≤ 64
    bool round;   // the result to bf16
    GemmScratch* scratch;
};

// scores[t, s] = key_scales[s] · Σ_h weights[t, h] · max(0, queries[t, h] · page[:, s]), summed by head in order.
struct IndexPage {
    const float* queries;  // [tokens, heads, dim]
    const float* weights;  // [tokens, heads]
    int tokens;
    int heads;
    int64_t dim;
    const float* page;        // [dim, 64]
    const float* key_scales;  // [64], or null for ones
    float* scores;            // token t at scores + t · scores_stride, 64 of them
    int64_t scores_stride;
};

// Attention of one token over chosen keys, for some heads.
struct Attention {
    const float* query;  // [heads, latent_dim + rope_dim]
    int heads;
    const float* const* keys;  // [num_keys] → [latent_dim + rope_dim]
    int num_keys;
    int64_t latent_dim, rope_dim;
    float scale;
    bool round;      // probabilities and output to bf16
    float* out;      // [heads, latent_dim]
    float* scratch;  // [ceil(heads / 4), attention_scratch_floats(num_keys)]
};
// Four scores for every key and for those that fill up its last tile or vector.
GLM5_INLINE int64_t attention_scratch_floats(int64_t num_keys) {
    return (num_keys + 8) / 4 * 4 * 4;
}

struct Kernels {
    void (*gemm_panel)(const GemmPanel&);
    void (*index_page)(const IndexPage&);
    void (*attention)(const Attention&);

    // Rows of n values; out may be x unless said otherwise.
    void (*add)(float* x, const float* delta, int64_t n, bool round);
    void (*multiply)(float* x, float factor, int64_t n);
    void (*rms_norm)(float* out, const float* x, const float* weight, float eps, int64_t n, bool round);
    void (*layer_norm)(float* out, const float* x, const float* weight, const float* bias, float eps, int64_t n);
    // Pairs (x[2i], x[2i + 1]) turned by the angle of (cos, sin) i; n is even.
    void (*rope)(float* out, const float* x, const float* cos_sin, int64_t n, bool round);
    void (*silu_multiply)(float* gate, const float* up, int64_t n, bool round);  // gate = R(silu(gate) · up)
    void (*sigmoid)(float* x, int64_t n);
    void (*round)(float* x, int64_t n);
    // out = R(Σ_i weights[i] · rows[i] + last), in order.
    void (*weighted_sum)(float* out, const float* const* rows, const float* weights, int count, const float* last,
                         int64_t n, bool round);

    // FP8 and bf16 forms. quantise: out = e4m3(x / scale) with one scale for the row.
    float (*largest_magnitude)(const float* x, int64_t n);
    void (*quantise)(uint8_t* out, const float* x, float scale, int64_t n);
    void (*expand_e4m3)(float* out, const uint8_t* x, float scale, int64_t n);
    void (*pack_bf16)(uint16_t* out, const float* x, int64_t n);
    void (*expand_bf16)(float* out, const uint16_t* x, int64_t n);
};

// GLM5_CHECKs that this machine runs the set.
const Kernels& kernels_for(InstructionSet set);

namespace scalar {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

}  // namespace glm5::cpu
