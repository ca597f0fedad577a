// Time of the kernels of single rows and of sampling, at GLM-5's shapes on random data: the median over replays of a
// CUDA graph of several calls. Beside it stands the share of the bandwidth of a device copy measured in the same run,
// and what vLLM 0.26 takes for the same on an H200.
//
//   cuda_rows_bench [rows] [sample]
#include <fmt/format.h>

#include <cstring>

#include "backend/cuda/norm/norm.h"
#include "backend/cuda/prologue/prologue.h"
#include "backend/cuda/rotate/rotate.h"
#include "backend/cuda/route_select/route_select.h"
#include "backend/cuda/sample/sample.h"
#include "backend/cuda/shapes.h"
#include "backend/cuda/tiles.h"
#include "cuda_measure.h"
#include "ops/device_fault.h"

namespace {

using namespace glm5;
using cuda::bf16;
using cuda_bench::measure;
using cuda_bench::Memory;

constexpr int64_t kHidden = 6144, kQueryRank = 2048, kHeads = 8;

double copy_gb_per_s = 0;

// Of a copy of 1 GiB: bytes read and written.
void measure_copy(const cuda::Launch& launch) {
    Memory memory;
    constexpr int64_t kBytes = int64_t{1} << 30;
    auto* from = memory.array<uint8_t>(kBytes);
    auto* to = memory.array<uint8_t>(kBytes);
    const double us = measure(launch, 2, [&](int) {
        cuda::check_cuda(cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice, launch.stream), "copy");
    });
    copy_gb_per_s = 2.0 * kBytes / us * 1e-3;
    fmt::print("copy of 1 GiB: {:.0f} GB/s\n", copy_gb_per_s);
}

void print(const char* name, int64_t rows, double us, double bytes, double vllm_us = 0) {
    const double gb_per_s = bytes / us * 1e-3;
    fmt::print("{:28} {:6} rows {:9.2f} µs {:6.0f} GB/s {:4.0f} % {}\n", name, rows, us, gb_per_s,
               100 * gb_per_s / copy_gb_per_s, vllm_us > 0 ? fmt::format("vLLM {:.2f} µs", vllm_us) : std::string());
}

int calls_for(int64_t rows) {
    return rows > 1000 ? 4 : 50;
}

// The FP8 form of an activation.
struct Quantised {
    uint8_t* codes;
    float* scales;
    Quantised(Memory& memory, int64_t rows, int64_t width)
        : codes(memory.array<uint8_t>(cuda::round_up(rows, cuda::kTileRows) * width)),
          scales(memory.array<float>(cuda::round_up(rows, cuda::kTileRows) * width / 128)) {}
};

void bench_norms(const cuda::Launch& launch, int64_t rows, double vllm_norm, double vllm_fused, double vllm_quantise) {
    Memory memory;
    const Quantised quantised(memory, rows, kHidden);
    cuda::AddNormParams params{.out = memory.array<bf16>(rows * kHidden),
                               .residual = memory.halves(rows * kHidden),
                               .delta = memory.halves(rows * kHidden),
                               .weight = memory.floats(kHidden),
                               .rows = rows,
                               .width = kHidden,
                               .eps = 1e-5f};
    const auto values = static_cast<double>(rows * kHidden);
    print("add_norm 6144", rows, measure(launch, calls_for(rows), [&](int) { cuda::add_norm(launch, params); }),
          values * 8, vllm_norm);
    params.codes = quantised.codes, params.scales = quantised.scales;
    print("add_norm + FP8 6144", rows, measure(launch, calls_for(rows), [&](int) { cuda::add_norm(launch, params); }),
          values * 9, vllm_fused);
    const cuda::QuantiseParams quantise{.codes = quantised.codes,
                                        .scales = quantised.scales,
                                        .values = params.residual,
                                        .rows = rows,
                                        .width = kHidden};
    print("quantise 6144", rows, measure(launch, calls_for(rows), [&](int) { cuda::quantise(launch, quantise); }),
          values * 3, vllm_quantise);
}

void bench_attention_rows(const cuda::Launch& launch, int64_t rows) {
    Memory memory;
    const Quantised quantised(memory, rows, kQueryRank);
    std::vector<int32_t> slots(rows);
    for (int64_t i = 0; i < rows; ++i) slots[i] = static_cast<int32_t>(i * 7919 % rows);
    const int64_t pages = cuda::ceil_div(rows, cuda::kPage);
    const float* cos_sin = memory.floats(rows * cuda::kRopeDim);
    cuda::PrologueParams prologue{.q_norm = memory.array<bf16>(rows * kQueryRank),
                                  .q_codes = quantised.codes,
                                  .q_scales = quantised.scales,
                                  .latent_pages = memory.array<std::byte>(pages * cuda::kPage * cuda::kBf16EntryBytes),
                                  .latent_page_bytes = cuda::kPage * cuda::kBf16EntryBytes,
                                  .index_pages = memory.array<std::byte>(pages * cuda::kPage * (cuda::kIndexDim + 4)),
                                  .index_page_bytes = cuda::kPage * (cuda::kIndexDim + 4),
                                  .q_a = memory.halves(rows * kQueryRank),
                                  .kv_a = memory.halves(rows * cuda::kQueryDim),
                                  .index_k = memory.halves(rows * cuda::kIndexDim),
                                  .cos_sin = cos_sin,
                                  .slots = memory.upload(slots),
                                  .q_weight = memory.floats(kQueryRank),
                                  .latent_weight = memory.floats(cuda::kLatentDim),
                                  .index_weight = memory.floats(cuda::kIndexDim),
                                  .index_bias = memory.floats(cuda::kIndexDim),
                                  .rows = rows,
                                  .q_width = kQueryRank,
                                  .eps = 1e-5f};
    const auto count = static_cast<double>(rows);
    for (bool fp8 : {false, true}) {
        prologue.latent_is_fp8 = fp8;
        prologue.latent_page_bytes = cuda::kPage * (fp8 ? cuda::kFp8EntryBytes : cuda::kBf16EntryBytes);
        const double entry_bytes = (fp8 ? cuda::kFp8EntryBytes : cuda::kBf16EntryBytes) + cuda::kIndexDim + 4;
        print(fp8 ? "mla_prologue fp8_ds_mla" : "mla_prologue bf16", rows,
              measure(launch, calls_for(rows), [&](int) { cuda::mla_prologue(launch, prologue); }),
              count * (5.0 * kQueryRank + 2.0 * (cuda::kQueryDim + cuda::kIndexDim) + 256 + entry_bytes));
    }

    const int64_t index_width = cuda::kIndexHeads * cuda::kIndexDim;
    const cuda::RotateParams rotate{.query = memory.array<bf16>(rows * kHeads * cuda::kQueryDim),
                                    .index_query = memory.array<uint8_t>(rows * index_width),
                                    .index_weights = memory.floats(rows * cuda::kIndexHeads),
                                    .q = memory.halves(rows * kHeads * (cuda::kNopeDim + cuda::kRopeDim)),
                                    .index_q = memory.halves(rows * index_width),
                                    .cos_sin = cos_sin,
                                    .rows = rows,
                                    .num_heads = kHeads};
    print("rotate_queries 8 heads", rows,
          measure(launch, calls_for(rows), [&](int) { cuda::rotate_queries(launch, rotate); }),
          count * (3.0 * index_width + 8 * cuda::kIndexHeads + 256 + 4.0 * kHeads * cuda::kRopeDim));
}

void bench_route(const cuda::Launch& launch, int64_t rows, double vllm) {
    Memory memory;
    const cuda::RouteSelectParams params{.expert_ids = memory.array<int32_t>(rows * 8),
                                         .expert_weights = memory.array<float>(rows * 8),
                                         .logits = memory.floats(rows * 256),
                                         .bias = memory.floats(256),
                                         .rows = rows,
                                         .num_experts = 256,
                                         .top_k = 8,
                                         .scaling = 2.5f};
    print("route_select 8 of 256", rows,
          measure(launch, calls_for(rows), [&](int) { cuda::route_select(launch, params); }),
          static_cast<double>(rows) * (1024 + 64), vllm);
}

void bench_sample(const cuda::Launch& launch, const char* name, int64_t rows, float temperature, float top_p,
                  int32_t top_k, float min_p) {
    constexpr int kVocabulary = 154880;
    Memory memory;
    const auto same = [&](auto value) { return memory.upload(std::vector<decltype(value)>(rows, value)); };
    const auto* no_lists = memory.upload(std::vector<int32_t>(rows + 1, 0));
    std::vector<int64_t> seeds(rows);
    for (int64_t i = 0; i < rows; ++i) seeds[i] = i * 7919;
    const cuda::SampleParams params{.tokens = memory.array<int32_t>(rows),
                                    .logits = memory.floats(rows * kVocabulary, 2.5f),
                                    .stride = kVocabulary,
                                    .rows = rows,
                                    .num_ids = kVocabulary,
                                    .temperature = same(temperature),
                                    .top_p = same(top_p),
                                    .min_p = same(min_p),
                                    .top_k = same(top_k),
                                    .repetition_penalty = same(1.0f),
                                    .presence_penalty = same(0.0f),
                                    .frequency_penalty = same(0.0f),
                                    .seed = memory.upload(seeds),
                                    .position = same(int32_t{17}),
                                    .edit_start = no_lists,
                                    .edit_ids = nullptr,
                                    .edit_values = nullptr,
                                    .history_start = no_lists,
                                    .history_ids = nullptr,
                                    .history_counts = nullptr};
    print(name, rows, measure(launch, 10, [&](int) { cuda::sample(launch, params); }),
          static_cast<double>(rows) * kVocabulary * 4);
}

}  // namespace

int main(int argc, char** argv) try {
    const auto wanted = [&](const char* name) {
        return argc == 1 ||
               std::any_of(argv + 1, argv + argc, [&](const char* arg) { return !std::strcmp(arg, name); });
    };
    cudaDeviceProp properties;
    cuda::check_cuda(cudaGetDeviceProperties(&properties, 0), "no GPU");
    cuda::Launch launch{.stream = nullptr,
                        .num_sms = properties.multiProcessorCount,
                        .architecture = properties.major * 10 + properties.minor};
    cuda::check_cuda(cudaStreamCreate(&launch.stream), "stream");
    fmt::print("{}\n", properties.name);
    measure_copy(launch);
    if (wanted("rows")) {
        bench_norms(launch, 1, 2.84, 7.21, 2.14);
        bench_norms(launch, 8, 2.90, 7.45, 2.32);
        bench_norms(launch, 32, 3.02, 7.58, 2.43);
        bench_norms(launch, 128, 3.28, 7.85, 3.34);
        bench_norms(launch, 8192, 99.6, 236, 108);
        for (int64_t rows : {1, 8, 32, 128, 8192}) bench_attention_rows(launch, rows);
        bench_route(launch, 1, 3.73);
        bench_route(launch, 8, 3.64);
        bench_route(launch, 32, 4.14);
        bench_route(launch, 128, 4.31);
        bench_route(launch, 8192, 0);
    }
    if (wanted("sample"))
        for (int64_t rows : {1, 8, 32, 128}) {
            bench_sample(launch, "greedy", rows, 0, 1, 0, 0);
            bench_sample(launch, "temperature 1", rows, 1, 1, 0, 0);
            bench_sample(launch, "top_p 0.95", rows, 1, 0.95f, 0, 0);
            bench_sample(launch, "top_k 50", rows, 1, 1, 50, 0);
            bench_sample(launch, "top_k 50, top_p 0.95", rows, 0.7f, 0.95f, 50, 0.01f);
        }
    cudaStreamDestroy(launch.stream);
    return 0;
} catch (const ops::DeviceFault& fault) {
    fmt::print(stderr, "{}\n", fault.what());
    return 1;
}
