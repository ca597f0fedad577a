// Metrics: nothing is lost under concurrency, and what is rendered is the text format, by a parser of its own.
#include "base/metrics.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/exposition_parser.h"

namespace glm5::metrics {
namespace {

using exposition::Page;

TEST(Metrics, ConcurrentObservationsAreAllCounted) {
    constexpr int kThreads = 12, kRounds = 50'000;  // more threads than shards
    Registry registry;
    Counter& counter = registry.counter("c_total", "c");
    Histogram& histogram = registry.histogram("h", "h", {1, 2, 3});
    std::atomic<bool> stop = false;
    std::thread reader([&] {
        double last = 0;
        while (!stop) {
            const Page page(registry.render());  // every page in between is consistent
            EXPECT_GE(page.value("h_count"), last);
            last = page.value("h_count");
        }
    });
    std::vector<std::thread> writers;
    for (int t = 0; t < kThreads; ++t)
        writers.emplace_back([&, t] {
            for (int i = 0; i < kRounds; ++i) {
                counter.add(2);
                histogram.observe(t % 4 + 0.5);
            }
        });
    for (std::thread& writer : writers) writer.join();
    stop = true;
    reader.join();
    EXPECT_EQ(counter.value(), uint64_t{2} * kThreads * kRounds);
    constexpr uint64_t kQuarter = uint64_t{kThreads} * kRounds / 4;
    const Histogram::Snapshot snapshot = histogram.snapshot();
    EXPECT_EQ(snapshot.cumulative, (std::vector<uint64_t>{kQuarter, 2 * kQuarter, 3 * kQuarter, 4 * kQuarter}));
    EXPECT_EQ(snapshot.sum, kQuarter * (0.5 + 1.5 + 2.5 + 3.5));  // exact in double
}

TEST(Metrics, BucketsHoldTheirUpperBound) {
    Histogram histogram({0.1, 1, 10});
    for (const double value : {-5.0, 0.1, 0.100001, 1.0, 10.0, 10.5, HUGE_VAL, double(NAN)}) histogram.observe(value);
    EXPECT_EQ(histogram.snapshot().cumulative, (std::vector<uint64_t>{2, 4, 5, 7}));
}

TEST(Metrics, PageIsExactlyTheFormat) {
    Registry registry;
    registry.counter("glm5:tokens_total", "Tokens.", {{"kind", "prompt"}}).add(7);
    registry.gauge("usage", "Between \\ and\nbeyond \"quotes\".").set(0.25);
    Histogram& histogram = registry.histogram("seconds", "Time.", {0.005, 1, 2.5, 1e6}, {{"model", "m"}});
    registry.counter("glm5:tokens_total", "Tokens.", {{"kind", "completion"}});
    histogram.observe(0.5);
    histogram.observe(2);
    histogram.observe(3e6);
    EXPECT_EQ(registry.render(), R"(# HELP glm5:tokens_total Tokens.
# TYPE glm5:tokens_total counter
glm5:tokens_total{kind="prompt"} 7
glm5:tokens_total{kind="completion"} 0
# HELP usage Between \\ and\nbeyond "quotes".
# TYPE usage gauge
usage 0.25
# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{model="m",le="0.005"} 0
seconds_bucket{model="m",le="1.0"} 1
seconds_bucket{model="m",le="2.5"} 2
seconds_bucket{model="m",le="1000000.0"} 2
seconds_bucket{model="m",le="+Inf"} 3
seconds_sum{model="m"} 3000002.5
seconds_count{model="m"} 3
)");
    EXPECT_EQ(Page(registry.render()).families.size(), 3u);
}

TEST(Metrics, LabelValuesSurviveEscaping) {
    Registry registry;
    const std::vector<std::string> values = {"", "a\\b", "say \"x\"", "two\nlines", "\\n", "ü 漢 😀", "{},=\"", "\\"};
    for (const std::string& value : values) registry.counter("c_total", "c", {{"v", value}, {"w", "x"}}).add(3);
    const Page page(registry.render());
    for (const std::string& value : values) EXPECT_EQ(page.value("c_total", {{"v", value}, {"w", "x"}}), 3) << value;
}

TEST(Metrics, WhatIsNotUtf8IsReplaced) {
    Registry registry;
    const std::pair<const char*, const char*> cases[] = {{"a\xff", "a?"},
                                                         {"\xc0\x80 overlong", "?? overlong"},
                                                         {"\xed\xa0\x80 surrogate", "??? surrogate"},
                                                         {"\xe6\xbc cut", "?? cut"},
                                                         {"\xf4\x90\x80\x80", "????"},
                                                         {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"}};
    for (const auto& [value, shown] : cases) registry.gauge("g", "g", {{"v", value}});
    const Page page(registry.render());
    for (const auto& [value, shown] : cases) EXPECT_EQ(page.value("g", {{"v", shown}}), 0) << shown;
}

TEST(Metrics, CallbacksAreReadOncePerPageAfterTheSnapshot) {
    Registry registry;
    int source = 0, snapshot = 0, reads = 0;
    registry.before_render([&] { snapshot = ++source; });
    for (const char* name : {"first_total", "second_total"})
        registry.counter_callback(name, "n", {}, [&] { return ++reads, double(snapshot); });
    registry.gauge_callback("g", "g", {}, [&] { return -double(snapshot) / 4; });
    for (int round = 1; round <= 3; ++round) {
        const Page page(registry.render());
        EXPECT_EQ(page.value("first_total"), round);
        EXPECT_EQ(page.value("second_total"), round);
        EXPECT_EQ(page.value("g"), -round / 4.0);
        EXPECT_EQ(reads, 2 * round);
    }
}

TEST(Metrics, NumbersRoundTrip) {
    Registry registry;
    Gauge& gauge = registry.gauge("g", "g");
    for (const double value : {0.0, 1.0, -1.0, 0.1, 1e-9, 123456789.125, 1e15, 1e22, 3.4e-300, HUGE_VAL, -HUGE_VAL}) {
        gauge.set(value);
        EXPECT_EQ(Page(registry.render()).value("g"), value);
    }
    gauge.set(NAN);
    EXPECT_NE(registry.render().find("\ng NaN\n"), std::string::npos);
}

TEST(MetricsDeathTest, MisuseIsFoundAtRegistration) {
    Registry registry;
    registry.counter("c_total", "c", {{"a", "1"}});
    EXPECT_DEATH(registry.counter("c_total", "c", {{"a", "1"}}), "exists already");
    EXPECT_DEATH(registry.gauge("c_total", "c", {{"a", "2"}}), "another kind");
    EXPECT_DEATH(registry.counter("1c", "c"), "metric 1c");
    EXPECT_DEATH(registry.counter("c-d", "c"), "metric c-d");
    EXPECT_DEATH(registry.counter("d_total", "d", {{"le", "1"}}), "label le");
    EXPECT_DEATH(registry.histogram("h", "h", {1, 1}), "adjacent_find");
}

}  // namespace
}  // namespace glm5::metrics
