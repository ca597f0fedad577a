// ModelRun: a decoder with caches of its own, for tests; on the CPU unless it is given another backend. Pages are handed out in random order, unwritten
// cache bytes are NaN patterns, and page-table entries beyond a context are wild, so that a paging error shows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "batch/batch_builder.h"
#include "load/checkpoint.h"
#include "model/decoder.h"
#include "ops/backend.h"

namespace glm5::model {

// Relative to the checkout.
inline std::string source_path(const std::string& path) {
    return std::string(GLM5_SOURCE_DIR) + "/" + path;
}

std::unique_ptr<load::Checkpoint> open_checkpoint(const std::string& path);

// All roundings of a CUDA run on an FP8 checkpoint, but for the latents' format.
inline ops::Numerics fp8_numerics(LatentFormat latent) {
    return {.activation = ops::ActivationFormat::bf16,
            .linear_input = ops::LinearInput::fp8_1x128,
            .latent = latent,
            .index_key = IndexKeyFormat::e4m3};
}

struct RunOptions {
    ops::Numerics numerics;
    int num_threads = 2;
    int max_tokens = 2048;
    int num_pages = 128;
    uint32_t page_seed = 1;
    std::function<std::unique_ptr<ops::Backend>(const ops::Numerics& numerics)> make_backend;  // empty: the CPU's
};

// A sequence whose first num_computed tokens are in the caches.
struct TestSequence {
    std::vector<int32_t> pages;
    int num_computed = 0;
};

class ModelRun {
public:
    // Aborts when the model cannot be opened.
    explicit ModelRun(const std::string& path, const RunOptions& options = {});

    const config::Config& config() const { return checkpoint_->config(); }
    ops::Backend& backend() { return *backend_; }
    Decoder& decoder() { return *decoder_; }

    struct Part {
        TestSequence* sequence;
        std::span<const int32_t> tokens;  // the next ones
    };
    enum class Rows { none, last, all };  // whose logits: nobody's, the last token's of each part, every token's

    // Runs one step and returns its logits, row after row.
    std::vector<float> step(std::span<const Part> parts, Rows rows = Rows::all);

    // Computes `tokens` in chunks of at most `chunk_tokens`; the logits of every token.
    std::vector<float> prefill(TestSequence& sequence, std::span<const int32_t> tokens, int chunk_tokens);

    // Whether later steps of Rows::last that only decode are repeated, as the engine does (Backend::repeat).
    void repeat_decodes(bool repeats) { repeats_ = repeats; }

    // Gives the pages back.
    void release(TestSequence& sequence);

private:
    void grow(TestSequence& sequence, size_t num_tokens);
    void spoil_undefined_pages(const ops::Tensor& page_table, std::span<const Part> parts);

    std::unique_ptr<load::Checkpoint> checkpoint_;
    std::unique_ptr<ops::Backend> backend_;
    std::unique_ptr<Decoder> decoder_;
    std::unique_ptr<batch::BatchBuilder> batches_;
    ops::Tensor every_row_;  // [max_tokens] 0, 1, 2, …
    std::vector<ops::LayerCache> caches_;
    std::vector<int32_t> free_pages_;
    std::mt19937 random_;
    bool repeats_ = false;
};

// The expected values of a fixture: one tensor of a safetensors file.
std::vector<float> read_golden_f32(const std::string& path, const std::string& tensor);
std::vector<int32_t> read_golden_i32(const std::string& path, const std::string& tensor);

// The largest |a - b|; a difference in size or a NaN counts as infinite.
float largest_difference(std::span<const float> a, std::span<const float> b);

// True when every bit agrees.
bool same_bits(std::span<const float> a, std::span<const float> b);

}  // namespace glm5::model
