// What a sweep prints and writes, against the published table's own text and the rules of CSV and HTML.
#include "loadgen/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "loadgen/html_svg.h"
#include "loadgen/report_csv.h"
#include "loadgen/report_html.h"
#include "sweep_samples.h"

namespace glm5::loadgen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const ReferenceTable& published() {
    return reference_tables()[0];
}

// A sweep that measured exactly what was published.
Sweep published_sweep() {
    Sweep sweep;
    sweep.settings = settings_of("zai-org/GLM-5-FP8", published().input_len, published().output_len);
    for (const ReferenceLevel& level : published().levels)
        sweep.put(
            sample_level(level.concurrency, 0, level.figures[0], level.figures[1], level.figures[2], level.figures[3]));
    return sweep;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(std::regex_replace(line, std::regex(" +"), " "));
    return lines;
}

TEST(TextReport, HasThePublishedLayout) {
    const auto lines = lines_of(to_text(published_sweep(), nullptr));
    EXPECT_THAT(lines,
                ElementsAre("concurrency 1 8 16 32 64 128 256 512 1024",  //
                            "output tok/s 54 317 606 884 1456 2132 2071 1955 1944",
                            "TTFT ms 183 1249 788 1341 2031 3558 6207 57202 175241",
                            "TPOT ms 18.31 22.85 24.89 33.56 39.94 52.93 111.12 139.19 143.10",
                            "ITL p99 ms 18.45 22.20 24.94 31.86 474.93 569.76 580.49 584.22 584.03",
                            "Saturation: concurrency 128 with 2132 output tok/s, 100 % of the most that any level "
                            "gives."));
}

TEST(TextReport, HasTheReferenceAndTheRatioBesideEachFigure) {
    Sweep sweep = published_sweep();
    sweep.levels.resize(2);
    sweep.put(sample_level(8, 0, 2 * 317, 1249, 22.85, 22.20));
    sweep.put(sample_level(3, 0, 100));
    const auto lines = lines_of(to_text(sweep, &published()));
    EXPECT_EQ(lines[1], "output tok/s 54 100 634");
    EXPECT_EQ(lines[2], " glm5-8xb200-vllm-0.16 54 - 317");
    EXPECT_EQ(lines[3], " ratio 1.00x - 2.00x");
}

TEST(TextReport, ALevelWithFailuresSaysSoAndHasNoFigures) {
    Sweep sweep = published_sweep();
    sweep.put(sample_level(64, 3, 777.25));
    const std::string all = level_line(*sweep.find(64), &published()) + to_text(sweep, &published()) + to_csv(sweep) +
                            to_html(sweep, &published());
    EXPECT_THAT(all, Not(HasSubstr("777")));
    EXPECT_EQ(level_line(*sweep.find(64), nullptr), "         64 3 of 64 requests failed (HTTP 429: 3)\n");
    EXPECT_THAT(to_text(sweep, nullptr), HasSubstr("Concurrency 64: 3 of 64 requests failed (HTTP 429: 3).\n"));
}

TEST(CsvReport, HasALineForEachLevelWithAsManyFields) {
    Sweep sweep = published_sweep();
    sweep.put(sample_level(64, 1, 777));
    sweep.levels[4].failure_causes = {{"a \"quoted\", cause", 1}};
    std::istringstream stream(to_csv(sweep));
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    ASSERT_EQ(lines.size(), 10u);
    const auto num_commas = std::count(lines[0].begin(), lines[0].end(), ',');
    for (const std::string& line : lines) {
        EXPECT_TRUE(line.ends_with('\r'));
        if (line.find('"') == std::string::npos) {
            EXPECT_EQ(std::count(line.begin(), line.end(), ','), num_commas);
        }
    }
    EXPECT_TRUE(lines[1].starts_with("1,complete,64,64,0,12.5,")) << lines[1];
    EXPECT_THAT(lines[5], HasSubstr("\"1 of 64 requests failed (a \"\"quoted\"\", cause: 1)\""));
}

// Opening and closing tags match, and there is nothing to load or to run.
void expect_whole_page(const std::string& html) {
    std::vector<std::string> open;
    const std::regex tag("<(/?)([a-z0-9]+)([^>]*)>");
    for (auto match = std::sregex_iterator(html.begin(), html.end(), tag); match != std::sregex_iterator(); ++match) {
        const std::string name = (*match)[2], rest = (*match)[3];
        if (name == "meta" || rest.ends_with('/')) continue;
        if ((*match)[1] == "") {
            open.push_back(name);
            continue;
        }
        ASSERT_FALSE(open.empty()) << name;
        ASSERT_EQ(open.back(), name) << html.substr(match->position(), 100);
        open.pop_back();
    }
    EXPECT_TRUE(open.empty());
    for (const char* forbidden :
         {"<script", "<link", "<img", "<iframe", " src=", " href=", "url(", "@import", " onload"})
        EXPECT_THAT(html, Not(HasSubstr(forbidden)));
}

TEST(HtmlReport, IsOneWholePage) {
    const std::string html = to_html(published_sweep(), &published());
    expect_whole_page(html);
    EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
    EXPECT_THAT(html, HasSubstr("glm5-8xb200-vllm-0.16"));
    EXPECT_THAT(html, HasSubstr("saturation at 128"));
    EXPECT_THAT(html, HasSubstr("concurrency 1024: 1944 output tok/s"));
}

TEST(HtmlReport, HasNothingPublishedWithoutAReference) {
    Sweep sweep = published_sweep();
    sweep.settings = settings_of("glm5-nano", 128, 32);
    EXPECT_THAT(to_html(sweep, nullptr), Not(HasSubstr("b200")));
}

TEST(HtmlReport, EscapesWhatOthersWrote) {
    const std::string hostile = "<script>alert(1)</script>\"'&\x01";
    Sweep sweep = published_sweep();
    sweep.settings.set("model", hostile);
    sweep.settings.set(hostile, hostile);
    sweep.server = sweep.date = sweep.note = hostile;
    sweep.put(sample_level(64, 1, 1));
    sweep.levels[4].failure_causes = {{hostile, 1}};
    const std::string html = to_html(sweep, &published());
    expect_whole_page(html);
    EXPECT_THAT(html, Not(HasSubstr("alert(1)</script>")));
    EXPECT_THAT(html, Not(HasSubstr("\x01")));
    EXPECT_EQ(escape_html(hostile), "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\xEF\xBF\xBD");
}

TEST(HtmlReport, DrawsFewAndStrangeLevels) {
    Sweep sweep;
    expect_whole_page(to_html(sweep, nullptr));
    sweep.put(sample_level(1, 64, 0));
    expect_whole_page(to_html(sweep, nullptr));
    SweepLevel bare = sample_level(2, 0, 0, 0, 0, 0);
    bare.timeline = {{0, 0, 0, 0}};
    sweep.put(bare);
    SweepLevel no_figures = sample_level(3, 0, 1);
    no_figures.benchmark.erase("mean_ttft_ms");
    no_figures.itl_percentiles_ms.clear();
    no_figures.timeline.clear();
    sweep.put(no_figures);
    sweep.put(sample_level(2'000'000'000, 0, 1e300, 1e300, 1e-300, 1e300));
    const std::string html = to_html(sweep, nullptr);
    expect_whole_page(html);
    EXPECT_THAT(html, Not(HasSubstr("nan")));
    EXPECT_THAT(html, Not(HasSubstr("\"inf")));
}

TEST(Scale, HasRoundTicksThatHoldTheValues) {
    EXPECT_THAT(Scale::linear(2132).ticks(), ElementsAre(0, 500, 1000, 1500, 2000, 2500));
    EXPECT_THAT(Scale::linear(0).ticks(), testing::SizeIs(testing::Ge(2u)));
    const Scale decades = Scale::logarithmic(183, 175241);
    EXPECT_THAT(decades.ticks(), ElementsAre(1000, 10000, 100000));
    EXPECT_GT(decades.at(183), 0);
    EXPECT_LT(decades.at(175241), 1);
    EXPECT_EQ(tick_text(1500), "1.5k");
    EXPECT_EQ(tick_text(1e6), "1M");
    EXPECT_EQ(tick_text(0.5), "0.5");
}

}  // namespace
}  // namespace glm5::loadgen
