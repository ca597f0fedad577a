#include "loadgen/report_html.h"

#include <fmt/format.h>

#include <cmath>

#include "json/write.h"
#include "loadgen/html_chart.h"
#include "loadgen/html_style.h"
#include "loadgen/html_svg.h"
#include "loadgen/report_text.h"

namespace glm5::loadgen {
namespace {

// A gap where requests failed: a figure beside failed requests stands for nothing.
Points points_of(const Sweep& sweep, std::string_view key) {
    Points points;
    for (const SweepLevel& level : sweep.levels)
        points.emplace_back(level.concurrency, level.is_complete() ? level.figure(key) : std::nan(""));
    return points;
}

Points points_of(const ReferenceTable& reference, std::string_view key) {
    Points points;
    for (size_t i = 0; i < kNumComparedFigures; ++i)
        if (kComparedFigures[i].key == key)
            for (const ReferenceLevel& level : reference.levels)
                points.emplace_back(level.concurrency, level.figures[i]);
    return points;
}

std::string tile(const std::string& value, const std::string& label) {
    return fmt::format("<div class=\"card tile\"><b>{}</b><span class=\"soft\">{}</span></div>\n", escape_html(value),
                       escape_html(label));
}

std::string tiles(const Sweep& sweep) {
    const SweepLevel* first = nullptr;
    const SweepLevel* fastest = nullptr;
    for (const SweepLevel& level : sweep.levels) {
        if (!level.is_complete()) continue;
        if (!first) first = &level;
        if (!fastest || level.figure("output_throughput") > fastest->figure("output_throughput")) fastest = &level;
    }
    if (!first) return "";
    std::string out = "<div class=\"tiles\">\n";
    out += tile(figure_text(fastest->figure("output_throughput")) + " tok/s",
                fmt::format("most output, at concurrency {}", fastest->concurrency));
    if (const auto saturation = find_saturation(sweep))
        out += saturation->is_last
                   ? tile("not reached", "saturation: the last level still gains")
                   : tile(fmt::format("{}", saturation->concurrency), "concurrency of saturation (95 % of the most)");
    out += tile(figure_text(first->figure("mean_ttft_ms")) + " ms",
                fmt::format("mean TTFT at concurrency {}", first->concurrency));
    out += tile(figure_text(first->figure("mean_tpot_ms")) + " ms",
                fmt::format("mean TPOT at concurrency {}", first->concurrency));
    return out + "</div>\n";
}

std::string failures(const Sweep& sweep) {
    std::string out;
    for (const SweepLevel& level : sweep.levels)
        if (!level.is_complete())
            out += fmt::format("<p>Concurrency {}: {}. Its figures are in no plot and no comparison.</p>\n",
                               level.concurrency, escape_html(failure_text(level)));
    if (!sweep.note.empty()) out += fmt::format("<p>The sweep {}.</p>\n", escape_html(sweep.note));
    return out.empty() ? "" : fmt::format("<div class=\"card alert\" role=\"note\">\n{}</div>\n", out);
}

std::string legend_entry(std::string_view css_class, std::string_view text) {
    return fmt::format("<span><i class=\"key {}\"></i>{}</span>", css_class, escape_html(text));
}

std::string card(const std::string& title, const std::string& legend, const std::string& plot) {
    return fmt::format("<section class=\"card\"><h3>{}</h3>\n<p class=\"legend\">{}</p>\n{}</section>\n",
                       escape_html(title), legend, plot);
}

struct Line {
    std::string_view key, name, css_class;
};

// One plot of figures over concurrency, with the reference of the first of them.
std::string line_card(const Sweep& sweep, const ReferenceTable* reference, const std::string& title,
                      const std::vector<Line>& lines, LineChart chart) {
    std::string legend;
    for (const Line& line : lines) {
        chart.series.push_back({std::string(line.name), std::string(line.css_class), points_of(sweep, line.key)});
        legend += legend_entry(line.css_class, line.name);
    }
    if (reference) {
        chart.series.push_back({std::string(reference->name), "reference", points_of(*reference, lines[0].key)});
        legend += legend_entry("reference dashed", reference->name);
    }
    chart.description = title;
    return card(title, legend, draw(chart));
}

std::string itl_card(const Sweep& sweep, const ReferenceTable* reference) {
    BoxChart chart{.description = "distribution of inter-token latency over concurrency", .unit = "ms"};
    for (const SweepLevel& level : sweep.levels)
        if (level.is_complete())
            chart.boxes.push_back({static_cast<double>(level.concurrency), level.itl_percentiles_ms});
    std::string legend = legend_entry("ours", "line: median; box: 25 to 75 %; whiskers: 1 to 99 %; dot: greatest");
    if (reference) {
        chart.other = {fmt::format("{}, 99 %", reference->name), "reference", points_of(*reference, "p99_itl_ms")};
        legend += legend_entry("reference dashed", chart.other.name);
    }
    return card("Inter-token latency", legend, draw(chart));
}

std::string charts(const Sweep& sweep, const ReferenceTable* reference) {
    LineChart throughput{.unit = "output tok/s"};
    if (const auto saturation = find_saturation(sweep); saturation && !saturation->is_last) {
        throughput.marked_x = saturation->concurrency;
        throughput.mark_text = fmt::format("saturation at {}", saturation->concurrency);
    }
    std::string out = "<div class=\"charts\">\n";
    out += line_card(sweep, reference, "Output throughput", {{"output_throughput", "this server", "ours"}}, throughput);
    out += line_card(sweep, reference, "Time to first token",
                     {{"mean_ttft_ms", "mean", "ours"}, {"p99_ttft_ms", "99 %", "tail"}},
                     {.unit = "ms", .logarithmic = true});
    out += itl_card(sweep, reference);
    out += line_card(sweep, reference, "Time per output token, without the first",
                     {{"mean_tpot_ms", "mean", "ours"}, {"p99_tpot_ms", "99 %", "tail"}}, {.unit = "ms"});
    return out + "</div>\n";
}

std::string timelines(const Sweep& sweep) {
    std::string panels;
    for (const SweepLevel& level : sweep.levels)
        if (!level.timeline.empty())
            panels += fmt::format("<div class=\"card\">{}</div>\n",
                                  draw_timeline(fmt::format("concurrency {}", level.concurrency), level.timeline));
    if (panels.empty()) return "<p class=\"soft\">The server gave no metrics.</p>\n";
    return fmt::format(
        "<p class=\"legend\">{}{}{}</p>\n<p class=\"soft\">From the metrics of the server; each level begins with its "
        "warm-up.</p>\n<div class=\"panels\">\n{}</div>\n",
        legend_entry("ours", "running"), legend_entry("waiting", "waiting"), legend_entry("cache", "cache in use"),
        panels);
}

std::string head_row(std::string_view first, const std::vector<std::string>& cells) {
    std::string out = fmt::format("<thead><tr><th>{}</th>", escape_html(first));
    for (const std::string& cell : cells) out += fmt::format("<th>{}</th>", escape_html(cell));
    return out + "</tr></thead>\n";
}

std::string cell(std::string_view css_class, const std::string& text) {
    return fmt::format("<td class=\"{}\">{}</td>", css_class, escape_html(text));
}

// 20260131-093000 → 2026-01-31 09:30:00; another text stays as it is.
std::string readable_date(const std::string& date) {
    if (date.size() != 15 || date[8] != '-') return date;
    const auto part = [&](size_t at, size_t count) { return date.substr(at, count); };
    return fmt::format("{}-{}-{} {}:{}:{}", part(0, 4), part(4, 2), part(6, 2), part(9, 2), part(11, 2), part(13, 2));
}

// Of one figure: ours, the reference's and the ratio of the two.
std::string compared_rows(const Sweep& sweep, const ReferenceTable* reference, size_t index) {
    const ComparedFigure& figure = kComparedFigures[index];
    std::string ours = fmt::format("<tr class=\"first\"><td>{}</td>", escape_html(figure.label));
    std::string theirs, ratios = "<tr><td class=\"soft\">ratio</td>";
    if (reference) theirs = fmt::format("<tr><td class=\"soft\">{}</td>", escape_html(reference->name));
    for (const SweepLevel& level : sweep.levels) {
        const double value = level.is_complete() ? level.figure(figure.key) : std::nan("");
        ours += level.is_complete() ? cell("", figure_text(value, figure.decimals)) : cell("failed", "failed");
        if (!reference) continue;
        const ReferenceLevel* found = reference->find(level.concurrency);
        const double other = found ? found->figures[index] : std::nan("");
        theirs += cell("soft", figure_text(other, figure.decimals));
        const double ratio = value / other;
        const bool better = figure.more_is_better ? ratio > 1 : ratio < 1;
        ratios +=
            std::isfinite(ratio) ? cell(better ? "better" : "worse", fmt::format("{:.2f}x", ratio)) : cell("soft", "-");
    }
    return ours + "</tr>\n" + (reference ? theirs + "</tr>\n" + ratios + "</tr>\n" : "");
}

std::string compared_table(const Sweep& sweep, const ReferenceTable* reference) {
    std::vector<std::string> levels;
    for (const SweepLevel& level : sweep.levels) levels.push_back(fmt::format("{}", level.concurrency));
    std::string out = "<div class=\"card scroll\"><table>\n" + head_row("concurrency", levels) + "<tbody>\n";
    for (size_t i = 0; i < kNumComparedFigures; ++i) out += compared_rows(sweep, reference, i);
    return out + "</tbody></table></div>\n";
}

std::string levels_table(const Sweep& sweep) {
    constexpr std::pair<std::string_view, std::string_view> kColumns[] = {
        {"completed", "requests"},
        {"duration", "seconds"},
        {"request_throughput", "requests/s"},
        {"total_token_throughput", "total tok/s"},
        {"median_ttft_ms", "TTFT median"},
        {"p99_ttft_ms", "TTFT p99"},
        {"median_tpot_ms", "TPOT median"},
        {"p99_tpot_ms", "TPOT p99"},
        {"median_itl_ms", "ITL median"},
        {"p99_itl_ms", "ITL p99"},
        {"spec_decode_acceptance_length", "acceptance length"},
    };
    std::vector<std::string> names;
    for (const auto& [key, name] : kColumns) names.emplace_back(name);
    names.emplace_back("preemptions");
    std::string out = "<div class=\"card scroll\"><table>\n" + head_row("concurrency", names) + "<tbody>\n";
    for (const SweepLevel& level : sweep.levels) {
        out += fmt::format("<tr><td>{}</td>", level.concurrency);
        if (!level.is_complete()) {
            out += fmt::format("<td class=\"failed text\" colspan=\"{}\">{}</td></tr>\n", names.size(),
                               escape_html(failure_text(level)));
            continue;
        }
        for (const auto& [key, name] : kColumns) {
            const double value = level.figure(key);
            out += cell("", value == std::floor(value) ? fmt::format("{:.0f}", value) : figure_text(value));
        }
        out += cell("", level.num_preemptions ? fmt::format("{}", *level.num_preemptions) : "-") + "</tr>\n";
    }
    return out + "</tbody></table></div>\n";
}

std::string settings_table(const Sweep& sweep) {
    std::string out = "<div class=\"card scroll\"><table><tbody>\n";
    for (const auto& [key, value] : sweep.settings)
        out += fmt::format("<tr><td>{}</td>{}</tr>\n", escape_html(key),
                           cell("text", value.is_string() ? value.as_string() : json::write(value)));
    return out + "</tbody></table></div>\n";
}

}  // namespace

std::string to_html(const Sweep& sweep, const ReferenceTable* reference) {
    const std::string title = fmt::format("Sweep of {}", sweep.setting("model"));
    std::string out = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">\n<title>{}</title>\n<style>{}</style>\n"
        "</head>\n<body>\n<main>\n<h1>{}</h1>\n<p class=\"soft\">{} at {}, begun {}</p>\n",
        escape_html(title), kStyle, escape_html(title), escape_html(sweep.server),
        escape_html(sweep.setting("base_url")), escape_html(readable_date(sweep.date)));
    out += tiles(sweep) + failures(sweep);
    out += "<h2>Over concurrency</h2>\n" + charts(sweep, reference);
    out += "<h2>Figures</h2>\n";
    if (reference)
        out += fmt::format("<p class=\"soft\">{}: {}.</p>\n", escape_html(reference->name),
                           escape_html(reference->description));
    out += compared_table(sweep, reference);
    out += fmt::format("<p class=\"soft\">{}</p>\n", escape_html(saturation_text(sweep)));
    out += "<h2>What the server did</h2>\n" + timelines(sweep);
    out += "<h2>Each level</h2>\n<p class=\"soft\">Latencies in milliseconds.</p>\n" + levels_table(sweep);
    out += "<h2>Settings</h2>\n" + settings_table(sweep);
    return out + "</main>\n</body>\n</html>\n";
}

}  // namespace glm5::loadgen
