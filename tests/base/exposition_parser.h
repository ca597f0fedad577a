// A strict parser of the Prometheus text format 0.0.4, written from its specification: one grammar, no tolerance.
// Shared by the tests of what renders it.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace glm5::exposition {

using LabelMap = std::map<std::string, std::string>;

struct Family {
    std::string help, type;
    std::map<std::string, std::map<LabelMap, double>> samples;  // full sample name → labels → value
};

class Page {
public:
    // Fails the test for anything that the format does not allow, or that histograms and counters may not be.
    explicit Page(const std::string& text) {
        EXPECT_TRUE(text.empty() || text.back() == '\n') << "the last line must end";
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) parse_line(line);
        for (const auto& [name, family] : families) check(name, family);
    }

    // The value of one sample; NaN and a failure when it is absent.
    double value(const std::string& sample, const LabelMap& labels = {}) const {
        for (const auto& [name, family] : families)
            if (const auto found = family.samples.find(sample); found != family.samples.end())
                if (const auto series = found->second.find(labels); series != found->second.end())
                    return series->second;
        ADD_FAILURE() << "there is no " << sample;
        return std::numeric_limits<double>::quiet_NaN();
    }

    std::map<std::string, Family> families;

private:
    void parse_line(const std::string& line) {
        static const std::regex comment(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*))");
        static const std::regex sample(R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+))");
        std::smatch match;
        if (std::regex_match(line, match, comment)) {
            if (match[1] == "HELP") {
                EXPECT_TRUE(families.emplace(match[2], Family{match[3], "", {}}).second) << "twice: " << line;
                current_ = match[2];
            } else {
                EXPECT_EQ(current_, match[2]) << "TYPE without its HELP: " << line;
                EXPECT_TRUE(families[current_].samples.empty() && families[current_].type.empty()) << line;
                EXPECT_TRUE(match[3] == "counter" || match[3] == "gauge" || match[3] == "histogram") << line;
                families[current_].type = match[3];
            }
            return;
        }
        ASSERT_TRUE(std::regex_match(line, match, sample)) << "not a line of the format: " << line;
        Family& family = families[current_];
        std::set<std::string> names = {current_};
        if (family.type == "histogram") names = {current_ + "_bucket", current_ + "_sum", current_ + "_count"};
        EXPECT_TRUE(names.contains(match[1])) << match[1] << " is not of " << current_;
        EXPECT_TRUE(family.samples[match[1]].emplace(parse_labels(match[2]), parse_number(match[3])).second) << line;
    }

    static double parse_number(const std::string& text) {
        if (text == "+Inf") return std::numeric_limits<double>::infinity();
        if (text == "-Inf") return -std::numeric_limits<double>::infinity();
        if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        EXPECT_TRUE(std::regex_match(text, std::regex(R"(-?\d+(\.\d+)?(e[-+]?\d+)?)")) && *end == 0) << text;
        return value;
    }

    static LabelMap parse_labels(std::string text) {
        LabelMap labels;
        static const std::regex label(R"(^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)\"(,(?=.)|$))");
        std::smatch match;
        while (!text.empty()) {
            if (!std::regex_search(text, match, label)) {
                ADD_FAILURE() << "not a label: " << text;
                break;
            }
            std::string value;
            const std::string escaped = match[2];
            for (size_t i = 0; i < escaped.size(); ++i)
                value += escaped[i] != '\\' ? escaped[i] : escaped[++i] == 'n' ? '\n' : escaped[i];
            EXPECT_TRUE(labels.emplace(match[1], value).second) << "label twice: " << match[1];
            text = match.suffix().str();
        }
        return labels;
    }

    static void check(const std::string& name, const Family& family) {
        EXPECT_FALSE(family.help.empty()) << name;
        EXPECT_FALSE(family.samples.empty()) << name;
        if (family.type == "counter") {
            for (const auto& [labels, value] : family.samples.at(name)) EXPECT_GE(value, 0) << name;
        }
        if (family.type == "histogram") check_histogram(name, family);
    }

    static void check_histogram(const std::string& name, const Family& family) {
        std::map<LabelMap, std::map<double, double>> buckets;  // series → bound → count
        for (const auto& [all_labels, value] : family.samples.at(name + "_bucket")) {
            LabelMap labels = all_labels;
            ASSERT_TRUE(labels.contains("le")) << name;
            const double bound = parse_number(labels["le"]);
            labels.erase("le");
            buckets[labels][bound] = value;
        }
        ASSERT_EQ(buckets.size(), family.samples.at(name + "_count").size()) << name;
        ASSERT_EQ(buckets.size(), family.samples.at(name + "_sum").size()) << name;
        for (const auto& [labels, counts] : buckets) {
            double before = 0;
            for (const auto& [bound, count] : counts) {
                EXPECT_GE(count, before) << name << " is not cumulative at " << bound;
                before = count;
            }
            EXPECT_TRUE(std::isinf(counts.rbegin()->first)) << name << " has no bucket +Inf";
            EXPECT_EQ(family.samples.at(name + "_count").at(labels), before) << name;
        }
    }

    std::string current_;
};

}  // namespace glm5::exposition
