// When each request leaves.
#pragma once

#include <vector>

#include "loadgen/benchmark.h"
#include "loadgen/random.h"

namespace glm5::loadgen {

struct Arrivals {
    std::vector<double> times_s;  // [num_requests] since the begin, ascending
    std::vector<double> rates;    // [num_requests] requests/s that held then; infinity without a rate
};

// Intervals are Gamma(burstiness, 1 / (rate · burstiness)), summed up, and, without a ramp-up, scaled so that the last
// request leaves at num_requests / rate. `random` is in the state in which the dataset left it.
Arrivals make_arrivals(const BenchmarkOptions& options, int num_requests, NumpyLegacyRandom& random);

}  // namespace glm5::loadgen
