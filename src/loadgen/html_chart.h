// The three kinds of plots of a report, each as an SVG element: lines over concurrency, boxes over concurrency, and
// what the server was doing over time. Points have tooltips; a plot of nothing says so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loadgen/html_svg.h"
#include "loadgen/sweep_result.h"

namespace glm5::loadgen {

struct ChartSeries {
    std::string name;       // for the tooltip
    std::string css_class;  // of the page: its colour and dash
    Points points;          // (concurrency, value), by rising concurrency; NaN is a gap
};

struct LineChart {
    std::string description, unit;  // "output throughput", "tok/s"
    std::vector<ChartSeries> series;
    bool logarithmic = false;
    std::optional<double> marked_x;  // a vertical line
    std::string mark_text;
};
std::string draw(const LineChart& chart);

// A distribution: a box from the 25th to the 75th percentile, a line at the median, a whisker from the first to the
// 99th, and a dot at the greatest value.
struct Box {
    double x = 0;
    std::vector<double> percentiles;  // [101]
};
struct BoxChart {
    std::string description, unit;
    std::vector<Box> boxes;
    ChartSeries other;  // points beside the boxes; may be empty
};
std::string draw(const BoxChart& chart);

// Requests that run and wait above, the share of the cache that is used below.
std::string draw_timeline(const std::string& title, const std::vector<TimelinePoint>& timeline);

}  // namespace glm5::loadgen
