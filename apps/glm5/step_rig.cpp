#include "step_rig.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <random>

#include "cache/layout.h"
#include "load/dummy_source.h"
#include "schedule/step_plan.h"

namespace glm5 {
namespace {

constexpr int kRandomPages = 64;  // that differ from one another; the caches repeat them

// Pages of cache entries as the formats of docs/kv_cache.md store them, with normally distributed values.
class PageMaker {
public:
    std::vector<std::byte> latents(int64_t page_bytes, LatentFormat format, int latent_dim, int rope_dim) {
        std::vector<std::byte> pages;
        for (int entry = 0; entry < kRandomPages * kPageTokens; ++entry) {
            if (format == LatentFormat::fp8_ds_mla) {
                codes(pages, latent_dim);
                for (int i = 0; i < latent_dim / 128; ++i) append(pages, 1.0f / 64);
                halves(pages, rope_dim);
            } else {
                halves(pages, latent_dim + rope_dim);
            }
        }
        GLM5_CHECK(static_cast<int64_t>(pages.size()) == kRandomPages * page_bytes);
        return pages;
    }
    std::vector<std::byte> index_keys(int64_t page_bytes, int dim) {
        std::vector<std::byte> pages;
        for (int page = 0; page < kRandomPages; ++page) {
            codes(pages, kPageTokens * dim);
            for (int i = 0; i < kPageTokens; ++i) append(pages, 1.0f / 64);
        }
        GLM5_CHECK(static_cast<int64_t>(pages.size()) == kRandomPages * page_bytes);
        return pages;
    }

private:
    template <typename T>
    static void append(std::vector<std::byte>& bytes, T value) {
        const auto* begin = reinterpret_cast<const std::byte*>(&value);
        bytes.insert(bytes.end(), begin, begin + sizeof(T));
    }
    void codes(std::vector<std::byte>& bytes, int count) {
        for (int i = 0; i < count; ++i) append(bytes, f32_to_e4m3(64 * normal_(generator_)));
    }
    void halves(std::vector<std::byte>& bytes, int count) {
        for (int i = 0; i < count; ++i) append(bytes, f32_to_bf16(normal_(generator_)));
    }
    std::mt19937 generator_{7};
    std::normal_distribution<float> normal_;
};

}  // namespace

Result<config::Config> rank_config(const config::Config& config, int tensor) {
    config::Config rank = config;
    const auto divide = [&](int& size, std::string_view key) -> Status {
        if (size % tensor != 0)
            return invalid_argument("{} {} is not divided by --tensor-parallel-size {}", key, size, tensor);
        size /= tensor;
        return {};
    };
    GLM5_RETURN_IF_ERROR(divide(rank.num_heads, "num_attention_heads"));
    GLM5_RETURN_IF_ERROR(divide(rank.intermediate_size, "intermediate_size"));
    GLM5_RETURN_IF_ERROR(divide(rank.moe_intermediate_size, "moe_intermediate_size"));
    GLM5_RETURN_IF_ERROR(divide(rank.vocab_size, "vocab_size"));
    return rank;
}

Result<std::unique_ptr<StepRig>> StepRig::open(std::unique_ptr<ops::Backend> backend, const Options& options,
                                               const model::LoadProgress& progress) {
    std::unique_ptr<StepRig> rig(new StepRig(std::make_unique<OpFilter>(std::move(backend)), options));
    GLM5_RETURN_IF_ERROR(rig->load(options, progress));
    rig->make_caches(options);
    return rig;
}

StepRig::StepRig(std::unique_ptr<OpFilter> backend, const Options& options)
    : backend_(std::move(backend)),
      batch_builder_(*backend_, {.max_num_seqs = options.max_seqs,
                                 .max_num_tokens = options.max_tokens,
                                 .max_context_tokens = options.max_context}),
      vocab_size_(options.config.vocab_size) {}

Status StepRig::load(const Options& options, const model::LoadProgress& progress) {
    const load::DummySource source(options.config);
    const ops::StepLimits limits{.max_tokens = options.max_tokens,
                                 .max_context_tokens = options.max_context,
                                 .max_logit_rows = options.max_seqs};
    GLM5_ASSIGN_OR_RETURN(decoder_, model::Decoder::load(options.config, source, *backend_, limits, progress));
    return {};
}

void StepRig::make_caches(const Options& options) {
    const config::Config& config = options.config;
    const auto layout = cache::Layout::compute(config, options.numerics.latent, options.numerics.index_key);
    constexpr int64_t kReserve = int64_t{1} << 30;  // for graphs, and what the device keeps for itself
    const int64_t bytes = std::min(options.most_cache_bytes, backend_->available_bytes() - kReserve);
    const int64_t wanted = int64_t{options.max_seqs} * ((options.max_context + kPageTokens - 1) / kPageTokens);
    num_pages_ = std::clamp<int64_t>(bytes / layout.page_bytes(), 1, wanted);

    PageMaker maker;
    const auto latents =
        maker.latents(layout.layers[0].latent_page_bytes, options.numerics.latent, config.latent_dim, config.rope_dim);
    const auto keys = maker.index_keys(layout.layers[0].index_page_bytes, config.index_dim);
    for (const cache::LayerLayout& layer : layout.layers) {
        ops::LayerCache cache;
        const auto allocate = [&](int64_t page_bytes) -> ops::PageArray {
            return {backend_->allocate(DType::u8, {num_pages_, page_bytes}).as<std::byte>(), page_bytes};
        };
        cache.latent = allocate(layer.latent_page_bytes);
        fill(cache.latent, latents);
        if (layer.index_page_bytes > 0) {
            cache.index_keys = allocate(layer.index_page_bytes);
            fill(cache.index_keys, keys);
        }
        caches_.push_back(cache);
    }
}

void StepRig::fill(const ops::PageArray& pages, const std::vector<std::byte>& entries) {
    for (int64_t page = 0; page < num_pages_; page += kRandomPages) {
        const int64_t count = std::min<int64_t>(kRandomPages, num_pages_ - page);
        backend_->copy_to_device({pages.data + page * pages.page_bytes, DType::u8, {count * pages.page_bytes}},
                                 entries.data(), count * pages.page_bytes);
    }
}

bool StepRig::shares_pages(const StepShape& shape) const {
    return int64_t{shape.num_seqs} * ((shape.context_len + kPageTokens - 1) / kPageTokens) > num_pages_;
}

ops::Batch StepRig::build(const StepShape& shape) {
    std::mt19937 generator(11);
    const int pages = (shape.context_len + kPageTokens - 1) / kPageTokens;
    std::vector<int32_t> all(num_pages_);
    std::iota(all.begin(), all.end(), 0);
    std::shuffle(all.begin(), all.end(), generator);
    tokens_.resize(shape.num_tokens());
    for (int32_t& token : tokens_) token = static_cast<int32_t>(generator() % vocab_size_);
    page_tables_.assign(shape.num_seqs, {});
    schedule::StepPlan plan;
    plan.num_tokens = shape.num_tokens();
    for (int s = 0; s < shape.num_seqs; ++s) {
        std::vector<int32_t>& table = page_tables_[s];
        for (int i = 0; i < pages; ++i) {
            const size_t next = static_cast<size_t>(s) * pages + i;
            table.push_back(next < all.size() ? all[next] : static_cast<int32_t>(generator() % num_pages_));
        }
        plan.sequences.push_back({.sequence = nullptr,
                                  .first_position = shape.context_len - shape.query_len,
                                  .query_tokens = std::span(tokens_).subspan(s * shape.query_len, shape.query_len),
                                  .pages = table,
                                  .wants_token = true});
    }
    return batch_builder_.build(plan);
}

double StepRig::step_us(const StepShape& shape, int repeats, std::string_view op) {
    const ops::Batch batch = build(shape);
    const bool is_decode = shape.query_len == 1;
    backend_->run_only(op);
    const uint64_t op_key = std::find(OpFilter::kNames.begin(), OpFilter::kNames.end(), op) - OpFilter::kNames.begin();
    const uint64_t key = (op_key << 40) + (static_cast<uint64_t>(shape.num_seqs) << 28) + shape.context_len;
    const auto run = [&] {
        if (is_decode)
            backend_->repeat(key, [&] { decoder_->forward(batch, caches_); });
        else
            decoder_->forward(batch, caches_);
    };
    // A token id of the batch, for its small copy: it waits for all that was started.
    const auto wait = [&] {
        int32_t value;
        backend_->copy_to_host(&value, batch.token_ids.first_rows(1), sizeof value);
    };
    run();
    wait();
    std::vector<double> times;
    for (int i = 0; i < repeats; ++i) {
        // Steps follow each other on a server too: a few at a time, so that the wait is not part of them.
        constexpr int kInRow = 4;
        const auto start = std::chrono::steady_clock::now();
        for (int j = 0; j < kInRow; ++j) run();
        wait();
        times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() /
                        kInRow);
    }
    backend_->run_only({});
    std::nth_element(times.begin(), times.begin() + repeats / 2, times.end());
    return times[repeats / 2];
}

}  // namespace glm5
