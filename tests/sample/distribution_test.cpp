// Draws of the sample op against exact probabilities, computed here in float64 from the definition: chi-square tests
// with fixed seeds, each beside a control that must fail: the same draws against a slightly different definition.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "support.h"

namespace glm5::sample_test {
namespace {

constexpr int kDraws = 100000;
constexpr double kAccept = 3.7;  // standard deviations: one test in 10,000 would fail by chance
constexpr double kReject = 8;

// [vocab_size], zero for ids that must not be chosen.
std::vector<double> probabilities(const Row& row) {
    std::vector<double> x(row.logits.begin(), row.logits.end());
    for (const auto& [id, value] : row.edits) x[id] += value;
    for (const auto& [id, count] : row.history) {
        x[id] = x[id] > 0 ? x[id] / row.repetition : x[id] * row.repetition;
        x[id] -= static_cast<double>(row.frequency) * count + (count > 0 ? row.presence : 0);
    }
    const double largest = *std::max_element(x.begin(), x.end());
    std::vector<double> p;
    for (double logit : x) p.push_back(std::exp((logit - largest) / row.temperature));
    for (double& mass : p)
        if (mass < row.min_p) mass = 0;

    std::vector<int> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return p[a] > p[b]; });
    if (row.top_k > 0)
        for (size_t i = row.top_k; i < order.size(); ++i) p[order[i]] = 0;
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    double before = 0;
    for (int id : order) {
        const double mass = p[id];
        if (row.top_p < 1 && before >= row.top_p * total) p[id] = 0;
        before += mass;
    }
    const double kept = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& mass : p) mass /= kept;
    return p;
}

// How many standard deviations chi-square is above its mean (Wilson and Hilferty); infinite when an id of probability 0
// was drawn. Ids expected fewer than 8 times are one class.
double deviation(const std::vector<int32_t>& draws, const std::vector<double>& p) {
    std::vector<int> counts(p.size());
    for (int32_t token : draws) ++counts.at(token);
    double statistic = 0, rare_expected = 0;
    int classes = 0, rare = 0;
    const auto add = [&](double expected, int found) {
        statistic += (found - expected) * (found - expected) / expected;
        ++classes;
    };
    for (size_t id = 0; id < p.size(); ++id) {
        const double expected = p[id] * static_cast<double>(draws.size());
        if (expected == 0 && counts[id] > 0) return INFINITY;
        if (expected >= 8)
            add(expected, counts[id]);
        else
            rare_expected += expected, rare += counts[id];
    }
    if (rare_expected >= 8) add(rare_expected, rare);
    const double degrees = classes - 1, spread = 2 / (9 * degrees);
    return (std::cbrt(statistic / degrees) - (1 - spread)) / std::sqrt(spread);
}

void expect_distribution(const Row& row, const Row& control) {
    const auto draws = draw(row, kDraws);
    EXPECT_LT(deviation(draws, probabilities(row)), kAccept);
    EXPECT_GT(deviation(draws, probabilities(control)), kReject);
}

Row plain(uint64_t seed) { return {.logits = random_logits(48, 5), .seed = seed}; }

TEST(Distribution, Softmax) {
    Row control = plain(1);
    control.logits[7] += 0.1f;
    control.logits[9] += 0.1f;
    control.logits[std::max_element(control.logits.begin(), control.logits.end()) - control.logits.begin()] += 0.1f;
    expect_distribution(plain(1), control);
}

TEST(Distribution, UniformOverManyIds) {
    Row row{.logits = std::vector<float>(600, 3.5f), .seed = 2}, control = row;
    for (size_t id = 0; id < 300; ++id) control.logits[id] += 0.2f;
    expect_distribution(row, control);
}

TEST(Distribution, Temperature) {
    for (float temperature : {0.3f, 0.7f, 1.9f}) {
        Row row = plain(3), control = row;
        row.temperature = temperature;
        control.temperature = temperature * 1.05f;
        expect_distribution(row, control);
    }
}

TEST(Distribution, TopK) {
    for (int top_k : {3, 5, 20}) {
        Row row = plain(4), one_less = row;
        row.top_k = top_k;
        one_less.top_k = top_k - 1;
        expect_distribution(row, plain(4));
        EXPECT_GT(deviation(draw(row, kDraws), probabilities(one_less)), kReject);
    }
}

TEST(Distribution, TopP) {
    for (float top_p : {0.5f, 0.9f, 0.99f}) {
        Row row = plain(5);
        row.top_p = top_p;
        expect_distribution(row, plain(5));
    }
}

TEST(Distribution, MinP) {
    for (float min_p : {0.02f, 0.2f}) {
        Row row = plain(6);
        row.min_p = min_p;
        expect_distribution(row, plain(6));
    }
}

TEST(Distribution, Penalties) {
    Row row = plain(7);
    for (int32_t id = 0; id < 24; ++id) row.history.push_back({id, id % 4});
    for (auto [field, value] : {std::pair{&Row::repetition, 1.3f}, {&Row::presence, 0.6f}, {&Row::frequency, 0.4f}}) {
        Row penalised = row;
        penalised.*field = value;
        expect_distribution(penalised, row);
    }
}

TEST(Distribution, Edits) {
    Row row = plain(8);
    row.edits = {{3, 1.5f}, {11, -2}, {20, -INFINITY}};
    expect_distribution(row, plain(8));
}

// Everything at once, and the definition with any one part left out.
TEST(Distribution, Combined) {
    Row row = plain(9);
    row.temperature = 1.4f;
    row.top_k = 12;
    row.top_p = 0.93f;
    row.min_p = 0.05f;
    row.repetition = 1.2f;
    row.presence = 0.3f;
    row.frequency = 0.2f;
    const auto likeliest = std::max_element(row.logits.begin(), row.logits.end()) - row.logits.begin();
    row.edits = {{2, 2.5f}, {static_cast<int32_t>(likeliest), -INFINITY}};
    for (int32_t id = 0; id < 30; ++id) row.history.push_back({id, id % 3});
    const auto draws = draw(row, kDraws);
    EXPECT_LT(deviation(draws, probabilities(row)), kAccept);
    const auto without = [&](auto change) {
        Row control = row;
        change(control);
        return deviation(draws, probabilities(control));
    };
    EXPECT_GT(without([](Row& r) { r.temperature = 1; }), kReject);
    EXPECT_GT(without([](Row& r) { r.repetition = 1; }), kReject);
    EXPECT_GT(without([](Row& r) { r.presence = 0; }), kReject);
    EXPECT_GT(without([](Row& r) { r.frequency = 0; }), kReject);
    EXPECT_GT(without([](Row& r) { r.edits.clear(); }), kReject);
    EXPECT_GT(without([](Row& r) { r.top_k = 0, r.top_p = 1, r.min_p = 0; }), kReject);
}

// Draws at neighbouring positions, and of neighbouring seeds, are independent: pairs have the product's probabilities.
TEST(Distribution, PositionsAndSeedsAreIndependent) {
    Row row{.logits = random_logits(6, 3, 1), .seed = 10}, next = row;
    next.seed = 11;
    const auto first = draw(row, kDraws), second = draw(next, kDraws);
    const auto p = probabilities(row);
    std::vector<double> pairs;
    for (double a : p)
        for (double b : p) pairs.push_back(a * b);
    std::vector<int32_t> along, across;
    for (int i = 0; i + 1 < kDraws; i += 2) along.push_back(first[i] * 6 + first[i + 1]);
    for (int i = 0; i < kDraws; ++i) across.push_back(first[i] * 6 + second[i]);
    EXPECT_LT(deviation(along, pairs), kAccept);
    EXPECT_LT(deviation(across, pairs), kAccept);
    std::vector<int32_t> dependent;
    for (int32_t token : first) dependent.push_back(token * 6 + token);
    EXPECT_GT(deviation(dependent, pairs), kReject);
}

}  // namespace
}  // namespace glm5::sample_test
