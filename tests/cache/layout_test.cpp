// Cache sizes of the published models, per token (docs/kv_cache.md), against figures worked out from the formats.
#include "cache/layout.h"

#include <gtest/gtest.h>

namespace glm5::cache {
namespace {

// The cache dimensions of GLM-5; `num_full` of 78 layers have an indexer of their own.
config::Config glm5_config(int num_full) {
    config::Config config;
    config.latent_dim = 512;
    config.rope_dim = 64;
    config.index_dim = 128;
    config.layers.resize(78);
    for (int i = num_full; i < 78; ++i) config.layers[i].indexer = config::IndexerKind::shared;
    return config;
}

int64_t bytes_per_token(int num_full, LatentFormat latent, IndexKeyFormat index_key) {
    return Layout::compute(glm5_config(num_full), latent, index_key).page_bytes() / kPageTokens;
}

TEST(Layout, BytesPerTokenOfThePublishedModels) {
    EXPECT_EQ(bytes_per_token(78, LatentFormat::bf16, IndexKeyFormat::e4m3), 100152);
    EXPECT_EQ(bytes_per_token(78, LatentFormat::fp8_ds_mla, IndexKeyFormat::e4m3), 61464);
    EXPECT_EQ(bytes_per_token(21, LatentFormat::bf16, IndexKeyFormat::e4m3), 92628);
    EXPECT_EQ(bytes_per_token(21, LatentFormat::fp8_ds_mla, IndexKeyFormat::e4m3), 53940);
}

TEST(Layout, PageSizesAreThoseThatKernelsRead) {
    const Layout layout = Layout::compute(glm5_config(21), LatentFormat::fp8_ds_mla, IndexKeyFormat::e4m3);
    EXPECT_EQ(layout.layers[0].latent_page_bytes, 41984);
    EXPECT_EQ(layout.layers[0].index_page_bytes, 8448);
    EXPECT_EQ(layout.layers[77].index_page_bytes, 0);
    EXPECT_EQ(Layout::compute(glm5_config(21), LatentFormat::bf16, IndexKeyFormat::e4m3).layers[0].latent_page_bytes, 73728);
}

TEST(Layout, Glm5NanoIn32Bit) {
    config::Config config = glm5_config(4);
    config.layers.resize(4);
    EXPECT_EQ(Layout::compute(config, LatentFormat::f32, IndexKeyFormat::f32).page_bytes() / kPageTokens, 11264);
}

}  // namespace
}  // namespace glm5::cache
