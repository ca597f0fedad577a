// A million steps of the deterministic simulator over different worlds; every invariant after each step.
#include <gtest/gtest.h>

#include "schedule/simulator.h"

namespace glm5::schedule {
namespace {

// A world drawn from the seed: from one sequence at a time in a tiny pool to many in a roomy one.
SimulatorOptions world(uint64_t seed) {
    std::mt19937_64 random(seed * 77 + 5);
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint64_t>(n)); };
    SimulatorOptions options;
    options.seed = seed;
    options.num_pages = 2 + below(40);
    options.limits.max_num_seqs = 1 + below(12);
    options.limits.max_num_batched_tokens = options.limits.max_num_seqs + below(200);
    options.limits.prefix_caching = below(5) != 0;
    options.max_prompt_tokens = 1 + below(500);
    options.max_completion_tokens = 1 + below(200);
    options.num_prompt_families = 1 + below(6);
    options.vocabulary = 2 + below(50);
    options.arrivals_per_step = 0.02 + 0.02 * below(10);
    options.cancels_per_step = 0.005 * below(5);
    options.num_priorities = 1 + below(3);
    return options;
}

TEST(Simulator, AMillionSteps) {
    constexpr int kWorlds = 200, kSteps = 5000;
    int64_t finished = 0, cached = 0, preemptions = 0;
    for (int seed = 0; seed < kWorlds; ++seed) {
        Simulator simulator(world(seed));
        for (int step = 0; step < kSteps; ++step) {
            const std::string error = simulator.step();
            ASSERT_EQ(error, "") << "seed " << seed << ", step " << step;
        }
        ASSERT_EQ(simulator.drain(), "") << "seed " << seed;
        finished += simulator.num_finished();
        cached += simulator.num_cached_tokens();
        preemptions += simulator.scheduler().num_preemptions();
    }
    // The worlds do what they are there for.
    EXPECT_GT(finished, 10000);
    EXPECT_GT(cached, 100000);
    EXPECT_GT(preemptions, 1000);
}

}  // namespace
}  // namespace glm5::schedule
