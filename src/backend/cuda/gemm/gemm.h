// gemm: out[b, t, n] = scale · Σ_k W[b, n, k] · x[b, t, k] for up to four layers in one launch, all with the same
// tokens.
//
// e4m3 layers: both operands in tiles with scales (tiles.h); a product of 128 values is summed by the tensor core, then
// scaled and added in float32. bf16 layers: W in tiles, x row major; sums in float32. The order of a sum depends on the
// layer's shape only, not on the number of tokens within one kernel.
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

struct GemmLayer {
    const uint8_t* weight = nullptr;       // [batch, row_tiles, k_tiles] tiles
    const float* weight_scales = nullptr;  // e4m3: [batch, ceil(out_features / 128), k_tiles]
    const void* x = nullptr;               // e4m3: tiles [·, k_tiles]; bf16: rows
    const float* x_scales = nullptr;       // e4m3: see scale_index
    const int32_t* x_rows = nullptr;       // bf16: the row of x that token t reads; null: t
    void* out = nullptr;                   // bf16 or f32
    int64_t x_row_stride = 0;              // in values, as all strides; bf16 only
    int64_t x_batch_stride = 0;            // bf16 only; e4m3 layers have batch 1
    int64_t out_row_stride = 0;
    int64_t out_batch_stride = 0;
    int batch = 1;
    int out_features = 0;
    int row_tiles = 0;  // ceil(out_features / 64)
    int k_tiles = 0;
    bool e4m3 = false;
    bool out_f32 = false;
    float out_scale = 1;
};

inline constexpr int kMaxGemmLayers = 4;

struct GemmParams {
    GemmLayer layers[kMaxGemmLayers];
    int num_layers = 0;
    int num_tokens = 0;
};

void gemm(const Launch& launch, const GemmParams& params);

// The forms behind gemm().
void gemm_smxx(const Launch& launch, const GemmParams& params);                 // every architecture
void gemm_sm90_few_rows(const Launch& launch, const GemmParams& params);        // tokens in the columns of wgmma
void gemm_sm90_many_rows_e4m3(const Launch& launch, const GemmParams& params);  // batch 1, out bf16
void gemm_sm90_many_rows_bf16(const Launch& launch, const GemmLayer& layer, int num_tokens);

}  // namespace glm5::cuda
