// index_select and sparse_mla against the CPU backend, and the top-k kernel against a sort.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "backend/cuda/launch.h"
#include "backend/cuda/shapes.h"
#include "backend/cuda/top_k/top_k.h"
#include "cuda/support.h"

namespace glm5::cuda_test {
namespace {

using cuda::kIndexDim;
using cuda::kIndexHeads;

class IndexSelectTest : public CudaTest {
protected:
    struct Step {
        BatchPair batch;
        CachePair cache;
        TensorPair query, weights;
        ops::Selection cpu, cuda;
    };
    // Both backends choose.
    static void select(Twin& twin, Step& step, int64_t top_k) {
        const int64_t tokens = step.batch.cpu.num_tokens;
        const TensorPair positions = twin.output(DType::i32, {tokens, top_k}), counts = twin.output(DType::i32, {tokens});
        step.cpu = {positions.cpu, counts.cpu};
        step.cuda = {positions.cuda, counts.cuda};
        twin.cpu().index_select({step.cpu, step.query.cpu, step.weights.cpu, step.cache.cpu, &step.batch.cpu});
        twin.cuda().index_select({step.cuda, step.query.cuda, step.weights.cuda, step.cache.cuda, &step.batch.cuda});
    }
    static Step random_step(Twin& twin, const std::vector<Sequence>& sequences) {
        Step step{.batch = twin.batch(sequences)};
        step.cache = twin.random_cache(step.batch);
        step.query = twin.random_e4m3({step.batch.cpu.num_tokens, kIndexHeads, kIndexDim});
        step.weights = twin.random_floats({step.batch.cpu.num_tokens, kIndexHeads});
        return step;
    }
    // Every score is a small multiple of a power of two, so that any order of summation gives it exactly, and many are
    // equal.
    static Step exact_step(Twin& twin, const std::vector<Sequence>& sequences) {
        Step step = random_step(twin, sequences);
        Random& random = twin.generator();
        const auto small = [&] { return static_cast<float>(random.below(5) - 2); };
        std::vector<float> values(step.query.cpu.elements());
        for (float& value : values) value = small();
        twin.set(step.query, values);
        values.resize(step.weights.cpu.elements());
        for (float& value : values) value = small() * 0.25f;
        twin.set(step.weights, values);
        for (int32_t slot : step.batch.slots) {
            uint8_t* page = page_of(step, slot);
            for (int i = 0; i < kIndexDim; ++i) page[slot % kPageTokens * kIndexDim + i] = f32_to_e4m3(small());
        }
        const TensorPair& pages = step.cache.index_keys;
        twin.cuda().copy_to_device(pages.cuda, pages.cpu.data, pages.cpu.bytes());
        return step;
    }
    static uint8_t* page_of(const Step& step, int32_t slot) {
        return step.cache.index_keys.cpu.as<uint8_t>() + slot / kPageTokens * step.cache.cpu.index_keys.page_bytes;
    }
    static double score(const Step& step, int64_t token, int32_t position) {
        const ops::Batch& batch = step.batch.cpu;
        const int64_t row = batch.sequence_ids.as<int32_t>()[token];
        const int32_t page_number = batch.page_table.as<int32_t>()[row * batch.page_table.shape[1] + position / kPageTokens];
        const int32_t slot = page_number * kPageTokens + position % kPageTokens;
        const uint8_t* key = page_of(step, slot) + slot % kPageTokens * kIndexDim;
        float scale;
        std::memcpy(&scale, page_of(step, slot) + kPageTokens * kIndexDim + slot % kPageTokens * 4, 4);
        double sum = 0;
        for (int64_t head = token * kIndexHeads; head < (token + 1) * kIndexHeads; ++head) {
            double dot = 0;
            for (int i = 0; i < kIndexDim; ++i)
                dot += static_cast<double>(step.query.cpu.as<float>()[head * kIndexDim + i]) * e4m3_to_f32(key[i]);
            sum += step.weights.cpu.as<float>()[head] * std::max(0.0, dot);
        }
        return sum * scale;
    }

    static void expect_equal(Twin& twin, const std::vector<Sequence>& sequences, int64_t top_k) {
        Step step = exact_step(twin, sequences);
        select(twin, step, top_k);
        ASSERT_EQ(twin.cuda_integers(step.cuda.counts), twin.cpu_integers(step.cpu.counts));
        const std::vector<int32_t> actual = twin.cuda_integers(step.cuda.positions);
        const std::vector<int32_t> expected = twin.cpu_integers(step.cpu.positions);
        for (size_t i = 0; i < actual.size(); ++i)
            ASSERT_EQ(actual[i], expected[i]) << "token " << i / top_k << ", place " << i % top_k << ", top " << top_k;
    }
    // Where the choices differ, the scores of what is chosen here and there differ by rounding only.
    static void expect_close_scores(Twin& twin, const std::vector<Sequence>& sequences, int64_t top_k, double tolerance) {
        Step step = random_step(twin, sequences);
        select(twin, step, top_k);
        ASSERT_EQ(twin.cuda_integers(step.cuda.counts), twin.cpu_integers(step.cpu.counts));
        const std::vector<int32_t> actual = twin.cuda_integers(step.cuda.positions);
        const std::vector<int32_t> expected = twin.cpu_integers(step.cpu.positions);
        for (int64_t token = 0; token < step.batch.cpu.num_tokens; ++token) {
            const int32_t* chosen = actual.data() + token * top_k;
            const int32_t* wanted = expected.data() + token * top_k;
            const int64_t count = step.cpu.counts.as<int32_t>()[token];
            ASSERT_TRUE(std::is_sorted(chosen, chosen + count)) << "token " << token;
            ASSERT_TRUE(count == 0 || chosen[0] >= 0) << "token " << token;
            for (int64_t i = count; i < top_k; ++i) ASSERT_EQ(chosen[i], -1) << "token " << token;
            std::vector<int32_t> extra, missing;
            std::set_difference(chosen, chosen + count, wanted, wanted + count, std::back_inserter(extra));
            std::set_difference(wanted, wanted + count, chosen, chosen + count, std::back_inserter(missing));
            ASSERT_EQ(extra.size(), missing.size()) << "token " << token;
            double magnitude = 0;
            for (int64_t i = 0; i < count && !extra.empty(); i += 16)
                magnitude = std::max(magnitude, std::fabs(score(step, token, wanted[i])));
            for (int32_t e : extra)
                for (int32_t m : missing)
                    ASSERT_GE(score(step, token, e), score(step, token, m) - tolerance * magnitude)
                        << "token " << token << " chose " << e << ", not " << m;
        }
    }
};

constexpr double kExactProducts = 1e-5, kHopperSums = 2e-3;

TEST_F(IndexSelectTest, DecodeChoosesWhatTheSpecificationDoes) {
    Twin twin;
    expect_equal(twin, {{1, 1}}, 64);
    expect_equal(twin, {{64, 1}, {65, 1}, {63, 1}, {66, 1}}, 64);
    expect_equal(twin, {{127, 1}, {128, 1}, {129, 1}, {1000, 1}, {256, 1}, {257, 1}, {5, 1}, {320, 1}}, 256);
    expect_equal(twin, {{2047, 1}, {2048, 1}, {2049, 1}, {2050, 1}, {2112, 1}, {4096, 1}, {4097, 1}, {9000, 1}}, 2048);
    expect_equal(twin, {{40000, 1}}, 2048);
    std::vector<Sequence> many;
    for (int i = 0; i < 140; ++i) many.push_back({.context_len = 1 + i * 37 % 3000, .query_len = 1});
    expect_equal(twin, many, 256);
    expect_equal(twin, many, 2048);
}

TEST_F(IndexSelectTest, PrefillAndRaggedStepsChooseWhatTheSpecificationDoes) {
    Twin twin;
    expect_equal(twin, {{100, 3}, {70, 4}, {64, 2}, {300, 4}}, 64);  // verification
    expect_equal(twin, {{40, 40}}, 64);
    expect_equal(twin, {{400, 400}}, 64);                                             // a whole prompt
    expect_equal(twin, {{700, 1}, {333, 65}, {64, 1}, {1200, 130}, {300, 1}}, 256);  // chunks among decode rows
    expect_equal(twin, {{2300, 300}, {5000, 1}, {2049, 17}, {3000, 16}}, 2048);
    expect_equal(twin, {{40000, 300}}, 2048);  // more than the workspace holds at once
}

TEST_F(IndexSelectTest, RandomScores) {
    Twin twin;
    expect_close_scores(twin, {{40000, 1}, {3000, 1}, {2049, 1}}, 2048, kExactProducts);
    expect_close_scores(twin, {{4100, 4}, {3000, 3}}, 2048, kExactProducts);
    expect_close_scores(twin, {{5000, 200}}, 2048, kHopperSums);
    expect_close_scores(twin, {{800, 100}, {500, 1}}, 256, kHopperSums);
}

// Rows of scores, longest first, so that one launch has several lengths.
class TopKTest : public CudaTest {
protected:
    void SetUp() override {
        CudaTest::SetUp();
        if (IsSkipped()) return;
        cudaDeviceProp properties;
        ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
        launch_.num_sms = properties.multiProcessorCount;
        launch_.architecture = properties.major * 10 + properties.minor;
    }
    template <typename T>
    T* device(const std::vector<T>& values) {
        void* memory = nullptr;
        EXPECT_EQ(cudaMalloc(&memory, values.size() * sizeof(T)), cudaSuccess);
        EXPECT_EQ(cudaMemcpy(memory, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
        allocations_.push_back(memory);
        return static_cast<T*>(memory);
    }
    void TearDown() override {
        for (void* memory : allocations_) cudaFree(memory);
    }
    static uint32_t key(float score) {
        if (score != score) return 0;
        const auto bits = std::bit_cast<uint32_t>(score == 0 ? 0.0f : score);
        return bits >> 31 ? ~bits : bits | 0x80000000u;
    }
    static std::vector<int32_t> sorted_choice(const float* scores, int n, int top_k) {
        std::vector<std::pair<uint32_t, int32_t>> order;  // the larger key first, then the lower position
        for (int i = 0; i < n; ++i) order.emplace_back(~key(scores[i]), i);
        std::vector<int32_t> chosen(top_k, -1);
        const int count = std::min(n, top_k);
        std::nth_element(order.begin(), order.begin() + count - 1, order.end());
        for (int i = 0; i < count; ++i) chosen[i] = order[i].second;
        std::sort(chosen.begin(), chosen.begin() + count);
        return chosen;
    }
    // `lengths` are those of the rows; `make(row, i)` is a score.
    void check(const std::vector<int>& lengths, int top_k, const std::function<float(int, int)>& make,
               const std::string& what) {
        const int rows = static_cast<int>(lengths.size()), longest = *std::max_element(lengths.begin(), lengths.end());
        const int64_t stride = cuda::round_up(longest, 64);
        std::vector<float> scores(rows * stride, INFINITY);  // what lies behind a row must not count
        std::vector<int32_t> positions;
        for (int row = 0; row < rows; ++row) {
            for (int i = 0; i < lengths[row]; ++i) scores[row * stride + i] = make(row, i);
            positions.push_back(lengths[row] - 1);
        }
        std::vector<int32_t> chosen(int64_t{rows} * top_k + 64, -77), counts(rows + 1, -77);
        int32_t* chosen_device = device(chosen);
        int32_t* counts_device = device(counts);
        cuda::top_k(launch_, {.chosen = chosen_device,
                              .counts = counts_device,
                              .scores = device(scores),
                              .stride = stride,
                              .positions = device(positions),
                              .num_tokens = rows,
                              .top_k = top_k,
                              .max_context_tokens = longest});
        ASSERT_EQ(cudaMemcpy(chosen.data(), chosen_device, chosen.size() * 4, cudaMemcpyDeviceToHost), cudaSuccess);
        ASSERT_EQ(cudaMemcpy(counts.data(), counts_device, counts.size() * 4, cudaMemcpyDeviceToHost), cudaSuccess);
        for (int row = 0; row < rows; ++row) {
            EXPECT_EQ(counts[row], std::min(top_k, lengths[row])) << what;
            const std::vector<int32_t> expected = sorted_choice(&scores[row * stride], lengths[row], top_k);
            for (int i = 0; i < top_k; ++i)
                ASSERT_EQ(chosen[int64_t{row} * top_k + i], expected[i])
                    << what << ", top " << top_k << " of " << lengths[row] << ", row " << row << " of " << rows
                    << ", place " << i;
        }
        EXPECT_EQ(counts[rows], -77);
        EXPECT_TRUE(std::all_of(chosen.end() - 64, chosen.end(), [](int32_t value) { return value == -77; }));
        TearDown();
        allocations_.clear();
    }
    void check_kinds(const std::vector<int>& lengths, int top_k) {
        Random random(7);
        check(lengths, top_k, [&](int, int) { return random.normal(); }, "normal");
        check(lengths, top_k, [&](int, int) { return std::fabs(random.normal()) + 1; }, "positive");
        check(lengths, top_k, [&](int, int) { return 1.5f; }, "all equal");
        check(lengths, top_k, [&](int, int i) { return i % 3 ? 0.0f : -0.0f; }, "zeros of both signs");
        check(lengths, top_k, [&](int, int) { return static_cast<float>(random.below(5)); }, "five values");
        check(lengths, top_k, [&](int, int) { return std::max(0.0f, random.normal() - 1); }, "mostly zero");
        check(lengths, top_k, [&](int, int i) { return i == 5 ? 1e30f : random.normal(); }, "an outlier");
        check(lengths, top_k, [&](int, int) { return std::ldexp(random.normal(), random.below(60) - 30); }, "magnitudes");
        check(lengths, top_k, [&](int, int) { return random.below(4) == 0 ? INFINITY : -random.normal(); }, "infinite");
        check(lengths, top_k, [&](int, int) { return random.below(3) == 0 ? -INFINITY : random.normal(); }, "-infinite");
        check(lengths, top_k, [&](int, int) { return random.below(2) == 0 ? NAN : random.normal(); }, "NaN");
        check(lengths, top_k, [&](int, int) { return NAN; }, "all NaN");
        check(lengths, top_k, [&](int, int) { return random.normal() * 1e38f; }, "overflowing range");
        check(lengths, top_k, [&](int, int) { return random.normal() * 1e-40f; }, "denormal");
        check(lengths, top_k, [&](int, int i) { return static_cast<float>(i); }, "ascending");
        check(lengths, top_k, [&](int, int i) { return static_cast<float>(-i); }, "descending");
    }

    cuda::Launch launch_;
    std::vector<void*> allocations_;
};

TEST_F(TopKTest, OneCtaARow) {
    check_kinds({63, 64, 65, 128, 700, 1}, 64);
    check_kinds({4096, 2047, 2048, 2049, 3001, 1}, 2048);
}

TEST_F(TopKTest, SeveralCtasARow) {
    check_kinds({40000}, 2048);
    check_kinds({20000, 2048, 2049, 9000}, 2048);
    check_kinds({9001, 300, 257}, 256);
}

TEST_F(TopKTest, LongRows) {
    Random random(8);
    const auto normal = [&](int, int) { return random.normal(); };
    check({202752, 131072}, 2048, normal, "long");
    check({1000000, 400001}, 2048, normal, "longer than shared memory");
    check({400001}, 2048, [&](int, int) { return std::max(0.0f, random.normal() - 2); }, "mostly zero");
}

TEST_F(TopKTest, ManyRows) {
    std::vector<int> lengths;
    for (int i = 0; i < 300; ++i) lengths.push_back(1 + i * 97 % 6000);
    Random random(9);
    check(lengths, 2048, [&](int, int) { return random.normal(); }, "many rows");
    check(lengths, 256, [&](int, int) { return static_cast<float>(random.below(50)); }, "many rows, fifty values");
    check(std::vector<int>(140, 50000), 2048, [&](int, int) { return random.normal(); }, "many long rows");
}

class SparseMlaTest : public CudaTest {
protected:
    static void check(Twin& twin, const std::vector<Sequence>& sequences, int heads, int top_k, const std::string& what,
                      float query_scale = 1) {
        const BatchPair batch = twin.batch(sequences);
        const int64_t tokens = batch.cpu.num_tokens;
        const CachePair cache = twin.random_cache(batch);
        const TensorPair query = twin.random({tokens, heads, cuda::kQueryDim}, query_scale);
        std::vector<int32_t> chosen(tokens * top_k, -1), counts;
        for (int64_t token = 0; token < tokens; ++token) {
            const int seen = batch.cpu.positions.as<int32_t>()[token] + 1, count = std::min(seen, top_k);
            // Of every `seen` positions in ascending order, the next is taken with the chance that fills the rest.
            for (int position = 0, taken = 0; position < seen; ++position)
                if (twin.generator().below(seen - position) < count - taken) chosen[token * top_k + taken++] = position;
            counts.push_back(count);
        }
        const TensorPair chosen_pair = twin.integers(chosen, {tokens, top_k}), counts_pair = twin.integers(counts);
        const TensorPair out = twin.activation_tensor({tokens, heads, cuda::kLatentDim});
        const float scale = 1.0f / 16;
        twin.cpu().sparse_mla({out.cpu, query.cpu, cache.cpu, {chosen_pair.cpu, counts_pair.cpu}, scale, &batch.cpu});
        twin.cuda().sparse_mla({out.cuda, query.cuda, cache.cuda, {chosen_pair.cuda, counts_pair.cuda}, scale, &batch.cuda});
        // Groups multiply FP8 latents as bf16.
        twin.expect_close(out, twin.cuda().numerics().latent == LatentFormat::bf16 ? 5e-3 : 1e-2, what);
    }
    static void check_format(LatentFormat format) {
        Twin twin(format);
        check(twin, {{1, 1}}, 8, 64, "one key");
        check(twin, {{31, 1}, {32, 1}, {33, 1}, {63, 1}, {64, 1}, {65, 1}, {200, 1}}, 8, 64, "top 64");
        check(twin, {{255, 1}, {256, 1}, {257, 1}, {3000, 1}, {17, 1}}, 8, 256, "nano");
        check(twin, {{2048, 1}}, 8, 2048, "one token, 2048 keys");
        check(twin, {{40000, 1}, {2047, 1}, {2049, 1}}, 8, 2048, "long");
        check(twin, {{40000, 1}, {130, 1}}, 64, 2048, "64 heads");
        check(twin, {{300, 300}}, 8, 256, "a prompt");
        check(twin, {{700, 1}, {333, 65}, {64, 1}, {1200, 130}, {3, 3}}, 16, 256, "ragged");
        std::vector<Sequence> many;
        for (int i = 0; i < 140; ++i) many.push_back({.context_len = 1 + i * 37 % 3000, .query_len = 1});
        check(twin, many, 8, 2048, "140 sequences");
        many.resize(30);
        check(twin, many, 8, 2048, "30 sequences");
        check(twin, {{3000, 2}}, 8, 2048, "sharp", 20);
        // Enough tokens to be taken in groups.
        check(twin, {{600, 600}}, 8, 256, "a prompt in groups");
        check(twin, {{2500, 560}}, 8, 2048, "groups, top 2048");
        check(twin, {{700, 1}, {1200, 650}, {64, 1}, {90, 3}, {333, 65}}, 8, 256, "groups among decode rows");
        check(twin, {{500, 300}, {77, 77}}, 16, 256, "groups of 4");
        check(twin, {{500, 150}, {77, 2}}, 32, 64, "groups of 2");
        check(twin, {{500, 150}, {77, 2}}, 24, 64, "groups of 2 with rows to spare");
        check(twin, {{3000, 70}, {1, 1}, {65, 3}}, 64, 2048, "64 heads, a token a group");
        check(twin, {{60000, 540}}, 8, 2048, "unions that are too long", 2);
    }
};

TEST_F(SparseMlaTest, Bf16Latents) {
    check_format(LatentFormat::bf16);
}
TEST_F(SparseMlaTest, Fp8Latents) {
    check_format(LatentFormat::fp8_ds_mla);
}

}  // namespace
}  // namespace glm5::cuda_test
