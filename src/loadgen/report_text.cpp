#include "loadgen/report_text.h"

#include <cmath>

namespace glm5::loadgen {
namespace {

double ratio(double ours, double theirs) {
    return ours / theirs;
}

std::string ratio_text(double value) {
    return std::isfinite(value) ? fmt::format("{:.2f}x", value) : "-";
}

std::string preemptions_text(const SweepLevel& level) {
    return level.num_preemptions ? fmt::format("{}", *level.num_preemptions) : "-";
}

}  // namespace

std::string figure_text(double value, int decimals) {
    return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : "-";
}

std::string figure_text(double value) {
    const double size = std::abs(value);
    return figure_text(value, size >= 1000 ? 0 : size >= 100 ? 1 : 2);
}

std::string failure_text(const SweepLevel& level) {
    if (level.is_complete()) return "";
    std::string causes;
    for (const auto& [cause, count] : level.failure_causes)
        causes += fmt::format("{}{}: {}", causes.empty() ? " (" : ", ", cause, count);
    if (!causes.empty()) causes += ")";
    return fmt::format("{} of {} requests failed{}", level.num_prompts() - level.num_completed(), level.num_prompts(),
                       causes);
}

std::string level_heading(const ReferenceTable* reference) {
    std::string line = fmt::format("{:>11} {:>13} {:>13} {:>13} {:>11} {:>11} {:>12}", "concurrency", "output tok/s",
                                   "mean TTFT ms", "mean TPOT ms", "P99 ITL ms", "acceptance", "preemptions");
    if (reference) line += fmt::format(" {:>16} {:>7}", "reference tok/s", "ratio");
    return line + "\n";
}

std::string level_line(const SweepLevel& level, const ReferenceTable* reference) {
    if (!level.is_complete()) return fmt::format("{:>11} {}\n", level.concurrency, failure_text(level));
    std::string line =
        fmt::format("{:>11} {:>13} {:>13} {:>13} {:>11} {:>11} {:>12}", level.concurrency,
                    figure_text(level.figure("output_throughput")), figure_text(level.figure("mean_ttft_ms")),
                    figure_text(level.figure("mean_tpot_ms")), figure_text(level.figure("p99_itl_ms")),
                    figure_text(level.figure("spec_decode_acceptance_length")), preemptions_text(level));
    if (const ReferenceLevel* theirs = reference ? reference->find(level.concurrency) : nullptr)
        line += fmt::format(" {:>16} {:>7}", figure_text(theirs->figures[0]),
                            ratio_text(ratio(level.figure("output_throughput"), theirs->figures[0])));
    return line + "\n";
}

std::string to_text(const Sweep& sweep, const ReferenceTable* reference) {
    constexpr int kLabelWidth = 24, kWidth = 9;
    std::string text = fmt::format("{:<{}}", "concurrency", kLabelWidth);
    for (const SweepLevel& level : sweep.levels) text += fmt::format("{:>{}}", level.concurrency, kWidth);
    text += '\n';
    const auto add_row = [&](std::string_view label, const auto& cell) {
        text += fmt::format("{:<{}}", label, kLabelWidth);
        for (const SweepLevel& level : sweep.levels) text += fmt::format("{:>{}}", cell(level), kWidth);
        text += '\n';
    };
    for (size_t i = 0; i < kNumComparedFigures; ++i) {
        const ComparedFigure& figure = kComparedFigures[i];
        const auto theirs = [&](const SweepLevel& level) {
            const ReferenceLevel* found = reference->find(level.concurrency);
            return found ? found->figures[i] : std::nan("");
        };
        add_row(figure.label, [&](const SweepLevel& level) {
            return level.is_complete() ? figure_text(level.figure(figure.key), figure.decimals) : "failed";
        });
        if (!reference) continue;
        add_row(fmt::format("  {}", reference->name),
                [&](const SweepLevel& level) { return figure_text(theirs(level), figure.decimals); });
        add_row("  ratio", [&](const SweepLevel& level) {
            return level.is_complete() ? ratio_text(ratio(level.figure(figure.key), theirs(level))) : "-";
        });
    }
    for (const SweepLevel& level : sweep.levels)
        if (!level.is_complete()) text += fmt::format("Concurrency {}: {}.\n", level.concurrency, failure_text(level));
    text += saturation_text(sweep) + '\n';
    if (!sweep.note.empty()) text += fmt::format("The sweep {}.\n", sweep.note);
    return text;
}

std::string saturation_text(const Sweep& sweep) {
    const auto saturation = find_saturation(sweep);
    if (!saturation) return "Saturation: not known from fewer than two levels without failures.";
    const std::string point = fmt::format("concurrency {} with {} output tok/s", saturation->concurrency,
                                          figure_text(saturation->output_throughput));
    if (saturation->is_last) return fmt::format("Saturation: not reached; throughput still rises at {}.", point);
    return fmt::format("Saturation: {}, {:.0f} % of the most that any level gives.", point,
                       100 * saturation->output_throughput / saturation->greatest_throughput);
}

}  // namespace glm5::loadgen
