// A sweep as CSV (RFC 4180): a line for each level, with the figures by which it is judged.
#pragma once

#include <string>

#include "loadgen/sweep_result.h"

namespace glm5::loadgen {

// Columns: concurrency, status (complete or failed), the figures under their JSON keys, preemptions, failure causes. A
// figure that there is not, or that stands for a level with failed requests, is empty.
std::string to_csv(const Sweep& sweep);

}  // namespace glm5::loadgen
