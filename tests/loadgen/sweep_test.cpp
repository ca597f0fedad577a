// The order of a sweep: which levels run, which are taken from the file, and when it ends. Levels are made up.
#include "loadgen/sweep.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "loadgen/sweep_monitor.h"
#include "sweep_samples.h"

namespace glm5::loadgen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SweepTest : public testing::Test {
protected:
    void SetUp() override {
        options_.result_path = testing::TempDir() + fmt::format("sweep_test_{}.json", getpid());
        options_.benchmark.model = "glm5-nano";
        options_.concurrencies = {4, 1, 2, 2};
        for (const char* extension : {".json", ".csv", ".html"})
            std::filesystem::remove(beside(options_.result_path, extension));
    }

    // Runs with levels of `failures[concurrency]` failed requests; notes which ran.
    Result<SweepOutcome> run(const std::map<int, int>& failures = {}, int interrupt_at = 0) {
        ran_.clear();
        return run_sweep(options_, "a server", [&, interrupt_at](const BenchmarkOptions& level) {
            const int concurrency = level.max_concurrency.value();
            ran_.push_back(concurrency);
            using Level = Result<std::optional<SweepLevel>>;
            if (concurrency == interrupt_at) return Level(std::optional<SweepLevel>());
            const auto failed = failures.find(concurrency);
            return Level(std::optional(sample_level(concurrency, failed == failures.end() ? 0 : failed->second,
                                                    10.0 * concurrency, 100.0 * concurrency)));
        });
    }

    SweepOptions options_;
    std::vector<int> ran_;
};

TEST_F(SweepTest, RunsEachLevelOnceInOrderAndWritesAllFiles) {
    const auto outcome = run();
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    EXPECT_THAT(ran_, ElementsAre(1, 2, 4));
    EXPECT_EQ(outcome->sweep.levels.size(), 3u);
    EXPECT_EQ(outcome->sweep.note, "");
    for (const char* extension : {".json", ".csv", ".html"})
        EXPECT_TRUE(std::filesystem::exists(beside(options_.result_path, extension))) << extension;
}

TEST_F(SweepTest, GoesOnWhereItsFileEnds) {
    const auto interrupted = run({}, 4);
    ASSERT_TRUE(interrupted.ok());
    EXPECT_TRUE(interrupted->interrupted);
    EXPECT_THAT(ran_, ElementsAre(1, 2, 4));
    options_.concurrencies = {1, 2, 4, 8};
    const auto outcome = run();
    ASSERT_TRUE(outcome.ok());
    EXPECT_FALSE(outcome->interrupted);
    EXPECT_THAT(ran_, ElementsAre(4, 8));
    EXPECT_EQ(outcome->sweep.levels.size(), 4u);
    ASSERT_TRUE(run().ok());
    EXPECT_THAT(ran_, ElementsAre());
}

TEST_F(SweepTest, RunsALevelWithFailuresAgain) {
    ASSERT_TRUE(run({{2, 1}}).ok());
    EXPECT_THAT(ran_, ElementsAre(1, 2, 4));
    const auto outcome = run();
    EXPECT_THAT(ran_, ElementsAre(2));
    EXPECT_TRUE(outcome->sweep.find(2)->is_complete());
}

TEST_F(SweepTest, EndsWhereNothingSucceeds) {
    const auto outcome = run({{2, 64}});
    EXPECT_THAT(ran_, ElementsAre(1, 2));
    EXPECT_EQ(outcome->sweep.note, "ended at concurrency 2: no request succeeded");
}

TEST_F(SweepTest, EndsWhereTheWaitIsTooLongAlsoFromItsFile) {
    options_.max_ttft_ms = 150;
    for (const bool again : {false, true}) {
        const auto outcome = run();
        EXPECT_EQ(ran_.size(), again ? 0u : 2u);
        EXPECT_EQ(outcome->sweep.note, "ended at concurrency 2: a mean TTFT of 200 ms is above the limit of 150 ms");
    }
    options_.max_ttft_ms.reset();
    EXPECT_EQ(run()->sweep.note, "");
    EXPECT_THAT(ran_, ElementsAre(4));
}

TEST_F(SweepTest, LeavesAFileWithOtherSettingsAlone) {
    ASSERT_TRUE(run().ok());
    options_.benchmark.dataset.input_len = 7;
    const auto outcome = run();
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.status().message(),
              options_.result_path +
                  " holds a sweep with other settings: input_len 1024 there, 7 here; give another "
                  "result file");
    EXPECT_THAT(ran_, ElementsAre());
}

TEST_F(SweepTest, OptionsAreChecked) {
    options_.concurrencies = {1, 0};
    EXPECT_EQ(run().status().message(), "concurrency: expected positive numbers, found 0");
    options_.concurrencies = {};
    EXPECT_EQ(run().status().message(), "concurrency: expected at least one level");
    options_.concurrencies = {1};
    options_.reference = "glm5-8xb200-vllm-0.16";
    EXPECT_THAT(run().status().message(), HasSubstr("it is of GLM-5, this sweep of 'glm5-nano'"));
    options_.result_path = "x.txt";
    EXPECT_THAT(run().status().message(), HasSubstr("ends in .json"));
}

TEST_F(SweepTest, ALevelHasItsOwnPromptsAndAWarmUpOfEachStream) {
    const BenchmarkOptions low = level_options(options_, 1), high = level_options(options_, 256);
    EXPECT_EQ(low.num_prompts, 32);
    EXPECT_EQ(high.num_prompts, 5 * 256);
    EXPECT_EQ(high.num_warmups, 256);
    EXPECT_EQ(high.max_concurrency, 256);
    EXPECT_NE(low.seed, high.seed);
    options_.num_prompts = 10;
    EXPECT_EQ(level_options(options_, 256).num_prompts, 10);
}

TEST_F(SweepTest, NamesItsFileByModelAndLoad) {
    options_.benchmark.model = "org/a b<c>";
    EXPECT_EQ(sweep_file_name(options_), "sweep-a_b_c_-1024-128.json");
}

TEST(SweepMetrics, SumsTheSeriesOfAName) {
    const std::string text =
        "# TYPE vllm:num_requests_running gauge\n"
        "vllm:num_requests_running{engine=\"0\",model_name=\"a} 7\\\" x\"} 3\n"
        "vllm:num_requests_running{engine=\"1\",model_name=\"b\"} 4.5 1700000000\n"
        "vllm:num_requests_running_more 100\n"
        "vllm:num_requests_running{engine=\"2\"} NaN\n"
        "vllm:num_requests_running{engine=\"3\n"
        "vllm:plain 2e3";
    EXPECT_EQ(sum_metric(text, "vllm:num_requests_running").sum, 7.5);
    EXPECT_EQ(sum_metric(text, "vllm:num_requests_running").num_series, 2);
    EXPECT_EQ(sum_metric(text, "vllm:plain").sum, 2000);
    EXPECT_EQ(sum_metric(text, "vllm:absent").num_series, 0);
}

TEST(SweepMonitorTest, KeepsItsPointsBoundedAndCountsPreemptions) {
    std::atomic<int> calls = 0;
    SweepMonitor monitor(
        [&]() -> Result<std::string> {
            const int call = calls++;
            if (call % 5 == 4) return io_error("connection reset");
            return fmt::format(
                "vllm:num_requests_running {}\nvllm:num_requests_waiting 2\n"
                "vllm:kv_cache_usage_perc{{engine=\"0\"}} 0.5\nvllm:kv_cache_usage_perc{{engine=\"1\"}} 1\n"
                "vllm:num_preemptions_total {}\n",
                call, 100 + call);
        },
        std::chrono::milliseconds(1), 8);
    while (calls < 30) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    monitor.stop();
    ASSERT_GE(monitor.timeline().size(), 4u);
    EXPECT_LE(monitor.timeline().size(), 8u);
    for (size_t i = 1; i < monitor.timeline().size(); ++i)
        EXPECT_GT(monitor.timeline()[i].num_running, monitor.timeline()[i - 1].num_running);
    EXPECT_EQ(monitor.timeline()[0].cache_usage, 0.75);
    EXPECT_GE(*monitor.num_preemptions(), 28);
}

TEST(SweepMonitorTest, AServerWithoutMetricsHasNone) {
    SweepMonitor monitor([]() -> Result<std::string> { return std::string("<html>not metrics</html>"); },
                         std::chrono::milliseconds(1), 8);
    monitor.stop();
    EXPECT_TRUE(monitor.timeline().empty());
    EXPECT_FALSE(monitor.num_preemptions());
}

}  // namespace
}  // namespace glm5::loadgen
