// A sweep in the terminal: a line for each level while it runs, then the layout in which results are published, one
// column for each concurrency.
#pragma once

#include <string>

#include "loadgen/sweep_reference.h"
#include "loadgen/sweep_result.h"

namespace glm5::loadgen {

// `reference` may be nullptr.
std::string level_heading(const ReferenceTable* reference);
std::string level_line(const SweepLevel& level, const ReferenceTable* reference);

// Beside each figure of a reference: its value and ours divided by it.
std::string to_text(const Sweep& sweep, const ReferenceTable* reference);

// "Saturation: …", one sentence.
std::string saturation_text(const Sweep& sweep);
// "3 of 64 requests failed (HTTP 429: 2, connection reset: 1)"; empty for a complete level.
std::string failure_text(const SweepLevel& level);
// With as many digits as are read: 54, 18.31, 0.42; "-" for NaN.
std::string figure_text(double value);
std::string figure_text(double value, int decimals);

}  // namespace glm5::loadgen
