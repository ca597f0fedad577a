// The rate at each request, and the intervals.
#include "loadgen/arrivals.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace glm5::loadgen {
namespace {

double rate_at(const BenchmarkOptions& options, int index) {
    const double progress = static_cast<double>(index) / std::max(options.num_prompts - 1, 1);
    const double start = options.ramp_up_start_rps, end = options.ramp_up_end_rps;
    switch (options.ramp_up) {
        case RampUp::linear: return start + (end - start) * progress;
        case RampUp::exponential: return start * std::pow(end / start, progress);
        case RampUp::none: break;
    }
    return options.request_rate.value_or(std::numeric_limits<double>::infinity());
}

}  // namespace

Arrivals make_arrivals(const BenchmarkOptions& options, NumpyLegacyRandom& random) {
    Arrivals arrivals;
    double time_s = 0;
    for (int i = 0; i < options.num_prompts; ++i) {
        const double rate = rate_at(options, i);
        arrivals.rates.push_back(rate);
        if (!std::isinf(rate))
            time_s += std::isinf(options.burstiness)
                          ? 1.0 / rate
                          : random.gamma(options.burstiness, 1.0 / (rate * options.burstiness));
        arrivals.times_s.push_back(time_s);
    }
    if (options.ramp_up == RampUp::none && time_s > 0) {
        const double factor = options.num_prompts / *options.request_rate / time_s;
        for (double& time : arrivals.times_s) time *= factor;
    }
    return arrivals;
}

}  // namespace glm5::loadgen
