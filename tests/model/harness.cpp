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
    backend_ = backend::make_backend({.kind = "cpu", .num_threads = options.num_threads}, options.numerics).value();
    const ops::StepLimits limits = {.max_tokens = options.max_tokens,
                                    .max_context_tokens = std::min(int64_t{options.num_pages} * kPageTokens,
                                                                   int64_t{config().max_position_embeddings}),
                                    .max_logit_rows = options.max_tokens};
    decoder_ = Decoder::load(config(), *checkpoint_, *backend_, limits, {}).value();

    const auto layout = cache::Layout::compute(config(), options.numerics.latent, options.numerics.index_key);
    for (const cache::LayerLayout& layer : layout.layers)
        caches_.push_back({.latent = make_pages(*backend_, options.num_pages, layer.latent_page_bytes),
                           .index_keys = make_pages(*backend_, options.num_pages, layer.index_page_bytes)});
    free_pages_.resize(options.num_pages);
    std::iota(free_pages_.begin(), free_pages_.end(), 0);
    std::shuffle(free_pages_.begin(), free_pages_.end(), random_);
}

// Memory of a backend is never freed, so each field of the batch keeps its buffer from step to step.
ops::Tensor ModelRun::upload(const std::vector<int32_t>& values) {
    const auto count = static_cast<int64_t>(values.size());
    if (num_uploads_ == batch_memory_.size()) batch_memory_.emplace_back();
    ops::Tensor& memory = batch_memory_[num_uploads_++];
    if (!memory || memory.rows() < count) memory = backend_->allocate(DType::i32, {std::max<int64_t>(2 * count, 64)});
    const ops::Tensor view = memory.first_rows(count);
    if (count > 0) backend_->copy_to_device(view, values.data(), view.bytes());
    return view;
}

std::vector<float> ModelRun::step(std::span<const Part> parts, Rows rows) {
    std::vector<int32_t> token_ids, positions, sequence_ids, slots, query_start, context_len, logit_rows;
    int max_context = 0;
    for (const Part& part : parts) {
        TestSequence& sequence = *part.sequence;
        query_start.push_back(static_cast<int32_t>(token_ids.size()));
        for (int32_t token : part.tokens) {
            const int position = sequence.num_computed++;
            if (position % kPageTokens == 0) {
                GLM5_CHECK(!free_pages_.empty());
                sequence.pages.push_back(free_pages_.back());
                free_pages_.pop_back();
            }
            token_ids.push_back(token);
            positions.push_back(position);
            sequence_ids.push_back(static_cast<int32_t>(context_len.size()));
            slots.push_back(sequence.pages.back() * kPageTokens + position % kPageTokens);
            if (rows == Rows::all) logit_rows.push_back(static_cast<int32_t>(token_ids.size()) - 1);
        }
        if (rows == Rows::last) logit_rows.push_back(static_cast<int32_t>(token_ids.size()) - 1);
        context_len.push_back(sequence.num_computed);
        max_context = std::max(max_context, sequence.num_computed);
    }
    query_start.push_back(static_cast<int32_t>(token_ids.size()));

    const int pages_per_row = (max_context + kPageTokens - 1) / kPageTokens + 1;
    std::vector<int32_t> page_table(parts.size() * pages_per_row, std::numeric_limits<int32_t>::max());
    for (size_t i = 0; i < parts.size(); ++i)
        std::ranges::copy(parts[i].sequence->pages, page_table.begin() + static_cast<int64_t>(i) * pages_per_row);

    num_uploads_ = 0;
    ops::Batch batch;
    batch.num_tokens = static_cast<int>(token_ids.size());
    batch.num_seqs = static_cast<int>(parts.size());
    batch.num_logit_rows = static_cast<int>(logit_rows.size());
    batch.max_context_tokens = max_context;
    batch.token_ids = upload(token_ids);
    batch.positions = upload(positions);
    batch.sequence_ids = upload(sequence_ids);
    batch.slots = upload(slots);
    batch.query_start = upload(query_start);
    batch.context_len = upload(context_len);
    batch.page_table = upload(page_table);
    batch.page_table.rank = 2;
    batch.page_table.shape = {batch.num_seqs, pages_per_row};
    batch.logit_rows = upload(logit_rows);

    const ops::Tensor logits = decoder_->forward(batch, caches_);
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
