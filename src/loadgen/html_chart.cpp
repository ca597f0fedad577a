#include "loadgen/html_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "loadgen/report_text.h"

namespace glm5::loadgen {
namespace {

constexpr double kWidth = 560, kHeight = 300;
constexpr double kPanelWidth = 380, kPanelHeight = 215;
constexpr double kMinTickGap = 26;

// The rectangle between the axes, and the scales along them.
struct Plot {
    double left, top, right, bottom;
    Scale x, y;

    double x_at(double value) const { return left + x.at(value) * (right - left); }
    double y_at(double value) const { return bottom - y.at(value) * (bottom - top); }
};

std::string draw_nothing(double width, double height, const std::string& description) {
    Svg svg(width, height, description);
    svg.text(width / 2, height / 2, Svg::Anchor::middle, "muted", "no data");
    return std::move(svg).finish();
}

struct Range {
    double least = std::numeric_limits<double>::infinity(), greatest = -std::numeric_limits<double>::infinity();

    void add(double value) {
        if (!std::isfinite(value)) return;
        least = std::min(least, value);
        greatest = std::max(greatest, value);
    }
    bool empty() const { return least > greatest; }
};

// What the axes have to hold.
struct Extent {
    Range x, y;
    std::vector<double> levels;

    void add(double level, double value) {
        x.add(level);
        y.add(value);
        levels.push_back(level);
    }
    void add(const std::vector<Points>& runs) {
        for (const Points& run : runs)
            for (const auto& [level, value] : run) add(level, value);
    }
};

Scale value_scale(const Range& range, bool logarithmic) {
    return logarithmic ? Scale::logarithmic(range.least, range.greatest) : Scale::linear(range.greatest);
}

void draw_value_axis(Svg& svg, const Plot& plot, const std::string& unit) {
    for (const double tick : plot.y.ticks()) {
        const double y = plot.y_at(tick);
        svg.line(plot.left, y, plot.right, y, "grid");
        svg.text(plot.left - 6, y + 4, Svg::Anchor::end, "tick", tick_text(tick));
    }
    svg.upright_text(13, (plot.top + plot.bottom) / 2, "axis", unit);
}

// The levels themselves are the ticks, as far as there is room.
void draw_concurrency_axis(Svg& svg, const Plot& plot, std::vector<double> levels) {
    std::sort(levels.begin(), levels.end());
    levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
    double last = -kMinTickGap;
    svg.line(plot.left, plot.bottom, plot.right, plot.bottom, "base");
    for (const double level : levels) {
        const double x = plot.x_at(level);
        svg.line(x, plot.bottom, x, plot.bottom + 4, "base");
        if (x - last < kMinTickGap) continue;
        svg.text(x, plot.bottom + 17, Svg::Anchor::middle, "tick", fmt::format("{:.0f}", level));
        last = x;
    }
    svg.text((plot.left + plot.right) / 2, plot.bottom + 34, Svg::Anchor::middle, "axis", "concurrency");
}

// Runs of points that the axes have a place for.
std::vector<Points> runs_of(const ChartSeries& series, bool logarithmic) {
    std::vector<Points> runs(1);
    for (const auto& point : series.points) {
        const bool has_place = std::isfinite(point.second) && point.first > 0 && (!logarithmic || point.second > 0);
        if (has_place)
            runs.back().push_back(point);
        else if (!runs.back().empty())
            runs.emplace_back();
    }
    if (runs.back().empty()) runs.pop_back();
    return runs;
}

void draw_series(Svg& svg, const Plot& plot, const ChartSeries& series, const std::vector<Points>& runs,
                 const std::string& unit) {
    for (const Points& run : runs) {
        Points places;
        for (const auto& point : run) places.emplace_back(plot.x_at(point.first), plot.y_at(point.second));
        svg.polyline(places, "series " + series.css_class);
        for (size_t i = 0; i < run.size(); ++i)
            svg.circle(places[i].first, places[i].second, 3.5, "dot " + series.css_class,
                       fmt::format("{}, concurrency {:.0f}: {} {}", series.name, run[i].first,
                                   figure_text(run[i].second), unit));
    }
}

void draw_mark(Svg& svg, const Plot& plot, double marked_x, const std::string& text) {
    const double x = plot.x_at(marked_x);
    svg.line(x, plot.top, x, plot.bottom, "mark");
    const bool on_left = x > (plot.left + plot.right) / 2;
    svg.text(x + (on_left ? -5 : 5), plot.top + 10, on_left ? Svg::Anchor::end : Svg::Anchor::start, "note", text);
}

Plot chart_plot(const Extent& extent, bool logarithmic) {
    return {.left = 58,
            .top = 12,
            .right = kWidth - 12,
            .bottom = kHeight - 42,
            .x = Scale::logarithmic(extent.x.least, extent.x.greatest),
            .y = value_scale(extent.y, logarithmic)};
}

// The same with the least positive percentile in the place of zeros, which a logarithmic scale has no place for:
// messages that arrive in one read have no gap between them.
Box above_zero(Box box) {
    const double least = *std::find_if(box.percentiles.begin(), box.percentiles.end(), [](double v) { return v > 0; });
    for (double& value : box.percentiles) value = std::max(value, least);
    return box;
}

void draw_box(Svg& svg, const Plot& plot, const Box& box, const std::string& unit) {
    constexpr double kHalf = 9;
    const double x = plot.x_at(box.x);
    const auto y = [&](int percentile) { return plot.y_at(box.percentiles[percentile]); };
    svg.line(x, y(1), x, y(99), "whisker");
    svg.line(x - kHalf / 2, y(1), x + kHalf / 2, y(1), "whisker");
    svg.line(x - kHalf / 2, y(99), x + kHalf / 2, y(99), "whisker");
    const auto value = [&](int percentile) { return figure_text(box.percentiles[percentile]); };
    svg.rectangle(
        x - kHalf, y(75), 2 * kHalf, std::max(y(25) - y(75), 1.0), "box",
        fmt::format("concurrency {:.0f}: median {} {}, 25th to 75th percentile {} to {}, 1st to 99th {} to {}, "
                    "greatest {}",
                    box.x, value(50), unit, value(25), value(75), value(1), value(99), value(100)));
    svg.line(x - kHalf, y(50), x + kHalf, y(50), "median");
    svg.circle(x, y(100), 2.5, "dot ours", fmt::format("concurrency {:.0f}: greatest {} {}", box.x, value(100), unit));
}

// A step line: a value holds until the next scrape.
Points steps(const Plot& plot, const std::vector<TimelinePoint>& timeline, double TimelinePoint::*member) {
    Points points;
    for (size_t i = 0; i < timeline.size(); ++i) {
        const double x = plot.x_at(timeline[i].time_s);
        if (i > 0) points.emplace_back(x, points.back().second);
        points.emplace_back(x, plot.y_at(timeline[i].*member));
    }
    return points;
}

Points closed(Points points, double bottom) {
    points.emplace_back(points.back().first, bottom);
    points.emplace_back(points.front().first, bottom);
    return points;
}

void draw_time_axis(Svg& svg, const Plot& plot) {
    svg.line(plot.left, plot.bottom, plot.right, plot.bottom, "base");
    double last = plot.left - kMinTickGap;
    for (const double tick : plot.x.ticks()) {
        const double x = plot.x_at(tick);
        if (x - last < kMinTickGap) continue;
        svg.text(x, plot.bottom + 15, Svg::Anchor::middle, "tick", tick_text(tick));
        last = x;
    }
    svg.text(plot.right, plot.bottom + 28, Svg::Anchor::end, "axis", "seconds");
}

}  // namespace

std::string draw(const LineChart& chart) {
    Extent extent;
    std::vector<std::vector<Points>> runs;
    for (const ChartSeries& series : chart.series) {
        runs.push_back(runs_of(series, chart.logarithmic));
        extent.add(runs.back());
    }
    if (extent.x.empty()) return draw_nothing(kWidth, kHeight, chart.description);
    const Plot plot = chart_plot(extent, chart.logarithmic);
    Svg svg(kWidth, kHeight, chart.description);
    draw_value_axis(svg, plot, chart.unit);
    draw_concurrency_axis(svg, plot, extent.levels);
    if (chart.marked_x) draw_mark(svg, plot, *chart.marked_x, chart.mark_text);
    for (size_t i = 0; i < chart.series.size(); ++i) draw_series(svg, plot, chart.series[i], runs[i], chart.unit);
    return std::move(svg).finish();
}

std::string draw(const BoxChart& chart) {
    Extent extent;
    std::vector<Box> boxes;
    for (const Box& box : chart.boxes) {
        if (box.percentiles.size() != 101 || !(box.percentiles[100] > 0)) continue;
        boxes.push_back(above_zero(box));
        for (const int percentile : {1, 100}) extent.add(box.x, boxes.back().percentiles[percentile]);
    }
    const std::vector<Points> others = runs_of(chart.other, true);
    extent.add(others);
    if (extent.x.empty()) return draw_nothing(kWidth, kHeight, chart.description);
    const Plot plot = chart_plot(extent, true);
    Svg svg(kWidth, kHeight, chart.description);
    draw_value_axis(svg, plot, chart.unit);
    draw_concurrency_axis(svg, plot, extent.levels);
    for (const Box& box : boxes) draw_box(svg, plot, box, chart.unit);
    draw_series(svg, plot, chart.other, others, chart.unit);
    return std::move(svg).finish();
}

std::string draw_timeline(const std::string& title, const std::vector<TimelinePoint>& timeline) {
    if (timeline.size() < 2) return draw_nothing(kPanelWidth, kPanelHeight, title);
    Range requests;
    for (const TimelinePoint& point : timeline) {
        requests.add(point.num_running);
        requests.add(point.num_waiting);
    }
    const Scale time = Scale::linear(timeline.back().time_s);
    const Plot above = {.left = 44,
                        .top = 24,
                        .right = kPanelWidth - 10,
                        .bottom = 122,
                        .x = time,
                        .y = Scale::linear(std::max(requests.greatest, 1.0))};
    const Plot below = {
        .left = 44, .top = 134, .right = kPanelWidth - 10, .bottom = 180, .x = time, .y = Scale::linear(1)};
    Svg svg(kPanelWidth, kPanelHeight, title);
    svg.text(44, 14, Svg::Anchor::start, "panel-title", title);
    for (const double tick : {0.0, above.y.ticks().back()}) {
        svg.line(above.left, above.y_at(tick), above.right, above.y_at(tick), "grid");
        svg.text(above.left - 6, above.y_at(tick) + 4, Svg::Anchor::end, "tick", tick_text(tick));
    }
    svg.polyline(steps(above, timeline, &TimelinePoint::num_running), "series running");
    svg.polyline(steps(above, timeline, &TimelinePoint::num_waiting), "series waiting");
    for (const auto& [tick, text] : {std::pair(0.0, "0 %"), std::pair(1.0, "100 %")}) {
        svg.line(below.left, below.y_at(tick), below.right, below.y_at(tick), "grid");
        svg.text(below.left - 6, below.y_at(tick) + 4, Svg::Anchor::end, "tick", text);
    }
    const Points cache = steps(below, timeline, &TimelinePoint::cache_usage);
    svg.polygon(closed(cache, below.bottom), "area cache");
    svg.polyline(cache, "series cache");
    draw_time_axis(svg, below);
    return std::move(svg).finish();
}

}  // namespace glm5::loadgen
