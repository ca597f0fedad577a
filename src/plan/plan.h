// make_plan: bytes of everything that a rank holds, from a config and a parallel layout. Pure: reads no weights,
// touches no device. What serve allocates is sized by it, and `glm5 plan` prints it.
//
//   pages = floor((memory · utilization − weights − step buffers − workspaces − communication − context − graphs) /
//                 page bytes), unless the cache's bytes are given
//
// docs/planning.md has the formulas and worked examples.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "layout/parallel_layout.h"
#include "plan/backend_form.h"
#include "plan/buffers.h"
#include "plan/device.h"
#include "plan/weights.h"

namespace glm5::plan {

// The CPU's cache when nothing is said of it.
inline constexpr int64_t kCpuCacheBytes = int64_t{2} << 30;

struct PlanOptions {
    Device device;
    double utilization = 1;      // share of the device's memory that may be used
    int64_t kv_cache_bytes = 0;  // 0: all that is left
    int max_model_len = 0;       // 0: the largest that fits, at most the config's
    int max_num_batched_tokens = 2048;
    int max_num_seqs = 128;
    int num_vocab_tokens = 0;  // 0: the config's vocab_size
    int num_threads = 1;       // CPU
    LatentFormat latent = LatentFormat::bf16;
    IndexKeyFormat index_key = IndexKeyFormat::e4m3;
    bool with_mtp = false;  // the MTP layer's weights and caches
    BackendForm form;
    StoredFormOf stored_form;  // empty: as published
};

// Per token, in all layers together.
struct CacheBytes {
    int64_t latent = 0;      // main layers
    int64_t index_keys = 0;  // main layers with an indexer of their own
    int64_t mtp = 0;         // the MTP layer's latent and index key

    int64_t per_token() const { return latent + index_keys + mtp; }
    int64_t per_page() const { return per_token() * kPageTokens; }
};

// Bytes are of one rank; all ranks are alike.
struct Plan {
    PlanOptions options;
    layout::ParallelLayout layout;
    StepSizes sizes;  // max_model_len as resolved

    WeightBytes weights;
    std::vector<Buffer> step_buffers, workspaces, communication;
    int64_t context_bytes = 0;  // what the driver takes for a process
    int64_t graphs_bytes = 0;
    CacheBytes cache;
    int64_t budget_bytes = 0;  // memory · utilization
    int64_t num_pages = 0;     // of 64 tokens; every rank of a group holds the same ones

    int64_t largest_model_len = 0;  // that fits, at most the config's
    Status fit;                     // resource_exhausted and the reason, in one line

    int64_t fixed_bytes() const;  // all but the cache
    int64_t cache_bytes() const { return num_pages * cache.per_page(); }
    int64_t planned_bytes() const { return fixed_bytes() + cache_bytes(); }
    int64_t num_tokens() const { return num_pages * kPageTokens; }  // of one data-parallel group
    int64_t num_tokens_of_all() const { return num_tokens() * layout.data; }
    // Sequences of `model_len` tokens that the caches of all groups hold.
    double concurrency(int64_t model_len) const;
};

// Errors: invalid_argument for a layout that does not cut the config evenly, or a max_model_len beyond the config's. A
// model that does not fit is a Plan whose `fit` says so.
Result<Plan> make_plan(const config::Config& config, const layout::ParallelLayout& layout, const PlanOptions& options);

}  // namespace glm5::plan
