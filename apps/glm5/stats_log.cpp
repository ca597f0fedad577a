// In vLLM's words, which scripts look for.
#include "stats_log.h"

#include <algorithm>

#include "base/log.h"

namespace glm5 {

StatsLog::StatsLog(const Engine& engine) : engine_(engine), last_(engine.stats()) {}

void StatsLog::write() {
    const EngineStats now = engine_.stats();
    const Clock::time_point time = Clock::now();
    const double seconds = std::max(std::chrono::duration<double>(time - last_time_).count(), 1e-3);
    const double usage =
        now.pages_total > 0 ? 100.0 * static_cast<double>(now.pages_used) / static_cast<double>(now.pages_total) : 0;
    const int64_t queries = now.prefix_query_tokens - last_.prefix_query_tokens;
    const double hit_rate = queries > 0 ? 100.0 * static_cast<double>(now.prefix_hit_tokens - last_.prefix_hit_tokens) /
                                              static_cast<double>(queries)
                                        : 0;
    const std::string deferred = now.deferred > 0 ? fmt::format(", Deferred: {} reqs", now.deferred) : "";
    const std::string preemptions = now.preemptions > 0 ? fmt::format(", Preemptions: {}", now.preemptions) : "";
    const auto line = fmt::format(
        "Engine 000: Avg prompt throughput: {:.1f} tokens/s, Avg generation throughput: {:.1f} tokens/s, Running: {} "
        "reqs, "
        "Waiting: {} reqs{}{}, GPU KV cache usage: {:.1f}%, Prefix cache hit rate: {:.1f}%",
        static_cast<double>(now.prompt_tokens - last_.prompt_tokens) / seconds,
        static_cast<double>(now.generated_tokens - last_.generated_tokens) / seconds, now.running, now.waiting,
        deferred, preemptions, usage, hit_rate);
    const bool idle = now.running == 0 && now.waiting == 0 && now.generated_tokens == last_.generated_tokens &&
                      now.prompt_tokens == last_.prompt_tokens;
    if (idle)
        log_debug("{}", line);
    else
        log_info("{}", line);
    last_ = now;
    last_time_ = time;
}

}  // namespace glm5
