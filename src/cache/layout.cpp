#include "cache/layout.h"

namespace glm5::cache {
namespace {

int64_t latent_bytes_per_token(const config::Config& config, LatentFormat format) {
    const int64_t latent = config.latent_dim, rope = config.rope_dim;
    switch (format) {
        case LatentFormat::f32: return 4 * (latent + rope);
        case LatentFormat::bf16: return 2 * (latent + rope);
        case LatentFormat::fp8_ds_mla: return latent + 4 * ((latent + 127) / 128) + 2 * rope;
    }
    return 0;
}

int64_t index_bytes_per_token(const config::Config& config, IndexKeyFormat format) {
    return format == IndexKeyFormat::f32 ? int64_t{4} * config.index_dim : int64_t{config.index_dim} + 4;
}

}  // namespace

Layout Layout::compute(const config::Config& config, LatentFormat latent, IndexKeyFormat index_key) {
    Layout layout;
    for (const config::LayerKind& kind : config.layers) {
        const bool full = kind.indexer == config::IndexerKind::full;
        layout.layers.push_back({.latent_page_bytes = kPageTokens * latent_bytes_per_token(config, latent),
                                 .index_page_bytes = full ? kPageTokens * index_bytes_per_token(config, index_key) : 0});
    }
    return layout;
}

int64_t Layout::page_bytes() const {
    int64_t bytes = 0;
    for (const LayerLayout& layer : layers) bytes += layer.latent_page_bytes + layer.index_page_bytes;
    return bytes;
}

}  // namespace glm5::cache
