// Whole-model speed on this machine: prefill and decode of a checkpoint, with the FLOPs and bytes that they take and
// the rates of a plain GEMM and of plain reading measured in the same run. Usage: model_bench [DIRECTORY [THREADS]]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "backend/registry.h"
#include "batch/batch_builder.h"
#include "cache/layout.h"
#include "load/checkpoint.h"
#include "model/decoder.h"

namespace glm5 {
namespace {

constexpr int kPrefillTokens = 2048;
constexpr int kDecodeContext = 512;
constexpr int kDecodeSteps = 64;  // the context grows from 512 to 576, nine pages
constexpr int kMaxBatch = 64;

double seconds_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double best_of(int repetitions, const std::function<void()>& work) {
    double best = 1e30;
    for (int i = 0; i < repetitions; ++i) best = std::min(best, seconds_of(work));
    return best;
}

// A decoder, its caches, and sequences of random tokens.
struct Model {
    std::unique_ptr<load::Checkpoint> checkpoint;
    std::unique_ptr<ops::Backend> backend;
    std::unique_ptr<model::Decoder> decoder;
    std::unique_ptr<batch::BatchBuilder> batches;
    cache::Layout layout;
    std::vector<ops::LayerCache> caches;

    const config::Config& config() const { return checkpoint->config(); }
    void run(const schedule::StepPlan& plan) { decoder->forward(batches->build(plan), caches); }
};

struct Sequence {
    std::vector<int32_t> tokens, pages;
};

Result<Model> open(const std::string& directory, int num_threads, int num_pages) {
    Model model;
    GLM5_ASSIGN_OR_RETURN(model.checkpoint, load::Checkpoint::open(directory));
    GLM5_ASSIGN_OR_RETURN(model.backend, backend::make_backend({.kind = "cpu", .num_threads = num_threads}, ops::Numerics{}));
    const ops::StepLimits limits = {
        .max_tokens = kPrefillTokens, .max_context_tokens = kPrefillTokens, .max_logit_rows = kMaxBatch};
    GLM5_ASSIGN_OR_RETURN(model.decoder,
                          model::Decoder::load(model.config(), *model.checkpoint, *model.backend, limits, {}));
    model.batches =
        std::make_unique<batch::BatchBuilder>(*model.backend, batch::BatchLimits{.max_num_seqs = kMaxBatch,
                                                                                 .max_num_tokens = kPrefillTokens,
                                                                                 .max_context_tokens = kPrefillTokens});
    const ops::Numerics& numerics = model.backend->numerics();
    model.layout = cache::Layout::compute(model.config(), numerics.latent, numerics.index_key);
    const auto pages = [&](int64_t page_bytes) {
        ops::PageArray array{.data = nullptr, .page_bytes = page_bytes};
        if (page_bytes > 0) array.data = model.backend->allocate(DType::u8, {num_pages, page_bytes}).as<std::byte>();
        return array;
    };
    for (const cache::LayerLayout& layer : model.layout.layers)
        model.caches.push_back({.latent = pages(layer.latent_page_bytes), .index_keys = pages(layer.index_page_bytes)});
    return model;
}

// Sequence i has its own pages.
std::vector<Sequence> make_sequences(const config::Config& config, int count, int num_tokens) {
    std::mt19937 random(1);
    std::vector<Sequence> sequences(count);
    int32_t next_page = 0;
    for (Sequence& sequence : sequences) {
        for (int i = 0; i < num_tokens; ++i)
            sequence.tokens.push_back(static_cast<int32_t>(random() % config.vocab_size));
        for (int i = 0; i < num_tokens; i += kPageTokens) sequence.pages.push_back(next_page++);
    }
    return sequences;
}

void add_to_plan(schedule::StepPlan& plan, const Sequence& sequence, int first_position, int query_len) {
    plan.sequences.push_back({.first_position = first_position,
                              .query_tokens = std::span(sequence.tokens).subspan(first_position, query_len),
                              .pages = sequence.pages,
                              .wants_token = true});
    plan.num_tokens += query_len;
}

// Distinct experts that a step with this plan uses, per sparse layer.
std::vector<int64_t> count_experts(Model& model, const schedule::StepPlan& plan) {
    std::vector<int64_t> counts;
    model.decoder->set_observer([&](std::string_view name, const ops::Tensor& tensor) {
        if (!name.ends_with(".expert_ids")) return;
        std::vector<int32_t> ids(tensor.elements());
        model.backend->copy_to_host(ids.data(), tensor, tensor.bytes());
        counts.push_back(static_cast<int64_t>(std::set(ids.begin(), ids.end()).size()));
    });
    model.run(plan);
    model.decoder->set_observer({});
    return counts;
}

// visit(linear, matrices) for each linear layer and how many of its matrices count: all of a head-wise one, and of
// routed experts `experts[i]` in the i-th sparse layer.
template <typename Visit>
void for_each_linear(const model::Weights& weights, std::span<const int64_t> experts, const Visit& visit) {
    const auto visit_mlp = [&](const ops::GatedMlp& mlp, int64_t matrices) {
        for (const ops::Linear* linear : {&mlp.gate, &mlp.up, &mlp.down}) visit(*linear, matrices);
    };
    size_t sparse_layers = 0;
    for (const model::LayerWeights& layer : weights.layers) {
        const model::AttentionWeights& attention = layer.attention;
        const model::IndexerWeights& indexer = attention.indexer;
        for (const ops::Linear* linear : {&attention.q_a_proj, &attention.kv_a_proj, &attention.q_b_proj,
                                          &attention.absorb_k, &attention.v_up, &attention.o_proj})
            visit(*linear, linear->batch);
        if (indexer)
            for (const ops::Linear* linear : {&indexer.wq_b, &indexer.wk, &indexer.weights_proj}) visit(*linear, 1);
        if (layer.moe) {
            visit(layer.moe.gate, 1);
            visit_mlp(layer.moe.experts, experts[sparse_layers++]);
            visit_mlp(layer.moe.shared, 1);
        } else {
            visit_mlp(layer.dense_mlp, 1);
        }
    }
}

// Multiplications and additions of one sequence's tokens from `first_position` on, with logits of the last of them.
double count_flops(const Model& model, int first_position, int num_tokens) {
    const config::Config& config = model.config();
    double flops = 2.0 * config.vocab_size * config.hidden_size;
    const std::vector<int64_t> experts(config.num_layers, config.num_experts_per_token);
    for_each_linear(model.decoder->weights(), experts, [&](const ops::Linear& linear, int64_t matrices) {
        flops += 2.0 * num_tokens * double(matrices) * double(linear.out_features * linear.in_features);
    });
    for (int t = first_position; t < first_position + num_tokens; ++t) {
        const double chosen = std::min(config.index_top_k, t + 1);
        flops += 2.0 * config.num_layers * config.num_heads * chosen * (2 * config.latent_dim + config.rope_dim);
        if (t >= config.index_top_k)
            flops += 2.0 * config.num_full_layers() * config.index_heads * (t + 1.0) * (config.index_dim + 1);
    }
    return flops;
}

// Bytes of weights and caches that one decode step reads, each once: `batch` sequences of `context` tokens.
double decode_bytes(const Model& model, std::span<const int64_t> experts, int batch, int context) {
    const config::Config& config = model.config();
    double bytes = 0;
    const auto add = [&](const ops::Linear& linear, int64_t matrices) {
        const int64_t stored = linear.weight.bytes() + (linear.scales ? linear.scales.bytes() : 0);
        bytes += double(stored) * double(matrices) / double(linear.batch);
    };
    for_each_linear(model.decoder->weights(), experts, add);
    add(model.decoder->weights().lm_head, 1);
    for (const cache::LayerLayout& layer : model.layout.layers) {
        bytes += double(batch) * std::min(config.index_top_k, context) * double(layer.latent_page_bytes) / kPageTokens;
        if (context > config.index_top_k)
            bytes += double(batch) * context * double(layer.index_page_bytes) / kPageTokens;
    }
    return bytes;
}

// FLOP/s of a float32 linear layer of 1,024 by 1,024 on 2,048 rows.
double gemm_rate(ops::Backend& backend) {
    constexpr int64_t kRows = 2048, kWidth = 1024;
    const std::vector<float> values(kRows * kWidth, 0.5f);
    const ops::Linear weight = backend.make_linear({.out_features = kWidth,
                                                    .in_features = kWidth,
                                                    .format = ops::WeightFormat::f32,
                                                    .weight = reinterpret_cast<const std::byte*>(values.data()),
                                                    .scales = nullptr});
    ops::Activation in;
    in.values = backend.allocate(DType::f32, {kRows, kWidth});
    backend.copy_to_device(in.values, values.data(), in.values.bytes());
    const ops::Tensor out = backend.allocate(DType::f32, {kRows, kWidth});
    const double seconds = best_of(5, [&] { backend.linear({.out = out, .in = in, .weight = weight}); });
    return 2.0 * kRows * kWidth * kWidth / seconds;
}

// Bytes per second of reading a buffer of `bytes` again and again with `num_threads` threads.
double read_rate(int64_t bytes, int num_threads) {
    constexpr int kPasses = 20;
    const std::vector<uint64_t> buffer(static_cast<size_t>(bytes) / sizeof(uint64_t), 1);
    std::vector<uint64_t> sums(static_cast<size_t>(num_threads));
    const double seconds = best_of(3, [&] {
        std::vector<std::jthread> threads;
        for (int i = 0; i < num_threads; ++i)
            threads.emplace_back([&, i] {
                const size_t begin = buffer.size() * i / num_threads, end = buffer.size() * (i + 1) / num_threads;
                uint64_t a = 0, b = 0, c = 0, d = 0;
                for (int pass = 0; pass < kPasses; ++pass)
                    for (size_t j = begin; j + 4 <= end; j += 4) {
                        a += buffer[j];
                        b ^= buffer[j + 1];
                        c += buffer[j + 2];
                        d ^= buffer[j + 3];
                    }
                sums[i] = a + b + c + d;
            });
    });
    if (sums[0] == 1) fmt::print("\n");  // keeps the loop
    return double(buffer.size() * sizeof(uint64_t)) * kPasses / seconds;
}

void bench_prefill(Model& model, int num_tokens, double gemm_flops_per_s) {
    const auto sequences = make_sequences(model.config(), 1, num_tokens);
    schedule::StepPlan plan;
    add_to_plan(plan, sequences[0], 0, num_tokens);
    const double seconds = best_of(3, [&] { model.run(plan); });
    const double flops = count_flops(model, 0, num_tokens);
    fmt::print("prefill of {} tokens: {:.0f} tokens/s, {:.3f} s; {:.1f} GFLOP, {:.1f} GFLOP/s, {:.0f} % of GEMM\n",
               num_tokens, num_tokens / seconds, seconds, flops / 1e9, flops / seconds / 1e9,
               100 * flops / seconds / gemm_flops_per_s);
}

void bench_decode(Model& model, int batch, int num_threads, double gemm_flops_per_s) {
    const auto sequences = make_sequences(model.config(), batch, kDecodeContext + kDecodeSteps);
    for (const Sequence& sequence : sequences) {
        schedule::StepPlan plan;
        add_to_plan(plan, sequence, 0, kDecodeContext);
        model.run(plan);
    }
    const auto plan_at = [&](int position) {
        schedule::StepPlan plan;
        for (const Sequence& sequence : sequences) add_to_plan(plan, sequence, position, 1);
        return plan;
    };
    const std::vector<int64_t> experts = count_experts(model, plan_at(kDecodeContext));
    const double all_seconds = best_of(3, [&] {
        for (int i = 0; i < kDecodeSteps; ++i) model.run(plan_at(kDecodeContext + i));
    });
    const double seconds = all_seconds / kDecodeSteps;
    const int middle = kDecodeContext + kDecodeSteps / 2;
    const double bytes = decode_bytes(model, experts, batch, middle);
    const double flops = batch * count_flops(model, middle, 1);
    const double read_bytes_per_s = read_rate(static_cast<int64_t>(bytes), num_threads);
    fmt::print(
        "decode of {:2} sequences, context {}: {:.0f} tokens/s, {:.2f} ms a step; {:.1f} MB, {:.1f} GB/s, {:.0f} % of "
        "reading them ({:.1f} GB/s); {:.2f} GFLOP, {:.1f} GFLOP/s, {:.0f} % of GEMM\n",
        batch, kDecodeContext, batch / seconds, seconds * 1e3, bytes / 1e6, bytes / seconds / 1e9,
        100 * bytes / seconds / read_bytes_per_s, read_bytes_per_s / 1e9, flops / 1e9, flops / seconds / 1e9,
        100 * flops / seconds / gemm_flops_per_s);
}

int run(int argc, char** argv) {
    const std::string directory = argc > 1 ? argv[1] : GLM5_SOURCE_DIR "/models/glm5-nano";
    const int num_threads = argc > 2 ? std::atoi(argv[2]) : static_cast<int>(std::thread::hardware_concurrency());
    constexpr int kPagesPerSequence = (kDecodeContext + kDecodeSteps + kPageTokens - 1) / kPageTokens;
    auto model = open(directory, num_threads, std::max(kMaxBatch * kPagesPerSequence, kPrefillTokens / kPageTokens));
    if (!model.ok()) {
        fmt::print(stderr, "{}\n", model.status().message());
        return 2;
    }
    fmt::print("{}, {}\n", directory, model->backend->description());
    const double gemm_flops_per_s = gemm_rate(*model->backend);
    fmt::print("float32 GEMM, 2048 by 1024 by 1024: {:.1f} GFLOP/s\n", gemm_flops_per_s / 1e9);
    for (int num_tokens : {512, kPrefillTokens}) bench_prefill(*model, num_tokens, gemm_flops_per_s);
    for (int batch : {1, 16, kMaxBatch}) bench_decode(*model, batch, num_threads, gemm_flops_per_s);
    return 0;
}

}  // namespace
}  // namespace glm5

int main(int argc, char** argv) {
    return glm5::run(argc, argv);
}
