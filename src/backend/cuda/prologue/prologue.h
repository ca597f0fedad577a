// mla_prologue (ops/mla.h): the norm of q_a, and a token's entries in the caches.
#pragma once

#include "backend/cuda/launch.h"

namespace glm5::cuda {

struct PrologueParams {
    bf16* q_norm = nullptr;       // [rows, q_width]
    uint8_t* q_codes = nullptr;   // its FP8 form in tiles; null: none
    float* q_scales = nullptr;
    std::byte* latent_pages = nullptr;
    int64_t latent_page_bytes = 0;
    bool latent_is_fp8 = false;    // fp8_ds_mla, otherwise bf16
    std::byte* index_pages = nullptr;
    int64_t index_page_bytes = 0;

    const bf16* q_a = nullptr;      // [rows, q_width]
    const bf16* kv_a = nullptr;     // [rows, kLatentDim + kRopeDim]
    const bf16* index_k = nullptr;  // [rows, kIndexDim]; null: no index key
    const float* cos_sin = nullptr;  // [rows, kRopeDim / 2, 2]
    const int32_t* slots = nullptr;  // [rows]
    const float* q_weight = nullptr;
    const float* latent_weight = nullptr;
    const float* index_weight = nullptr;
    const float* index_bias = nullptr;
    int64_t rows = 0;
    int64_t q_width = 0;  // a multiple of 8, of 128 with an FP8 form, at most kMostPrologueWidth
    float eps = 0;
};
inline constexpr int64_t kMostPrologueWidth = 7168;
void mla_prologue(const Launch& launch, const PrologueParams& params);

}  // namespace glm5::cuda
