// The server's counters of speculative decoding, from its metrics, as vLLM names them.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "loadgen/figures.h"

namespace glm5::loadgen {
namespace {

constexpr std::string_view kPrefix = "vllm:spec_decode_";

std::optional<double> parse_sample(std::string_view text) {
    double value = 0;
    text = text.substr(0, text.find(' '));  // a time may follow
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

std::optional<int> position_of(std::string_view labels) {
    constexpr std::string_view kLabel = "position=\"";
    const size_t at = labels.find(kLabel);
    if (at == std::string_view::npos) return std::nullopt;
    int position = -1;
    std::from_chars(labels.data() + at + kLabel.size(), labels.data() + labels.size(), position);
    return position >= 0 && position < 1024 ? std::optional(position) : std::nullopt;
}

}  // namespace

std::optional<SpeculationCounters> read_speculation(std::string_view metrics) {
    SpeculationCounters counters;
    bool found = false;
    while (!metrics.empty()) {
        const std::string_view line = metrics.substr(0, metrics.find('\n'));
        metrics.remove_prefix(std::min(line.size() + 1, metrics.size()));
        if (!line.starts_with(kPrefix)) continue;
        const size_t name_end = std::min(line.find_first_of("{ "), line.size());
        const size_t labels_end = line.rfind('}');
        const size_t value_at =
            line.find_first_not_of(' ', labels_end == std::string_view::npos ? name_end : labels_end + 1);
        if (value_at == std::string_view::npos) continue;
        const std::string_view name = line.substr(kPrefix.size(), name_end - kPrefix.size());
        const auto value = parse_sample(line.substr(value_at));
        if (!value) continue;
        // Engines of one server have a sample each.
        if (name == "num_drafts_total") {
            counters.num_drafts += *value;
        } else if (name == "num_draft_tokens_total") {
            counters.draft_tokens += *value;
        } else if (name == "num_accepted_tokens_total") {
            counters.accepted_tokens += *value;
        } else if (name == "num_accepted_tokens_per_pos_total") {
            const auto position = position_of(line);
            if (!position) continue;
            auto& accepted = counters.accepted_per_position;
            accepted.resize(std::max(accepted.size(), static_cast<size_t>(*position) + 1));
            accepted[static_cast<size_t>(*position)] += *value;
        } else {
            continue;
        }
        found = true;
    }
    return found ? std::optional(std::move(counters)) : std::nullopt;
}

std::optional<SpeculationFigures> speculation_between(const std::optional<SpeculationCounters>& before,
                                                      const std::optional<SpeculationCounters>& after) {
    if (!before || !after || after->draft_tokens <= before->draft_tokens) return std::nullopt;
    SpeculationFigures figures;
    const double drafts = after->num_drafts - before->num_drafts;
    figures.num_drafts = static_cast<int64_t>(drafts);
    figures.draft_tokens = static_cast<int64_t>(after->draft_tokens - before->draft_tokens);
    figures.accepted_tokens = static_cast<int64_t>(after->accepted_tokens - before->accepted_tokens);
    for (size_t i = 0; drafts > 0 && i < after->accepted_per_position.size(); ++i) {
        const double earlier = i < before->accepted_per_position.size() ? before->accepted_per_position[i] : 0;
        figures.per_position_acceptance.push_back((after->accepted_per_position[i] - earlier) / drafts);
    }
    return figures;
}

double SpeculationFigures::acceptance_rate() const {
    return draft_tokens > 0 ? 100.0 * static_cast<double>(accepted_tokens) / static_cast<double>(draft_tokens) : 0;
}

double SpeculationFigures::acceptance_length() const {
    return num_drafts > 0 ? 1 + static_cast<double>(accepted_tokens) / static_cast<double>(num_drafts) : 0;
}

}  // namespace glm5::loadgen
