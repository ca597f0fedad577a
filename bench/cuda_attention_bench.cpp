// Time of the attention kernels at the shapes of one rank of GLM-5 (8 heads), on random data: index scores, top-k and
// sparse MLA, for decode steps of 1 … 128 sequences and prefill chunks of 2048 tokens. Each figure is the median of
// replays of a CUDA graph of several calls, each with pages of its own, so that caches are read from memory and not
// from L2. Beside it stands what vLLM 0.26 takes for the same on an H200.
//
//   cuda_attention_bench [scores] [mla]
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "backend/cuda/index_scores/index_scores.h"
#include "backend/cuda/shapes.h"
#include "backend/cuda/sparse_mla/sparse_mla.h"
#include "backend/cuda/top_k/top_k.h"
#include "base/dtype.h"
#include "cuda_measure.h"
#include "ops/device_fault.h"

namespace {

using namespace glm5;

constexpr int kTopK = 2048, kHeads = 8;
constexpr int64_t kIndexPageBytes = cuda::kPage * (cuda::kIndexDim + 4);
constexpr int64_t kScoreBytes = int64_t{64} << 20;  // as in attention.cpp

using cuda::check_cuda;
using cuda_bench::measure;
using cuda_bench::Memory;

std::mt19937 generator(1);

const std::vector<float>& normals() {
    static const std::vector<float> values = [] {
        std::vector<float> result(1 << 16);
        std::normal_distribution<float> normal;
        for (float& value : result) value = normal(generator);
        return result;
    }();
    return values;
}
float normal() {
    return normals()[generator() >> 16];
}

std::vector<uint8_t> random_codes(int64_t count, float scale) {
    std::vector<uint8_t> codes(count);
    for (uint8_t& code : codes) code = f32_to_e4m3(normal() * scale);
    return codes;
}
std::vector<uint8_t> index_pages(int64_t count) {
    std::vector<uint8_t> pages = random_codes(count * kIndexPageBytes, 100);
    for (int64_t page = 0; page < count; ++page)
        for (int i = 0; i < cuda::kPage; ++i) {
            const float scale = std::ldexp(1.0f, -5 - static_cast<int>(generator() % 3));
            std::memcpy(&pages[page * kIndexPageBytes + cuda::kPage * cuda::kIndexDim + 4 * i], &scale, 4);
        }
    return pages;
}
std::vector<uint8_t> latent_entries(int64_t count, bool fp8) {
    const int64_t entry_bytes = fp8 ? cuda::kFp8EntryBytes : cuda::kBf16EntryBytes;
    std::vector<uint8_t> entries = random_codes(count * entry_bytes, 100);
    for (int64_t entry = 0; entry < count; ++entry) {
        uint8_t* at = &entries[entry * entry_bytes];
        for (int i = 0; fp8 && i < 4; ++i) {
            const float scale = 0.01f;
            std::memcpy(at + cuda::kLatentDim + 4 * i, &scale, 4);
        }
        for (int64_t i = fp8 ? cuda::kLatentDim + 16 : 0; i < entry_bytes; i += 2) {
            const uint16_t half = f32_to_bf16(normal());
            std::memcpy(at + i, &half, 2);
        }
    }
    return entries;
}
std::vector<cuda::bf16> random_bf16(int64_t count) {
    std::vector<cuda::bf16> values(count);
    for (cuda::bf16& value : values) value = __float2bfloat16(normal());
    return values;
}

std::string reference(double us) {
    return us > 0 ? fmt::format("{:8.1f}", us) : std::string("       –");
}

// The tokens of a step: `sequences` of `context` tokens, of which the last `queries` are the step's. Each call has
// pages of its own, as far as the pool goes round.
struct Step {
    int sequences, queries, context;
    int tokens() const { return sequences * queries; }
    int64_t pages() const { return cuda::ceil_div(context, cuda::kPage); }
    std::vector<int32_t> page_table(int call, int64_t pool) const {
        std::vector<int32_t> table(sequences * pages());
        const int64_t stride = 7919;  // neighbours in a sequence are none in memory
        for (int64_t i = 0; i < std::ssize(table); ++i)
            table[i] = static_cast<int32_t>((call * std::ssize(table) + i) % pool * stride % pool);
        return table;
    }
    std::vector<int32_t> positions() const {
        std::vector<int32_t> result;
        for (int i = 0; i < tokens(); ++i) result.push_back(context - queries + i % queries);
        return result;
    }
    std::vector<int32_t> sequence_ids() const {
        std::vector<int32_t> result;
        for (int i = 0; i < tokens(); ++i) result.push_back(i / queries);
        return result;
    }
};

void bench_scores(const cuda::Launch& launch, const Step& step, double vllm_scores, double vllm_top_k) {
    constexpr int64_t kPool = 270'001;  // pages; 2.3 GB
    static Memory pool_memory;
    static std::byte* pool = pool_memory.repeat(index_pages(4001), kPool * kIndexPageBytes);
    const int64_t stride = step.pages() * cuda::kPage;
    const int group =
        static_cast<int>(std::min<int64_t>(step.tokens(), std::max<int64_t>(16, kScoreBytes / stride / 64 * 16)));
    const double bytes = static_cast<double>(step.sequences) * step.context * 132.0 + 4.0 * step.tokens() * stride;
    const int calls = step.queries > 1 ? 2 : 8;

    Memory memory;
    const auto* query = memory.upload(random_codes(int64_t{step.tokens()} * 4096, 100));
    std::vector<float> weight_values(step.tokens() * 32);
    for (float& value : weight_values) value = normal();
    const auto* weights = memory.upload(weight_values);
    const auto* positions = memory.upload(step.positions());
    const auto* ids = memory.upload(step.sequence_ids());
    std::vector<int32_t*> tables;
    for (int call = 0; call < calls; ++call) tables.push_back(memory.upload(step.page_table(call, kPool)));
    auto* scores = memory.array<float>(group * stride);
    auto* chosen = memory.array<int32_t>(int64_t{step.tokens()} * kTopK);
    auto* counts = memory.array<int32_t>(step.tokens());
    const auto run = [&](int call, bool with_scores, bool with_top_k) {
        for (int first = 0; first < step.tokens(); first += group) {
            const int tokens = std::min(group, step.tokens() - first);
            if (with_scores)
                cuda::index_scores(launch, {.scores = scores,
                                            .stride = stride,
                                            .query = query + int64_t{first} * 4096,
                                            .weights = weights + int64_t{first} * 32,
                                            .pages = pool,
                                            .page_bytes = kIndexPageBytes,
                                            .positions = positions + first,
                                            .sequence_ids = ids + first,
                                            .page_table = tables[call],
                                            .max_pages = step.pages(),
                                            .num_tokens = tokens,
                                            .tokens_per_sequence = step.queries,
                                            .max_context_tokens = step.context,
                                            .top_k = kTopK});
            if (with_top_k)
                cuda::top_k(launch, {.chosen = chosen + int64_t{first} * kTopK,
                                     .counts = counts + first,
                                     .scores = scores,
                                     .stride = stride,
                                     .positions = positions + first,
                                     .num_tokens = tokens,
                                     .top_k = kTopK,
                                     .max_context_tokens = step.context});
        }
    };
    const double both = measure(launch, calls, [&](int call) { run(call, true, true); });
    const double scores_us = measure(launch, calls, [&](int call) { run(call, true, false); });
    const double top_k_us = measure(launch, calls, [&](int call) { run(call, false, true); });
    fmt::print("{:5} × {:5} {:8} | {:8.1f} {:6.0f} {:6.0f} {} | {:8.1f} {} | {:8.1f}\n", step.sequences, step.queries,
               step.context, scores_us, bytes / scores_us * 1e-3, 8192e-6 * step.tokens() * step.context / scores_us,
               reference(vllm_scores), top_k_us, reference(vllm_top_k), both);
}

void bench_mla(const cuda::Launch& launch, const Step& step, int heads, bool fp8, double vllm) {
    const int64_t entry_bytes = fp8 ? cuda::kFp8EntryBytes : cuda::kBf16EntryBytes;
    const int64_t pool_pages = step.queries > 1 ? 4'001 : 20'011;
    const int calls = step.queries > 1 ? 2 : 8;
    Memory memory;
    const std::byte* pool = memory.repeat(latent_entries(64 * 257, fp8), pool_pages * cuda::kPage * entry_bytes);
    const auto* query = memory.upload(random_bf16(int64_t{step.tokens()} * heads * cuda::kQueryDim));
    auto* out = memory.array<cuda::bf16>(int64_t{step.tokens()} * heads * cuda::kLatentDim);
    std::vector<int32_t> all(step.context), chosen_values;
    std::iota(all.begin(), all.end(), 0);
    for (int token = 0; token < step.tokens(); ++token)
        std::sample(all.begin(), all.end(), std::back_inserter(chosen_values), kTopK, generator);
    const auto* chosen = memory.upload(chosen_values);
    const auto* counts = memory.upload(std::vector<int32_t>(step.tokens(), kTopK));
    const auto* ids = memory.upload(step.sequence_ids());
    void* workspace = memory.array<std::byte>(cuda::sparse_mla_workspace_bytes());
    std::vector<int32_t*> tables;
    for (int call = 0; call < calls; ++call) tables.push_back(memory.upload(step.page_table(call, pool_pages)));
    const double us = measure(launch, calls, [&](int call) {
        cuda::sparse_mla(launch, {.out = out,
                                  .query = query,
                                  .pages = pool,
                                  .page_bytes = entry_bytes * cuda::kPage,
                                  .fp8 = fp8,
                                  .chosen = chosen,
                                  .counts = counts,
                                  .sequence_ids = ids,
                                  .page_table = tables[call],
                                  .max_pages = step.pages(),
                                  .num_tokens = step.tokens(),
                                  .num_heads = heads,
                                  .top_k = kTopK,
                                  .scale = 0.0625f,
                                  .tokens_per_sequence = step.queries,
                                  .max_context_tokens = step.context,
                                  .workspace = workspace});
    });
    const double keys = static_cast<double>(step.tokens()) * kTopK;
    fmt::print("{:5} × {:5} {:3} heads {:4} | {:8.1f} {:6.0f} {:6.1f} {}\n", step.sequences, step.queries, heads,
               fp8 ? "fp8" : "bf16", us, keys * static_cast<double>(entry_bytes) / us * 1e-3,
               keys * heads * 2 * (576 + 512) / us * 1e-6, reference(vllm));
}

}  // namespace

int main(int argc, char** argv) try {
    const auto wanted = [&](const char* name) {
        return argc == 1 ||
               std::any_of(argv + 1, argv + argc, [&](const char* arg) { return !std::strcmp(arg, name); });
    };
    cudaDeviceProp properties;
    check_cuda(cudaGetDeviceProperties(&properties, 0), "no GPU");
    cuda::Launch launch{.stream = nullptr,
                        .num_sms = properties.multiProcessorCount,
                        .architecture = properties.major * 10 + properties.minor};
    check_cuda(cudaStreamCreate(&launch.stream), "stream");
    fmt::print("{}\n", properties.name);
    if (wanted("scores")) {
        fmt::print(
            "sequences × tokens, context | scores µs, GB/s, TFLOP/s, vLLM µs | top-2048 µs, vLLM µs | both µs\n");
        bench_scores(launch, {1, 1, 4096}, 3.10, 3.66);
        bench_scores(launch, {8, 1, 4096}, 4.59, 3.95);
        bench_scores(launch, {32, 1, 4096}, 8.11, 4.26);
        bench_scores(launch, {128, 1, 4096}, 23.0, 5.71);
        bench_scores(launch, {1, 1, 32768}, 4.27, 10.45);
        bench_scores(launch, {8, 1, 32768}, 13.0, 10.8);
        bench_scores(launch, {32, 1, 32768}, 41.2, 21.8);
        bench_scores(launch, {128, 1, 32768}, 147, 21.7);
        bench_scores(launch, {1, 1, 131072}, 7.68, 13.41);
        bench_scores(launch, {8, 1, 131072}, 41.4, 16.2);
        bench_scores(launch, {32, 1, 131072}, 146, 35.3);
        bench_scores(launch, {128, 1, 131072}, 0, 0);
        bench_scores(launch, {32, 4, 32768}, 0, 0);
        bench_scores(launch, {1, 2048, 4096}, 0, 0);
        bench_scores(launch, {1, 2048, 32768}, 543, 191);
        bench_scores(launch, {1, 8192, 8192}, 297, 149);
    }
    if (wanted("mla")) {
        fmt::print("sequences × tokens | µs, GB/s, TFLOP/s, vLLM µs\n");
        for (bool fp8 : {false, true}) {
            bench_mla(launch, {1, 1, 4096}, kHeads, fp8, fp8 ? 18.8 : 14.1);
            bench_mla(launch, {8, 1, 4096}, kHeads, fp8, fp8 ? 23.2 : 17.6);
            bench_mla(launch, {32, 1, 4096}, kHeads, fp8, fp8 ? 49.1 : 31.5);
            bench_mla(launch, {128, 1, 4096}, kHeads, fp8, fp8 ? 114.1 : 80.1);
            bench_mla(launch, {1, 2048, 4096}, kHeads, fp8, fp8 ? 1729 : 913);
            bench_mla(launch, {1, 2048, 2048}, kHeads, fp8, 0);   // every token chooses all
            bench_mla(launch, {1, 2048, 32768}, kHeads, fp8, 0);  // neighbours have little in common
            bench_mla(launch, {16, 1, 4096}, 64, fp8, 0);
            bench_mla(launch, {256, 1, 4096}, 64, fp8, 0);
        }
    }
    return 0;
} catch (const ops::DeviceFault& fault) {
    fmt::print(stderr, "{}\n", fault.what());
    return 1;
}
