#include "loadgen/report_csv.h"

#include <cmath>

#include "loadgen/report_text.h"

namespace glm5::loadgen {
namespace {

// Counts of the run, of whatever level.
constexpr std::string_view kCounts[] = {"num_prompts", "completed", "failed", "duration"};
constexpr std::string_view kFigures[] = {
    "total_input_tokens",
    "total_output_tokens",
    "request_throughput",
    "output_throughput",
    "total_token_throughput",
    "mean_ttft_ms",
    "median_ttft_ms",
    "p99_ttft_ms",
    "mean_tpot_ms",
    "median_tpot_ms",
    "p99_tpot_ms",
    "mean_itl_ms",
    "median_itl_ms",
    "p99_itl_ms",
    "spec_decode_acceptance_length",
};

std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) out.append(c == '"' ? 2 : 1, c);
    return out + '"';
}

std::string number(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : "";
}

}  // namespace

std::string to_csv(const Sweep& sweep) {
    std::string csv = "concurrency,status";
    for (const auto key : kCounts) csv += fmt::format(",{}", key);
    for (const auto key : kFigures) csv += fmt::format(",{}", key);
    csv += ",num_preemptions,failures\r\n";
    for (const SweepLevel& level : sweep.levels) {
        csv += fmt::format("{},{}", level.concurrency, level.is_complete() ? "complete" : "failed");
        for (const auto key : kCounts) csv += "," + number(level.figure(key));
        for (const auto key : kFigures) csv += "," + (level.is_complete() ? number(level.figure(key)) : "");
        csv += "," + (level.num_preemptions ? fmt::format("{}", *level.num_preemptions) : "");
        csv += "," + quoted(failure_text(level)) + "\r\n";
    }
    return csv;
}

}  // namespace glm5::loadgen
