// mla_prologue, and the bytes of a token in a cache page: the latent with its rotated key, and the index key.
// latent_row and index_page_of read them back.
#include <bit>
#include <cstring>

#include "backend/cpu/backend.h"

namespace glm5::cpu {
namespace {

constexpr float kIndexNormEps = 1e-6f;  // fixed by the model, whatever rms_norm_eps is

// Of fp8_ds_mla: the scale of 128 latent values.
float latent_scale(float largest_magnitude) {
    return std::max(largest_magnitude / 448.0f, 1.1754944e-38f);
}

int64_t entry_bytes(LatentFormat format, int64_t latent_dim, int64_t rope_dim) {
    switch (format) {
        case LatentFormat::f32: return 4 * (latent_dim + rope_dim);
        case LatentFormat::bf16: return 2 * (latent_dim + rope_dim);
        case LatentFormat::fp8_ds_mla: return latent_dim + 4 * num_blocks(latent_dim) + 2 * rope_dim;
    }
    return 0;
}

std::byte* entry_of(const ops::PageArray& pages, int64_t slot, int64_t bytes) {
    GLM5_CHECK(pages.page_bytes >= bytes * kPageTokens, "{} bytes a page, {} bytes a token", pages.page_bytes, bytes);
    return pages.data + slot / kPageTokens * pages.page_bytes + slot % kPageTokens * bytes;
}

}  // namespace

float e4m3_index_scale(float largest_magnitude) {
    const float wanted = std::max(largest_magnitude, 1e-4f) / 448.0f;
    return std::bit_cast<float>((std::bit_cast<uint32_t>(wanted) + 0x7fffff) & 0x7f800000);
}

void CpuBackend::mla_prologue(const ops::MlaPrologueArgs& args) {
    const int64_t rows = args.q_a.rows(), q_width = args.q_a.shape[1];
    const int64_t kv_width = args.kv_a.shape[1], index_dim = args.index_k ? args.index_k.shape[1] : 0;
    const int64_t rope_dim = args.cos_sin.shape[1] * 2;
    const int32_t* slots = args.batch->slots.as<int32_t>();
    for_rows(rows, q_width + 2 * kv_width + 4 * index_dim, [&](int64_t token, int thread) {
        kernels_.rms_norm(args.q_norm.values.as<float>() + token * q_width, args.q_a.as<float>() + token * q_width,
                          args.q_a_norm_weight.as<float>(), args.eps, q_width, rounds());
        quantise_row(args.q_norm, token);

        auto* row = thread_memory_[thread].get<float>(std::max(kv_width, index_dim));
        write_latent(args, token, slots[token], row);
        if (!args.index_k) return;
        kernels_.layer_norm(row, args.index_k.as<float>() + token * index_dim, args.index_k_norm_weight.as<float>(),
                            args.index_k_norm_bias.as<float>(), kIndexNormEps, index_dim);
        kernels_.rope(row, row, args.cos_sin.as<float>() + token * rope_dim, rope_dim, false);
        write_index_key(args.cache.index_keys, slots[token], row, index_dim);
    });
}

// `row` is room for latent_dim + rope_dim values.
void CpuBackend::write_latent(const ops::MlaPrologueArgs& args, int64_t token, int64_t slot, float* row) {
    const LatentFormat format = numerics_.latent;
    const int64_t rope_dim = args.cos_sin.shape[1] * 2, width = args.kv_a.shape[1], latent_dim = width - rope_dim;
    const float* kv_a = args.kv_a.as<float>() + token * width;
    // The FP8 codes are taken of the norm itself, not of its rounding to bf16.
    kernels_.rms_norm(row, kv_a, args.kv_a_norm_weight.as<float>(), args.eps, latent_dim,
                      rounds() && format != LatentFormat::fp8_ds_mla);
    kernels_.rope(row + latent_dim, kv_a + latent_dim, args.cos_sin.as<float>() + token * rope_dim, rope_dim, rounds());

    std::byte* entry = entry_of(args.cache.latent, slot, entry_bytes(format, latent_dim, rope_dim));
    if (format == LatentFormat::f32) {
        std::memcpy(entry, row, width * sizeof(float));
    } else if (format == LatentFormat::bf16) {
        kernels_.pack_bf16(reinterpret_cast<uint16_t*>(entry), row, width);
    } else {
        std::byte* scales = entry + latent_dim;
        for (int64_t begin = 0; begin < latent_dim; begin += kBlock) {
            const int64_t count = std::min<int64_t>(kBlock, latent_dim - begin);
            const float scale = latent_scale(kernels_.largest_magnitude(row + begin, count));
            kernels_.quantise(reinterpret_cast<uint8_t*>(entry) + begin, row + begin, scale, count);
            std::memcpy(scales + begin / kBlock * 4, &scale, 4);
        }
        kernels_.pack_bf16(reinterpret_cast<uint16_t*>(scales + 4 * num_blocks(latent_dim)), row + latent_dim,
                           rope_dim);
    }
}

// The values of a cached latent and its rotated key. f32 entries are read where they stand.
const float* CpuBackend::latent_row(const ops::PageArray& pages, int64_t slot, int64_t latent_dim, int64_t rope_dim,
                                    float* row) const {
    const std::byte* entry = entry_of(pages, slot, entry_bytes(numerics_.latent, latent_dim, rope_dim));
    if (numerics_.latent == LatentFormat::f32) return reinterpret_cast<const float*>(entry);
    if (numerics_.latent == LatentFormat::bf16) {
        kernels_.expand_bf16(row, reinterpret_cast<const uint16_t*>(entry), latent_dim + rope_dim);
        return row;
    }
    const std::byte* scales = entry + latent_dim;
    for (int64_t begin = 0; begin < latent_dim; begin += kBlock) {
        float scale;
        std::memcpy(&scale, scales + begin / kBlock * 4, 4);
        kernels_.expand_e4m3(row + begin, reinterpret_cast<const uint8_t*>(entry) + begin, scale,
                             std::min<int64_t>(kBlock, latent_dim - begin));
    }
    kernels_.expand_bf16(row + latent_dim, reinterpret_cast<const uint16_t*>(scales + 4 * num_blocks(latent_dim)),
                         rope_dim);
    return row;
}

// f32: [dim, 64] within a page, so that a page is a GEMM panel. e4m3: 64 keys [64, dim], then 64 scales.
void CpuBackend::write_index_key(const ops::PageArray& pages, int64_t slot, const float* key, int64_t dim) {
    std::byte* page = pages.data + slot / kPageTokens * pages.page_bytes;
    const int64_t entry = slot % kPageTokens;
    if (numerics_.index_key == IndexKeyFormat::f32) {
        GLM5_CHECK(pages.page_bytes >= kPageTokens * dim * 4, "{} bytes a page, dimension {}", pages.page_bytes, dim);
        auto* out = reinterpret_cast<float*>(page) + entry;
        for (int64_t i = 0; i < dim; ++i) out[i * kPageTokens] = key[i];
        return;
    }
    GLM5_CHECK(pages.page_bytes >= kPageTokens * (dim + 4), "{} bytes a page, dimension {}", pages.page_bytes, dim);
    const float scale = e4m3_index_scale(kernels_.largest_magnitude(key, dim));
    kernels_.quantise(reinterpret_cast<uint8_t*>(page) + entry * dim, key, scale, dim);
    std::memcpy(page + kPageTokens * dim + entry * 4, &scale, 4);
}

// A page of index keys as a panel [dim, 64]. f32 pages are read where they stand; of others the values and scales go to
// `panel`, room for 64 · (dim + 1) values and another key.
CpuBackend::IndexKeys CpuBackend::index_keys(const ops::PageArray& pages, int64_t page_number, int64_t dim,
                                             float* panel) const {
    const std::byte* page = pages.data + page_number * pages.page_bytes;
    if (numerics_.index_key == IndexKeyFormat::f32) return {reinterpret_cast<const float*>(page), nullptr};
    float* scales = panel + kPageTokens * dim;
    float* key = scales + kPageTokens;
    for (int64_t entry = 0; entry < kPageTokens; ++entry) {
        kernels_.expand_e4m3(key, reinterpret_cast<const uint8_t*>(page) + entry * dim, 1.0f, dim);
        for (int64_t i = 0; i < dim; ++i) panel[i * kPageTokens + entry] = key[i];
    }
    std::memcpy(scales, page + kPageTokens * dim, kPageTokens * sizeof(float));
    return {panel, scales};
}

}  // namespace glm5::cpu
