#include "model/harness.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "backend/registry.h"
#include "cache/layout.h"
#include "load/safetensors.h"

namespace glm5::model {
namespace {

constexpr int kMaxSequences = 64;

ops::PageArray make_pages(ops::Backend& backend, int num_pages, int64_t page_bytes) {
    if (page_bytes == 0) return {};
    ops::Tensor memory = backend.allocate(DType::u8, {num_pages, page_bytes});
    const std::vector<uint8_t> poison(memory.bytes(), 0xff);
    backend.copy_to_device(memory, poison.data(), memory.bytes());
    return {.data = memory.as<std::byte>(), .page_bytes = page_bytes};
}

template <typename T>
std::vector<T> read_golden(const std::string& path, const std::string& tensor, DType dtype) {
    const auto file = load::File::open(path);
    const auto tensors = load::read_safetensors_header(file.value());
    for (const load::TensorInfo& info : tensors.value()) {
        if (info.name != tensor) continue;
        GLM5_CHECK(info.dtype == dtype);
        std::vector<T> values(info.num_bytes / sizeof(T));
        const Status status = file.value().read(info.file_offset, std::as_writable_bytes(std::span(values)));
        GLM5_CHECK(status.ok(), "{}", status.message());
        return values;
    }
    GLM5_CHECK(false, "{}: no tensor {}", path, tensor);
    return {};
}

}  // namespace

std::unique_ptr<load::Checkpoint> open_checkpoint(const std::string& path) {
    return load::Checkpoint::open(source_path(path)).value();
}

ModelRun::ModelRun(const std::string& path, const RunOptions& options)
    : checkpoint_(open_checkpoint(path)), random_(options.page_seed) {
    backend_ = options.make_backend
                   ? options.make_backend(options.numerics)
                   : backend::make_backend({.kind = "cpu", .num_threads = options.num_threads}, options.numerics).value();
    const ops::StepLimits limits = {.max_tokens = options.max_tokens,
                                    .max_context_tokens = std::min(int64_t{options.num_pages} * kPageTokens,
                                                                   int64_t{config().max_position_embeddings}),
                                    .max_logit_rows = options.max_tokens};
    decoder_ = Decoder::load(config(), *checkpoint_, *backend_, limits, {}).value();
    batches_ = std::make_unique<batch::BatchBuilder>(
        *backend_, batch::BatchLimits{.max_num_seqs = kMaxSequences,
                                      .max_num_tokens = options.max_tokens,
                                      .max_context_tokens = static_cast<int>(limits.max_context_tokens)});
    std::vector<int32_t> rows(options.max_tokens);
    std::iota(rows.begin(), rows.end(), 0);
    every_row_ = backend_->allocate(DType::i32, {options.max_tokens});
    backend_->copy_to_device(every_row_, rows.data(), every_row_.bytes());

    const auto layout = cache::Layout::compute(config(), options.numerics.latent, options.numerics.index_key);
    for (const cache::LayerLayout& layer : layout.layers)
        caches_.push_back({.latent = make_pages(*backend_, options.num_pages, layer.latent_page_bytes),
                           .index_keys = make_pages(*backend_, options.num_pages, layer.index_page_bytes)});
    free_pages_.resize(options.num_pages);
    std::iota(free_pages_.begin(), free_pages_.end(), 0);
    std::shuffle(free_pages_.begin(), free_pages_.end(), random_);
}

// Takes pages for the next `num_tokens` of the sequence.
void ModelRun::grow(TestSequence& sequence, size_t num_tokens) {
    sequence.num_computed += static_cast<int>(num_tokens);
    while (static_cast<int>(sequence.pages.size()) * kPageTokens < sequence.num_computed) {
        GLM5_CHECK(!free_pages_.empty());
        sequence.pages.push_back(free_pages_.back());
        free_pages_.pop_back();
    }
}

// What lies beyond each context is undefined: here it is no page at all.
void ModelRun::spoil_undefined_pages(const ops::Tensor& page_table, std::span<const Part> parts) {
    std::vector<int32_t> pages(page_table.elements(), std::numeric_limits<int32_t>::max());
    for (size_t i = 0; i < parts.size(); ++i)
        std::ranges::copy(parts[i].sequence->pages, pages.begin() + static_cast<int64_t>(i) * page_table.shape[1]);
    backend_->copy_to_device(page_table, pages.data(), page_table.bytes());
}

std::vector<float> ModelRun::step(std::span<const Part> parts, Rows rows) {
    schedule::StepPlan plan;
    for (const Part& part : parts) {
        TestSequence& sequence = *part.sequence;
        const int first_position = sequence.num_computed;
        grow(sequence, part.tokens.size());
        plan.sequences.push_back({.first_position = first_position,
                                  .query_tokens = part.tokens,
                                  .pages = sequence.pages,
                                  .wants_token = rows == Rows::last});
        plan.num_tokens += static_cast<int>(part.tokens.size());
    }
    ops::Batch batch = batches_->build(plan);
    spoil_undefined_pages(batch.page_table, parts);
    if (rows == Rows::all) {
        batch.num_logit_rows = batch.num_tokens;
        batch.logit_rows = every_row_.first_rows(batch.num_tokens);
    }
    const auto key = rows == Rows::last && repeats_ ? batch::repeat_key(batch) : std::nullopt;
    if (key)
        backend_->repeat(*key, [&] { decoder_->forward(batch, caches_); });
    else
        decoder_->forward(batch, caches_);
    const ops::Tensor logits = decoder_->logits(batch);
    std::vector<float> values(logits.elements());
    backend_->copy_to_host(values.data(), logits, logits.bytes());
    return values;
}

std::vector<float> ModelRun::prefill(TestSequence& sequence, std::span<const int32_t> tokens, int chunk_tokens) {
    std::vector<float> logits;
    for (size_t begin = 0; begin < tokens.size(); begin += chunk_tokens) {
        const size_t count = std::min<size_t>(chunk_tokens, tokens.size() - begin);
        const std::vector<float> rows = step(std::vector<Part>{{&sequence, tokens.subspan(begin, count)}});
        logits.insert(logits.end(), rows.begin(), rows.end());
    }
    return logits;
}

void ModelRun::release(TestSequence& sequence) {
    free_pages_.insert(free_pages_.end(), sequence.pages.begin(), sequence.pages.end());
    std::shuffle(free_pages_.begin(), free_pages_.end(), random_);
    sequence = {};
}

std::vector<float> read_golden_f32(const std::string& path, const std::string& tensor) {
    return read_golden<float>(source_path(path), tensor, DType::f32);
}

std::vector<int32_t> read_golden_i32(const std::string& path, const std::string& tensor) {
    return read_golden<int32_t>(source_path(path), tensor, DType::i32);
}

float largest_difference(std::span<const float> a, std::span<const float> b) {
    if (a.size() != b.size()) return std::numeric_limits<float>::infinity();
    float largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const float difference = std::fabs(a[i] - b[i]);
        if (!(difference <= largest))
            largest = std::isnan(difference) ? std::numeric_limits<float>::infinity() : difference;
    }
    return largest;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace glm5::model
