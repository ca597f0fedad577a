// The sample op case by case: against the definition written as a full sort, at ties and boundaries, for rows that are
// degenerate, and whatever other rows there are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "ops/sampling_math.h"
#include "support.h"

namespace glm5::sample_test {
namespace {

// Steps 1 to 8 of ops/sample.h with every step over every id.
int32_t defined_choice(Row row) {
    auto& logits = row.logits;
    for (const auto& [id, value] : row.edits) logits[id] += value;
    for (const auto& [id, count] : row.history)
        logits[id] = ops::penalised(logits[id], row.repetition, row.presence, row.frequency, count);
    for (float& logit : logits) logit = ops::usable_logit(logit);
    const auto best = std::max_element(logits.begin(), logits.end());
    if (row.temperature == 0 || *best == -INFINITY) return static_cast<int32_t>(best - logits.begin());

    struct Item { float x; int32_t id; };
    std::vector<Item> items;
    const float largest = *best;
    for (size_t id = 0; id < logits.size(); ++id) {
        const float x = (logits[id] - largest) / row.temperature;
        if (x > -INFINITY && !(ops::sampling_exp(x) < row.min_p)) items.push_back({x, static_cast<int32_t>(id)});
    }
    std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.x > b.x; });
    if (row.top_k > 0 && items.size() > static_cast<size_t>(row.top_k)) items.resize(row.top_k);
    uint64_t total = 0, before = 0;
    for (const Item& item : items) total += ops::mass(item.x);
    float best_score = -INFINITY;
    int32_t chosen = 0;
    for (const Item& item : items) {
        if (row.top_p < 1 && !ops::within_top_p(before, row.top_p, total)) break;
        before += ops::mass(item.x);
        const float score = item.x + ops::gumbel(ops::random_word(row.seed, row.position, item.id));
        if (score > best_score || (score == best_score && item.id < chosen)) best_score = score, chosen = item.id;
    }
    return chosen;
}

// A row of random parameters; logits on a grid, so that many are equal, when `ties`.
Row random_row(std::mt19937& generator, size_t vocabulary, bool ties) {
    const auto pick = [&](auto... values) {
        const std::common_type_t<decltype(values)...> list[] = {values...};
        return list[generator() % sizeof...(values)];
    };
    Row row{.logits = random_logits(vocabulary, generator(), pick(0.1f, 2.0f, 6.0f))};
    if (ties)
        for (float& logit : row.logits) logit = std::round(logit * 2) / 2;
    row.temperature = pick(0.0f, 1e-6f, 0.4f, 1.0f, 2.5f);
    row.top_p = pick(1.0f, 1e-6f, 0.3f, 0.9f, 0.99f, 0.9999999f);
    row.top_k = pick(0, 1, 7, 64, 1 << 30);
    row.min_p = pick(0.0f, 0.0f, 0.01f, 0.5f, 1.0f);
    row.repetition = pick(1.0f, 1.2f, 0.8f);
    row.presence = pick(0.0f, 0.7f, -0.5f);
    row.frequency = pick(0.0f, 0.3f);
    row.seed = uint64_t{generator()} << 32 | generator();
    row.position = static_cast<int32_t>(generator() % 200000);
    for (size_t id = generator() % 5; id < vocabulary && row.history.size() < 50; id += 1 + generator() % 9)
        row.history.push_back({static_cast<int32_t>(id), static_cast<int32_t>(generator() % 4)});
    for (size_t id = generator() % 5; id < vocabulary && row.edits.size() < 20; id += 1 + generator() % 20)
        row.edits.push_back({static_cast<int32_t>(id), pick(-INFINITY, 1.0f, -3.0f)});
    return row;
}

TEST(Choice, IsTheDefinitions) {
    std::mt19937 generator(17);
    for (size_t vocabulary : {1, 2, 63, 1000, 4132}) {
        std::vector<Row> rows;
        for (int i = 0; i < 400; ++i) rows.push_back(random_row(generator, vocabulary, i % 2 == 0));
        const auto tokens = choose(rows);
        for (size_t i = 0; i < rows.size(); ++i)
            ASSERT_EQ(tokens[i], defined_choice(rows[i])) << vocabulary << " ids, row " << i;
    }
}

TEST(Choice, IsTheDefinitionsAtTheFullVocabulary) {
    std::mt19937 generator(18);
    std::vector<Row> rows;
    for (int i = 0; i < 24; ++i) rows.push_back(random_row(generator, 154880, i % 2 == 0));
    const auto tokens = choose(rows);
    for (size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(tokens[i], defined_choice(rows[i])) << i;
}

TEST(Choice, DoesNotDependOnOtherRowsOrThreads) {
    std::mt19937 generator(19);
    std::vector<Row> rows;
    for (int i = 0; i < 65; ++i) rows.push_back(random_row(generator, 2000, false));
    const auto together = choose(rows), by_one_thread = choose(rows, 0, 1);
    EXPECT_EQ(together, by_one_thread);
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(choose({rows[i]})[0], together[i]) << i;
}

TEST(Choice, GreedyTiesGoToTheLowerId) {
    EXPECT_EQ(choose({{.logits = {1, 5, 2, 5, 5}, .temperature = 0}}), (std::vector<int32_t>{1}));
    EXPECT_EQ(choose({{.logits = {-3, -3, -3}, .temperature = 0}}), (std::vector<int32_t>{0}));
    EXPECT_EQ(choose({{.logits = {0, 2, 1}, .temperature = 0, .edits = {{1, -INFINITY}}}}), (std::vector<int32_t>{2}));
    EXPECT_EQ(choose({{.logits = {0, 2, 1}, .temperature = 0, .frequency = 0.5f, .history = {{1, 3}}}}),
              (std::vector<int32_t>{2}));
}

// Which ids 2,000 draws give.
std::vector<int32_t> support(const Row& row) {
    auto draws = draw(row, 2000);
    std::sort(draws.begin(), draws.end());
    draws.erase(std::unique(draws.begin(), draws.end()), draws.end());
    return draws;
}

TEST(Choice, TiesAtTheBoundaryGoToTheLowerId) {
    const std::vector<float> tied = {1, 2, 2, 2, 2, 1};
    EXPECT_EQ(support({.logits = tied, .top_k = 3}), (std::vector<int32_t>{1, 2, 3}));
    EXPECT_EQ(support({.logits = tied, .top_k = 5}), (std::vector<int32_t>{0, 1, 2, 3, 4}));
    // Four equal masses of 1/4: the third begins at exactly 1/2, which is not below 1/2.
    EXPECT_EQ(support({.logits = {7, 7, 7, 7}, .top_p = 0.5f}), (std::vector<int32_t>{0, 1}));
    EXPECT_EQ(support({.logits = {7, 7, 7, 7}, .top_p = 0.5000001f}), (std::vector<int32_t>{0, 1, 2}));
    EXPECT_EQ(support({.logits = {7, 7, 7, 7}, .top_p = 1e-30f}), (std::vector<int32_t>{0}));
    // top_p counts what top_k left: 2 of 4 equal ids, of which the first has half.
    EXPECT_EQ(support({.logits = {7, 7, 7, 7}, .top_p = 0.5f, .top_k = 2}), (std::vector<int32_t>{0}));
    EXPECT_EQ(support({.logits = {0, 3, 1, 3}, .min_p = 1}), (std::vector<int32_t>{1, 3}));
}

TEST(Choice, DegenerateRows) {
    constexpr float kInf = INFINITY, kNan = NAN;
    for (float temperature : {0.0f, 1.0f}) {
        for (float top_p : {1.0f, 0.9f}) {
            const auto one = [&](std::vector<float> logits) {
                return choose({{.logits = std::move(logits), .temperature = temperature, .top_p = top_p}})[0];
            };
            EXPECT_EQ(one({kNan, kNan, 3, kNan}), 2);
            EXPECT_EQ(one({-kInf, kNan, -kInf, -1e30f}), 3);
            EXPECT_EQ(one({kNan, -kInf, kNan}), 0);
            EXPECT_EQ(one({-kInf, -kInf}), 0);
            EXPECT_EQ(one({1, kInf, 2}), 1);
            EXPECT_EQ(one({-3e38f, 3e38f, -3e38f}), 1);
        }
    }
    EXPECT_EQ(choose({{.logits = {1, 2}, .edits = {{0, -kInf}, {1, -kInf}}}})[0], 0);
    EXPECT_EQ(choose({{.logits = {kInf, 2}, .edits = {{0, -kInf}}}})[0], 1);
    EXPECT_EQ(choose({{.logits = {1, 2, 3}, .temperature = 1e-38f}})[0], 2);
}

TEST(Choice, PaddingIsNeverChosen) {
    std::vector<Row> rows(500, {.logits = {0, 0, 0, 50, INFINITY}});
    for (size_t i = 0; i < rows.size(); ++i) {
        rows[i].position = static_cast<int32_t>(i);
        rows[i].temperature = i % 2 ? 1.0f : 0.0f;
        rows[i].top_p = i % 4 == 1 ? 0.9f : 1.0f;
    }
    for (int32_t token : choose(rows, 3)) EXPECT_LT(token, 3);
}

TEST(Choice, SeedsAndPositionsDecide) {
    const auto tokens = [](uint64_t seed) { return draw({.logits = random_logits(500, 1, 1), .seed = seed}, 64); };
    EXPECT_EQ(tokens(42), tokens(42));
    EXPECT_NE(tokens(42), tokens(43));
    EXPECT_NE(tokens(42), tokens(42 | uint64_t{1} << 63)) << "the upper half of the seed counts";
    const auto stream = tokens(42);
    EXPECT_GT(std::count_if(stream.begin(), stream.end(), [&](int32_t token) { return token != stream[0]; }), 32);
}

}  // namespace
}  // namespace glm5::sample_test
