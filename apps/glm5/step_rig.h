// StepRig: one rank's part of a model with random weights and caches full of random entries, and the time of its steps.
// What `glm5 bench step` measures with.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "batch/batch_builder.h"
#include "model/decoder.h"
#include "op_filter.h"

namespace glm5 {

// `config` with what each of `tensor` ranks has of heads, MLP widths and vocabulary. Errors name the key that `tensor`
// does not divide.
Result<config::Config> rank_config(const config::Config& config, int tensor);

// A step in which every sequence computes its last query_len tokens.
struct StepShape {
    int num_seqs = 1;
    int query_len = 1;
    int context_len = 1;

    int num_tokens() const { return num_seqs * query_len; }
};

class StepRig {
public:
    struct Options {
        config::Config config;  // of the rank
        ops::Numerics numerics;
        int max_tokens = 0;
        int max_seqs = 0;
        int max_context = 0;
        int64_t most_cache_bytes = 0;  // the caches take this, or what the device has left
    };
    static Result<std::unique_ptr<StepRig>> open(std::unique_ptr<ops::Backend> backend, const Options& options,
                                                 const model::LoadProgress& progress);

    // The median of `repeats` times of a step, in microseconds; of one op's part of it when `op` is one of
    // OpFilter::kNames. The steps of a decode are repeated as a server repeats them (Backend::repeat).
    double step_us(const StepShape& shape, int repeats, std::string_view op = {});

    int64_t num_pages() const { return num_pages_; }
    // Whether sequences of this step share pages, because the caches do not hold all of them.
    bool shares_pages(const StepShape& shape) const;
    std::string description() const { return backend_->description(); }

private:
    StepRig(std::unique_ptr<OpFilter> backend, const Options& options);
    Status load(const Options& options, const model::LoadProgress& progress);
    void make_caches(const Options& options);
    void fill(const ops::PageArray& pages, const std::vector<std::byte>& entries);
    ops::Batch build(const StepShape& shape);

    std::unique_ptr<OpFilter> backend_;
    std::unique_ptr<model::Decoder> decoder_;
    std::vector<ops::LayerCache> caches_;
    batch::BatchBuilder batch_builder_;
    int64_t num_pages_ = 0;
    int vocab_size_ = 0;

    // What the plan of a step refers to.
    std::vector<int32_t> tokens_;
    std::vector<std::vector<int32_t>> page_tables_;
};

}  // namespace glm5
