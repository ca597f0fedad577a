// Records → figures, by the definitions of `vllm bench serve`.
#pragma once

#include <string_view>
#include <vector>

#include "loadgen/benchmark.h"

namespace glm5::loadgen {

// Of samples in seconds. Percentiles interpolate linearly, as numpy's do.
Distribution make_distribution(std::vector<double> samples_s, const std::vector<double>& percentiles);

// Fills the figures of `result` from its options, records and duration.
void fill_figures(BenchmarkResult& result);

// The counters of speculative decoding in the text of /metrics; none: it has none.
struct SpeculationCounters {
    double num_drafts = 0, draft_tokens = 0, accepted_tokens = 0;
    std::vector<double> accepted_per_position;
};
std::optional<SpeculationCounters> read_speculation(std::string_view metrics);

// After minus before; none: nothing was drafted between.
std::optional<SpeculationFigures> speculation_between(const std::optional<SpeculationCounters>& before,
                                                      const std::optional<SpeculationCounters>& after);

}  // namespace glm5::loadgen
