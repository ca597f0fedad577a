// sample: the CUDA backend chooses the tokens that the CPU backend chooses, bit for bit. The CPU backend is held to the
// definition by tests/sample.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cuda/support.h"

namespace glm5::cuda_test {
namespace {

class Sample : public CudaTest {};

struct Row {
    std::vector<float> logits;
    float temperature = 1, top_p = 1, min_p = 0;
    int32_t top_k = 0;
    float repetition = 1, presence = 0, frequency = 0;
    uint64_t seed = 0;
    int32_t position = 0;
    std::vector<std::pair<int32_t, float>> edits;
    std::vector<std::pair<int32_t, int32_t>> history;  // id, times in the completion
};

// A field of all rows as a tensor on both devices.
template <typename T>
TensorPair field(Twin& twin, const std::vector<Row>& rows, T Row::*member) {
    std::vector<T> values;
    for (const Row& row : rows) values.push_back(row.*member);
    const DType dtype = std::is_same_v<T, float> ? DType::f32 : std::is_same_v<T, int32_t> ? DType::i32 : DType::i64;
    const TensorPair pair = twin.output(dtype, {std::ssize(rows)});
    twin.cpu().copy_to_device(pair.cpu, values.data(), pair.cpu.bytes());
    twin.cuda().copy_to_device(pair.cuda, values.data(), pair.cuda.bytes());
    return pair;
}

// The lists of all rows, one after the other, each with its start.
template <typename T>
struct Lists {
    std::vector<int32_t> start{0}, ids;
    std::vector<T> values;
    Lists(const std::vector<Row>& rows, std::vector<std::pair<int32_t, T>> Row::*member) {
        for (const Row& row : rows) {
            for (const auto& [id, value] : row.*member) ids.push_back(id), values.push_back(value);
            start.push_back(static_cast<int32_t>(ids.size()));
        }
        if (ids.empty()) ids.push_back(-1), values.push_back(0);  // tensors without elements are not what is tested
    }
};

struct Tokens {
    std::vector<int32_t> cpu, cuda;
};

Tokens choose(Twin& twin, const std::vector<Row>& rows, int num_vocab_tokens = 0) {
    const auto count = std::ssize(rows), vocabulary = std::ssize(rows[0].logits);
    std::vector<float> logits;
    for (const Row& row : rows) logits.insert(logits.end(), row.logits.begin(), row.logits.end());
    const Lists<float> edits(rows, &Row::edits);
    const Lists<int32_t> history(rows, &Row::history);
    const auto floats = [&](const std::vector<float>& values) { return twin.floats(values, {std::ssize(values)}); };
    const TensorPair tokens = twin.output(DType::i32, {count}), logit_tensor = twin.floats(logits, {count, vocabulary});
    const std::pair<ops::Tensor ops::SampleParameters::*, TensorPair> fields[] = {
        {&ops::SampleParameters::temperature, field(twin, rows, &Row::temperature)},
        {&ops::SampleParameters::top_p, field(twin, rows, &Row::top_p)},
        {&ops::SampleParameters::min_p, field(twin, rows, &Row::min_p)},
        {&ops::SampleParameters::top_k, field(twin, rows, &Row::top_k)},
        {&ops::SampleParameters::repetition_penalty, field(twin, rows, &Row::repetition)},
        {&ops::SampleParameters::presence_penalty, field(twin, rows, &Row::presence)},
        {&ops::SampleParameters::frequency_penalty, field(twin, rows, &Row::frequency)},
        {&ops::SampleParameters::seed, field(twin, rows, &Row::seed)},
        {&ops::SampleParameters::position, field(twin, rows, &Row::position)},
        {&ops::SampleParameters::edit_start, twin.integers(edits.start)},
        {&ops::SampleParameters::edit_ids, twin.integers(edits.ids)},
        {&ops::SampleParameters::edit_values, floats(edits.values)},
        {&ops::SampleParameters::history_start, twin.integers(history.start)},
        {&ops::SampleParameters::history_ids, twin.integers(history.ids)},
        {&ops::SampleParameters::history_counts, twin.integers(history.values)}};
    ops::SampleArgs cpu{.tokens = tokens.cpu, .logits = logit_tensor.cpu};
    ops::SampleArgs cuda{.tokens = tokens.cuda, .logits = logit_tensor.cuda};
    cpu.num_vocab_tokens = cuda.num_vocab_tokens = num_vocab_tokens > 0 ? num_vocab_tokens : static_cast<int>(vocabulary);
    for (const auto& [member, pair] : fields) cpu.parameters.*member = pair.cpu, cuda.parameters.*member = pair.cuda;
    twin.cpu().sample(cpu);
    twin.cuda().sample(cuda);
    return {twin.cpu_integers(tokens.cpu), twin.cuda_integers(tokens.cuda)};
}

void expect_alike(const Tokens& tokens, const std::string& what) {
    for (size_t row = 0; row < tokens.cpu.size(); ++row)
        ASSERT_EQ(tokens.cuda[row], tokens.cpu[row]) << what << ", row " << row;
}

std::vector<float> random_logits(Random& random, size_t count, float deviation) {
    std::vector<float> logits(count);
    for (float& logit : logits) logit = (random.normal() + random.uniform(-1e-3f, 1e-3f)) * deviation;
    return logits;
}

// Random parameters; logits on a grid, so that many are equal, when `ties`.
Row random_row(Random& random, size_t vocabulary, bool ties) {
    const auto pick = [&](auto... values) {
        const std::common_type_t<decltype(values)...> list[] = {values...};
        return list[random.below(sizeof...(values))];
    };
    Row row{.logits = random_logits(random, vocabulary, pick(0.1f, 2.0f, 6.0f))};
    if (ties)
        for (float& logit : row.logits) logit = std::round(logit * 2) / 2;
    row.temperature = pick(0.0f, 1e-6f, 0.4f, 1.0f, 2.5f);
    row.top_p = pick(1.0f, 1e-6f, 0.3f, 0.9f, 0.99f, 0.9999999f);
    row.top_k = pick(0, 1, 7, 64, 1000, 1 << 30);
    row.min_p = pick(0.0f, 0.0f, 1e-6f, 0.01f, 0.5f, 1.0f);
    row.repetition = pick(1.0f, 1.2f, 0.8f);
    row.presence = pick(0.0f, 0.7f, -0.5f);
    row.frequency = pick(0.0f, 0.3f);
    row.seed = random.bits();
    row.position = random.below(200000);
    const int step = 1 + static_cast<int>(vocabulary / 100);
    for (size_t id = random.below(5); id < vocabulary; id += 1 + random.below(2 * step))
        row.history.push_back({static_cast<int32_t>(id), random.below(4)});
    for (size_t id = random.below(5); id < vocabulary; id += 1 + random.below(4 * step))
        row.edits.push_back({static_cast<int32_t>(id), pick(-INFINITY, 1.0f, -3.0f)});
    return row;
}

TEST_F(Sample, ChoosesAsTheCpuDoes) {
    Twin twin;
    for (int vocabulary : {1, 2, 7, 8, 9, 63, 1000, 4224}) {
        std::vector<Row> rows;
        for (int i = 0; i < 512; ++i) rows.push_back(random_row(twin.generator(), vocabulary, i % 2 == 0));
        expect_alike(choose(twin, rows), fmt::format("{} ids", vocabulary));
    }
}

TEST_F(Sample, ChoosesAsTheCpuDoesAtTheFullVocabulary) {
    Twin twin;
    std::vector<Row> rows;
    for (int i = 0; i < 96; ++i) rows.push_back(random_row(twin.generator(), 154880, i % 2 == 0));
    expect_alike(choose(twin, rows), "full vocabulary");
    expect_alike(choose(twin, rows, 151552), "padded vocabulary");
}

// Plain sampling at many positions: the arithmetic of random numbers and logarithms.
TEST_F(Sample, PlainDraws) {
    Twin twin;
    std::vector<Row> rows(512);
    for (size_t i = 0; i < rows.size(); ++i) {
        rows[i].logits = random_logits(twin.generator(), 4224, 0.5f);
        rows[i].seed = i % 2 == 0 ? 42 : 42 | uint64_t{1} << 63;
        rows[i].position = static_cast<int32_t>(i);
    }
    const Tokens tokens = choose(twin, rows);
    expect_alike(tokens, "plain");
    EXPECT_NE(tokens.cuda, std::vector<int32_t>(512, tokens.cuda[0]));
}

// Logits that crowd in one bin of every histogram, or in one value, or near the largest by the smallest steps.
TEST_F(Sample, CutsAmongCrowdedValues) {
    Twin twin;
    const int vocabulary = 20000;
    std::vector<std::vector<float>> cases;
    cases.emplace_back(vocabulary, 3.0f);
    cases.emplace_back(vocabulary, 0.0f);
    for (int kind = 0; kind < 6; ++kind) {
        std::vector<float> logits(vocabulary);
        for (int i = 0; i < vocabulary; ++i) {
            const int random = twin.generator().below(1000);
            if (kind == 0) logits[i] = random < 500 ? 1.0f : 2.0f;
            if (kind == 1) logits[i] = 1.0f + static_cast<float>(random) * 0x1p-23f;
            if (kind == 2) logits[i] = static_cast<float>(random) * std::numeric_limits<float>::denorm_min();
            if (kind == 3) logits[i] = random == 0 ? 0.0f : -3e38f * static_cast<float>(random) / 1000;
            if (kind == 4) logits[i] = -static_cast<float>(random) / 32;
            if (kind == 5) logits[i] = random < 300 ? -INFINITY : random < 500 ? NAN : -static_cast<float>(random);
        }
        cases.push_back(logits);
    }
    std::vector<Row> rows;
    for (const auto& logits : cases)
        for (int32_t top_k : {0, 1, 999, 19999, 20000})
            for (float top_p : {1.0f, 0.5f, 0.999f, 1e-30f, 0.0f})
                for (float temperature : {1.0f, 1e-38f, 3e38f})
                    rows.push_back({.logits = logits,
                                    .temperature = temperature,
                                    .top_p = top_p,
                                    .top_k = top_k,
                                    .seed = twin.generator().bits()});
    expect_alike(choose(twin, rows), "crowded");
}

TEST_F(Sample, TiesAtTheBoundaryGoToTheLowerId) {
    Twin twin;
    const auto support = [&](const Row& row) {
        std::vector<Row> rows(1000, row);
        for (size_t i = 0; i < rows.size(); ++i) rows[i].position = static_cast<int32_t>(i);
        std::vector<int32_t> draws = choose(twin, rows).cuda;
        std::sort(draws.begin(), draws.end());
        draws.erase(std::unique(draws.begin(), draws.end()), draws.end());
        return draws;
    };
    const std::vector<float> tied = {1, 2, 2, 2, 2, 1};
    EXPECT_EQ(support({.logits = tied, .top_k = 3}), (std::vector<int32_t>{1, 2, 3}));
    EXPECT_EQ(support({.logits = tied, .top_k = 5}), (std::vector<int32_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(support({.logits = {7, 7, 7, 7}, .top_p = 0.5f}), (std::vector<int32_t>{0, 1}));
    EXPECT_EQ(support({.logits = {7, 7, 7, 7}, .top_p = 0.5000001f}), (std::vector<int32_t>{0, 1, 2}));
    EXPECT_EQ(support({.logits = {7, 7, 7, 7}, .top_p = 1e-30f}), (std::vector<int32_t>{0}));
    EXPECT_EQ(support({.logits = {7, 7, 7, 7}, .top_p = 0.5f, .top_k = 2}), (std::vector<int32_t>{0}));
    EXPECT_EQ(support({.logits = {0, 3, 1, 3}, .min_p = 1}), (std::vector<int32_t>{1, 3}));
    EXPECT_EQ(support({.logits = {0, 3, 1, 3}, .temperature = 0}), (std::vector<int32_t>{1}));
}

TEST_F(Sample, DegenerateRows) {
    Twin twin;
    constexpr float kInf = INFINITY, kNan = NAN;
    std::vector<Row> rows;
    for (float temperature : {0.0f, 1.0f})
        for (float top_p : {1.0f, 0.9f})
            for (const std::vector<float>& logits :
                 {std::vector<float>{kNan, kNan, 3, kNan}, {-kInf, kNan, -kInf, -1e30f}, {kNan, -kInf, kNan, kNan},
                  {-kInf, -kInf, -kInf, -kInf}, {1, kInf, 2, kInf}, {-3e38f, 3e38f, -3e38f, 0}, {-0.0f, 0.0f, -1, 0.0f}})
                rows.push_back({.logits = logits, .temperature = temperature, .top_p = top_p});
    rows.push_back({.logits = {kInf, 2, 1, 1}, .edits = {{0, -kInf}}});
    rows.push_back({.logits = {1, 2, 3, 3}, .min_p = 1.5f});
    rows.push_back({.logits = {1, 2, 3, 3}, .top_p = 0.5f, .min_p = 1.5f, .top_k = 2});
    expect_alike(choose(twin, rows), "degenerate");
}

TEST_F(Sample, DoesNotDependOnOtherRows) {
    Twin twin;
    std::vector<Row> rows;
    for (int i = 0; i < 40; ++i) rows.push_back(random_row(twin.generator(), 5000, false));
    const std::vector<int32_t> together = choose(twin, rows).cuda;
    EXPECT_EQ(choose(twin, rows).cuda, together);
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(choose(twin, {rows[i]}).cuda[0], together[i]) << i;
}

}  // namespace
}  // namespace glm5::cuda_test
