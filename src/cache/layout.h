// Layout: how many bytes the caches of a model take, per layer and page (docs/kv_cache.md has the bytes within a page).
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"
#include "config/config.h"

namespace glm5::cache {

struct LayerLayout {
    int64_t latent_page_bytes = 0;
    int64_t index_page_bytes = 0;  // 0 in layers without an indexer of their own
};

struct Layout {
    std::vector<LayerLayout> layers;

    static Layout compute(const config::Config& config, LatentFormat latent, IndexKeyFormat index_key);

    // Of one page number, in all layers together.
    int64_t page_bytes() const;
};

}  // namespace glm5::cache
