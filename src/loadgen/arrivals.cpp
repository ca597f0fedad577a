// The rate at each request, and the intervals.
#include "loadgen/arrivals.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace glm5::loadgen {
namespace {

// `progress` goes from 0 at the first request to 1 at the last.
double rate_at(const BenchmarkOptions& options, double progress) {
    const double start = options.ramp_up_start_rps, end = options.ramp_up_end_rps;
    switch (options.ramp_up) {
        case RampUp::linear: return start + (end - start) * progress;
        case RampUp::exponential: return start * std::pow(end / start, progress);
        case RampUp::none: break;
    }
    return options.request_rate.value_or(std::numeric_limits<double>::infinity());
}

}  // namespace

Arrivals make_arrivals(const BenchmarkOptions& options, int num_requests, NumpyLegacyRandom& random) {
    Arrivals arrivals;
    double time_s = 0;
    for (int i = 0; i < num_requests; ++i) {
        const double rate = rate_at(options, static_cast<double>(i) / std::max(num_requests - 1, 1));
        arrivals.rates.push_back(rate);
        if (!std::isinf(rate))
            time_s += std::isinf(options.burstiness)
                          ? 1.0 / rate
                          : random.gamma(options.burstiness, 1.0 / (rate * options.burstiness));
        arrivals.times_s.push_back(time_s);
    }
    if (options.ramp_up == RampUp::none && time_s > 0) {
        const double factor = num_requests / *options.request_rate / time_s;
        for (double& time : arrivals.times_s) time *= factor;
    }
    return arrivals;
}

}  // namespace glm5::loadgen
