// The file of a sweep, its saturation point, and what it may be set beside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "json/parse.h"
#include "json/write.h"
#include "loadgen/sweep_reference.h"
#include "sweep_samples.h"

namespace glm5::loadgen {
namespace {

using ::testing::HasSubstr;

Sweep sample_sweep() {
    Sweep sweep;
    sweep.settings = settings_of("zai-org/GLM-5-FP8", 2048, 512);
    sweep.date = "20260131-093000";
    sweep.server = "glm5 0.1.0";
    sweep.note = "ended";
    sweep.put(sample_level(8, 3, 20.5));
    sweep.put(sample_level(1, 0, 10.25));
    return sweep;
}

TEST(SweepFile, IsReadAsItWasWritten) {
    const std::string path = testing::TempDir() + "sweep_file.json";
    const Sweep sweep = sample_sweep();
    ASSERT_TRUE(write_file(path, json::write(to_json(sweep))).ok());
    const auto read = read_sweep(path);
    ASSERT_TRUE(read.ok()) << read.status().message();
    ASSERT_TRUE(read->has_value());
    EXPECT_EQ(to_json(**read), to_json(sweep));
    ASSERT_EQ((*read)->levels.size(), 2u);
    EXPECT_EQ((*read)->levels[0].concurrency, 1);
    EXPECT_TRUE((*read)->levels[0].is_complete());
    EXPECT_FALSE((*read)->levels[1].is_complete());
    EXPECT_EQ((*read)->levels[1].timeline[1].num_running, 8);
    EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST(SweepFile, AbsentIsNoError) {
    const auto read = read_sweep(testing::TempDir() + "no_such_sweep.json");
    ASSERT_TRUE(read.ok());
    EXPECT_FALSE(read->has_value());
}

TEST(SweepFile, ALevelReplacesTheOneOfItsConcurrency) {
    Sweep sweep = sample_sweep();
    sweep.put(sample_level(8, 0, 33));
    ASSERT_EQ(sweep.levels.size(), 2u);
    EXPECT_EQ(sweep.find(8)->figure("output_throughput"), 33);
    EXPECT_TRUE(std::isnan(sweep.find(8)->figure("no_such_key")));
}

TEST(SweepFile, WhatIsNoSweepIsNamed) {
    const std::string good = json::write(to_json(sample_sweep()));
    const auto error_after = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        const size_t at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        text.replace(at, from.size(), to);
        const auto value = json::parse(text);
        EXPECT_TRUE(value.ok()) << text;
        const auto sweep = sweep_from_json(*value);
        return sweep.ok() ? std::string("accepted") : sweep.status().message();
    };
    EXPECT_THAT(error_after("glm5-sweep-1", "other"), HasSubstr("not the result of a sweep"));
    EXPECT_EQ(error_after("\"levels\"", "\"stages\""), "levels: missing");
    EXPECT_EQ(error_after("\"note\": \"ended\"", "\"note\": 1"), "note: expected string, found integer");
    EXPECT_EQ(error_after("\"concurrency\": 1,", "\"concurrency\": -1,"),
              "levels[0]: concurrency: expected a positive integer");
    EXPECT_EQ(error_after("\"concurrency\": 1,", "\"concurrency\": 1e30,"),
              "levels[0]: concurrency: expected a positive integer");
    EXPECT_EQ(error_after("\"completed\": 64", "\"completed\": -64"),
              "levels[0]: benchmark.completed: expected a number of requests");
    EXPECT_EQ(error_after("\"itl_percentiles_ms\": [10.0, ", "\"itl_percentiles_ms\": ["),
              "levels[0]: itl_percentiles_ms: expected 101 numbers, found 100");
    EXPECT_EQ(error_after("\"running\": [0.0, ", "\"running\": ["), "levels[0]: timeline: 3 of time_s, 2 of running");
    EXPECT_EQ(error_after("\"running\": [0.0, ", "\"running\": [\"x\", "),
              "levels[0]: running[0]: expected number, found string");
}

TEST(SweepFile, GarbageIsAnErrorOfTheFile) {
    const std::string path = testing::TempDir() + "garbage_sweep.json";
    std::ofstream(path) << "{\"format\": ";
    const auto read = read_sweep(path);
    ASSERT_FALSE(read.ok());
    EXPECT_THAT(read.status().message(), HasSubstr(path));
}

TEST(Saturation, IsWhereTheGainEnds) {
    Sweep sweep;
    EXPECT_FALSE(find_saturation(sweep));
    sweep.put(sample_level(1, 0, 100));
    EXPECT_FALSE(find_saturation(sweep));
    sweep.put(sample_level(8, 0, 200));
    EXPECT_TRUE(find_saturation(sweep)->is_last);
    sweep.put(sample_level(16, 0, 206));  // 200 is 97 % of it
    EXPECT_EQ(find_saturation(sweep)->concurrency, 8);
    EXPECT_FALSE(find_saturation(sweep)->is_last);
    sweep.put(sample_level(32, 1, 900));  // a request failed
    EXPECT_EQ(find_saturation(sweep)->concurrency, 8);
    EXPECT_EQ(find_saturation(sweep)->greatest_throughput, 206);
}

// The table's own text: its throughput is greatest at 128 and does not rise again.
TEST(Reference, SaturatesWhereItsTextSays) {
    Sweep sweep;
    for (const ReferenceLevel& level : reference_tables()[0].levels)
        sweep.put(sample_level(level.concurrency, 0, level.figures[0]));
    ASSERT_EQ(sweep.levels.size(), 9u);
    EXPECT_EQ(find_saturation(sweep)->concurrency, 128);
}

// c · 512 / (TTFT + 511 · TPOT) gives the throughput of each row up to 256, as the publication's reader computed.
TEST(Reference, FiguresAgreeWithEachOther) {
    for (const ReferenceLevel& level : reference_tables()[0].levels) {
        if (level.concurrency > 256) continue;
        const double seconds = (level.figures[1] + 511 * level.figures[2]) / 1e3;
        EXPECT_NEAR(level.concurrency * 512 / seconds, level.figures[0], 0.01 * level.figures[0]) << level.concurrency;
    }
}

TEST(Reference, IsForItsModelAndLoadOnly) {
    const std::string name = "glm5-8xb200-vllm-0.16";
    const auto found = [&](const json::Object& settings, const std::string& reference) {
        Sweep sweep;
        sweep.settings = settings;
        const auto table = find_reference(reference, sweep);
        if (!table.ok()) return table.status().message();
        return *table ? std::string((*table)->name) : std::string("none");
    };
    for (const char* model : {"GLM-5", "zai-org/GLM-5-FP8", "/models/glm-5-fp8/", "zai-org/GLM-5"}) {
        EXPECT_EQ(found(settings_of(model, 2048, 512), "auto"), name) << model;
        EXPECT_EQ(found(settings_of(model, 2048, 512), name), name) << model;
        EXPECT_EQ(found(settings_of(model, 2048, 512), "none"), "none") << model;
        EXPECT_EQ(found(settings_of(model, 128, 32), "auto"), "none") << model;
    }
    for (const char* model : {"glm5-nano", "models/glm5-nano", "GLM-5.2-FP8", "GLM-5-nano", "GLM-4", ""})
        EXPECT_EQ(found(settings_of(model, 2048, 512), "auto"), "none") << model;
    EXPECT_EQ(found(settings_of("glm5-nano", 2048, 512), name),
              "reference glm5-8xb200-vllm-0.16: it is of GLM-5, this sweep of 'glm5-nano'");
    EXPECT_EQ(found(settings_of("GLM-5", 2048, 128), name),
              "reference glm5-8xb200-vllm-0.16: output_len is 512, this sweep has 128");
    EXPECT_EQ(found(settings_of("GLM-5", 2048, 512), "other"),
              "reference: expected auto, none, glm5-8xb200-vllm-0.16, found 'other'");
}

}  // namespace
}  // namespace glm5::loadgen
