// Speed of the CPU backend's ops at the shapes of models/glm5-nano, on one core. Each line gives its rate and the share
// of a ceiling measured at the start of the same run: `of_fma` of a loop of fused multiply-adds on registers, `of_read`
// of reading memory of the weights' size. Rates are per CPU second, so that other work on the machine disturbs them
// little.
#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <random>
#include <vector>

#include "backend/cpu/cpu_backend.h"

namespace {

using namespace glm5;

constexpr int kHeads = 8, kLatent = 512, kRope = 64, kIndexHeads = 32, kIndexDim = 128, kTopK = 256;

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

constexpr int kChains = 12;  // enough to hide the latency of an addition

__attribute__((target("avx512f"))) double fma_loop_avx512(int64_t steps) {
    __m512 sums[kChains];
    for (__m512& sum : sums) sum = _mm512_set1_ps(1.0f);
    const __m512 factor = _mm512_set1_ps(0.999f), summand = _mm512_set1_ps(1e-3f);
    for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
        for (int j = 0; j < kChains; ++j) sums[j] = _mm512_fmadd_ps(sums[j], factor, summand);
    }
    for (__m512& sum : sums) benchmark::DoNotOptimize(sum);
    return 2.0 * 16 * kChains * static_cast<double>(steps);
}

__attribute__((target("avx2,fma"))) double fma_loop_avx2(int64_t steps) {
    __m256 sums[kChains];
    for (__m256& sum : sums) sum = _mm256_set1_ps(1.0f);
    const __m256 factor = _mm256_set1_ps(0.999f), summand = _mm256_set1_ps(1e-3f);
    for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
        for (int j = 0; j < kChains; ++j) sums[j] = _mm256_fmadd_ps(sums[j], factor, summand);
    }
    for (__m256& sum : sums) benchmark::DoNotOptimize(sum);
    return 2.0 * 8 * kChains * static_cast<double>(steps);
}

// FLOP/s of one core.
double fma_peak() {
    static const double peak = [] {
        const bool wide = cpu::machine_runs(cpu::InstructionSet::avx512);
        double best = 0;
        for (int repeat = 0; repeat < 10; ++repeat) {
            const double start = cpu_seconds();
            const double operations = wide ? fma_loop_avx512(2'000'000) : fma_loop_avx2(4'000'000);
            best = std::max(best, operations / (cpu_seconds() - start));
        }
        return best;
    }();
    return peak;
}

__attribute__((target("avx2"))) void read_loop(const std::vector<float>& memory) {
    __m256 sums[8] = {};
    for (size_t i = 0; i + 64 <= memory.size(); i += 64)
        for (size_t j = 0; j < 8; ++j) sums[j] = _mm256_add_ps(sums[j], _mm256_loadu_ps(memory.data() + i + 8 * j));
    for (__m256& sum : sums) benchmark::DoNotOptimize(sum);
}

// Bytes per second at which one core reads `bytes` again and again.
double read_peak(int64_t bytes) {
    const std::vector<float> memory(bytes / 4, 1.0f);
    double best = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
        const int passes = std::max<int>(1, static_cast<int>((64 << 20) / bytes));
        const double start = cpu_seconds();
        for (int pass = 0; pass < passes; ++pass) read_loop(memory);
        best = std::max(best, static_cast<double>(bytes) * passes / (cpu_seconds() - start));
    }
    return best;
}

// A backend with one thread, and random tensors of it.
struct Device {
    std::unique_ptr<ops::Backend> backend;
    std::mt19937 random{1};

    explicit Device(const ops::Numerics& numerics = {}) : backend(cpu::make_cpu_backend(numerics, 1).value()) {}

    ops::Tensor floats(std::initializer_list<int64_t> shape) {
        ops::Tensor tensor = backend->allocate(DType::f32, shape);
        std::normal_distribution<float> normal;
        for (int64_t i = 0; i < tensor.elements(); ++i) tensor.as<float>()[i] = normal(random);
        return tensor;
    }
    ops::Tensor integers(const std::vector<int32_t>& values) {
        ops::Tensor tensor = backend->allocate(DType::i32, {static_cast<int64_t>(values.size())});
        backend->copy_to_device(tensor, values.data(), tensor.bytes());
        return tensor;
    }
    ops::Linear linear(int64_t batch, int64_t out, int64_t in, ops::WeightFormat format) {
        const int64_t element_bytes = format == ops::WeightFormat::f32 ? 4 : format == ops::WeightFormat::bf16 ? 2 : 1;
        std::vector<std::byte> weight(out * in * element_bytes);
        for (int64_t i = 0; i < out * in; ++i) {
            const float value = std::normal_distribution<float>()(random);
            const uint16_t half = f32_to_bf16(value);
            const uint8_t code = f32_to_e4m3(value);
            const void* source = element_bytes == 4   ? static_cast<const void*>(&value)
                                 : element_bytes == 2 ? static_cast<const void*>(&half)
                                                      : &code;
            std::memcpy(weight.data() + i * element_bytes, source, element_bytes);
        }
        const std::vector<float> scales((out + 127) / 128 * ((in + 127) / 128), 0.01f);
        const ops::HostMatrixView view{out, in, format, weight.data(), scales.data()};
        return backend->make_linear(std::vector<ops::HostMatrixView>(batch, view));
    }
    // One sequence whose last `tokens` positions are the step.
    ops::Batch batch(int tokens, int context) {
        std::vector<int32_t> positions, zeros(tokens, 0), pages;
        for (int i = context - tokens; i < context; ++i) positions.push_back(i);
        for (int page = 0; page * kPageTokens < context; ++page) pages.push_back(page);
        ops::Batch batch{.num_tokens = tokens, .num_seqs = 1, .max_context_tokens = context};
        batch.positions = integers(positions);
        batch.sequence_ids = integers(zeros);
        batch.page_table = integers(pages);
        batch.page_table.rank = 2;
        batch.page_table.shape = {1, static_cast<int64_t>(pages.size())};
        return batch;
    }
    ops::PageArray pages(int context, int64_t token_values) {
        const int64_t page_values = kPageTokens * token_values;
        ops::Tensor memory = floats({(context + kPageTokens - 1) / kPageTokens, page_values});
        return {memory.as<std::byte>(), page_values * 4};
    }
};

void report(benchmark::State& state, double flops) {
    state.counters["GFLOP/s"] =
        benchmark::Counter(flops * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
    state.counters["of_fma"] =
        benchmark::Counter(flops / fma_peak() * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// Copies of the weight are used in turn, so that together they have the size of a model's weights.
void gemm(benchmark::State& state, ops::WeightFormat format) {
    const int64_t rows = state.range(0), out = state.range(1), in = state.range(2);
    Device device;
    const int64_t bytes = out * in * (format == ops::WeightFormat::f32 ? 4 : format == ops::WeightFormat::bf16 ? 2 : 1);
    const int64_t copies = rows > 16 ? 1 : std::max<int64_t>(1, (24 << 20) / bytes);
    std::vector<ops::Linear> weights;
    for (int64_t i = 0; i < copies; ++i) weights.push_back(device.linear(1, out, in, format));
    const ops::LinearArgs args{.out = device.floats({rows, out}),
                               .in = {.values = device.floats({rows, in}), .quantised = {}, .scales = {}},
                               .weight = {}};
    size_t next = 0;
    for (auto _ : state) {
        ops::LinearArgs call = args;
        call.weight = weights[next++ % weights.size()];
        device.backend->linear(call);
    }
    report(state, 2.0 * static_cast<double>(rows * out * in));
    if (rows == 1)
        state.counters["of_read"] = benchmark::Counter(
            static_cast<double>(bytes * state.iterations()) / read_peak(bytes * copies), benchmark::Counter::kIsRate);
}

void gemm_shapes(benchmark::internal::Benchmark* bench) {
    for (int64_t rows : {1, 4, 16, 2048})
        for (auto [out, in] : {std::pair{2048, 128}, {576, 256}, {128, 256}, {256, 2048}, {512, 192}})
            bench->Args({rows, out, in});
}
BENCHMARK_CAPTURE(gemm, f32, ops::WeightFormat::f32)->Apply(gemm_shapes);
BENCHMARK_CAPTURE(gemm, bf16, ops::WeightFormat::bf16)->Apply(gemm_shapes);
BENCHMARK_CAPTURE(gemm, fp8, ops::WeightFormat::fp8_block128)->Apply(gemm_shapes);

void index_select(benchmark::State& state, IndexKeyFormat format) {
    const auto tokens = static_cast<int>(state.range(0)), context = static_cast<int>(state.range(1));
    Device device({.index_key = format});
    const ops::Batch batch = device.batch(tokens, context);
    const ops::LayerCache cache{.latent = {}, .index_keys = device.pages(context, kIndexDim + 1)};
    const ops::IndexSelectArgs args{.selection = {.positions = device.backend->allocate(DType::i32, {tokens, kTopK}),
                                                  .counts = device.backend->allocate(DType::i32, {tokens})},
                                    .index_query = device.floats({tokens, kIndexHeads, kIndexDim}),
                                    .index_weights = device.floats({tokens, kIndexHeads}),
                                    .cache = cache,
                                    .batch = &batch};
    for (auto _ : state) device.backend->index_select(args);
    report(state, 2.0 * tokens * kIndexHeads * kIndexDim * (context - 0.5 * tokens));
}
BENCHMARK_CAPTURE(index_select, f32, IndexKeyFormat::f32)->ArgsProduct({{1, 512}, {2048, 8192}});
BENCHMARK_CAPTURE(index_select, e4m3, IndexKeyFormat::e4m3)->ArgsProduct({{1, 512}, {2048, 8192}});

void sparse_mla(benchmark::State& state, LatentFormat format) {
    const auto tokens = static_cast<int>(state.range(0)), context = static_cast<int>(state.range(1));
    Device device({.latent = format});
    const ops::Batch batch = device.batch(tokens, context);
    ops::SparseMlaArgs args{.latent_out = device.floats({tokens, kHeads, kLatent}),
                            .query = device.floats({tokens, kHeads, kLatent + kRope}),
                            .cache = {.latent = device.pages(context, kLatent + kRope), .index_keys = {}},
                            .selection = {.positions = device.backend->allocate(DType::i32, {tokens, kTopK}),
                                          .counts = device.integers(std::vector<int32_t>(tokens, kTopK))},
                            .scale = 0.0625f,
                            .batch = &batch};
    for (int token = 0; token < tokens; ++token) {
        std::vector<int32_t> all(context - tokens + token + 1);
        for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
        std::sample(all.begin(), all.end(), args.selection.positions.as<int32_t>() + token * kTopK, kTopK,
                    device.random);
    }
    for (auto _ : state) device.backend->sparse_mla(args);
    report(state, 2.0 * tokens * kHeads * kTopK * (2 * kLatent + kRope));
}
BENCHMARK_CAPTURE(sparse_mla, f32, LatentFormat::f32)->ArgsProduct({{1, 512}, {2048, 8192}});
BENCHMARK_CAPTURE(sparse_mla, bf16, LatentFormat::bf16)->ArgsProduct({{512}, {8192}});
BENCHMARK_CAPTURE(sparse_mla, fp8_ds_mla, LatentFormat::fp8_ds_mla)->ArgsProduct({{512}, {8192}});

}  // namespace

BENCHMARK_MAIN();
