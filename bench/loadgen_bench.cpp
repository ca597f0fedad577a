// What the bench client can measure at once: a stub server sends messages of many streams at set times, and the
// client's processor time, and how late it is, are set against them. Prints one line per load; `taskset -c 0` puts
// server and client on one core.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "base/check.h"
#include "loadgen/client.h"
#include "loadgen/figures.h"
#include "loadgen/stub_server.h"

namespace glm5::loadgen {
namespace {

constexpr double kDuration_s = 5;
// A delta of chat, as servers of the OpenAI API send it.
const std::string kMessage =
    "data: {\"id\": \"chatcmpl-6f1d0b0e3c1f4c0f8a54d8a7f3f0a1b2\", \"object\": \"chat.completion.chunk\", \"created\": "
    "1767225600, \"model\": \"zai-org/GLM-5-FP8\", \"choices\": [{\"index\": 0, \"delta\": {\"content\": \" token\"}, "
    "\"logprobs\": null, \"finish_reason\": null}]}\n\n";

double thread_cpu_s() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// A stream that sends a message each `interval`.
std::shared_ptr<const StubAnswer> make_stream(std::chrono::microseconds interval, int num_messages) {
    auto answer = std::make_shared<StubAnswer>();
    answer->parts.push_back(
        {{}, http_head("200 OK", "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n")});
    for (int i = 0; i < num_messages; ++i) answer->parts.push_back({interval, http_chunk(kMessage)});
    answer->parts.push_back({{}, http_chunk("data: [DONE]\n\n") + http_chunk("")});
    return answer;
}

void bench(int num_streams, double messages_per_s) {
    const std::chrono::microseconds interval(static_cast<int64_t>(1e6 * num_streams / messages_per_s));
    const int num_messages = std::max(2, static_cast<int>(messages_per_s * kDuration_s / num_streams));
    const auto stream = make_stream(interval, num_messages);
    StubServer server([&](const std::string&) { return stream; });
    Load load;
    load.url = parse_url(server.base_url()).value();
    load.num_requests = num_streams;
    // Spread over one interval, as the tokens of independent streams are.
    for (int i = 0; i < num_streams; ++i)
        load.times_s.push_back(std::chrono::duration<double>(interval).count() * i / num_streams);
    load.request = [](int) { return std::string("POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n"); };
    const double cpu_before = thread_cpu_s();
    BenchmarkResult result;
    LoadOutcome outcome = run_load(load, {}).value();
    const double cpu_s = thread_cpu_s() - cpu_before, server_cpu_s = server.cpu_s();
    result.records = std::move(outcome.records);
    result.duration_s = outcome.duration_s;
    fill_figures(result);
    GLM5_CHECK(result.completed == num_streams, "{} of {}", result.completed, num_streams);
    const double messages = static_cast<double>(num_messages) * num_streams;
    fmt::print(
        "{:4} streams, {:6.0f} messages/s sent: {:6.0f} received; client {:4.1f} µs of processor time a message "
        "({:3.0f} % of a core), server {:3.0f} %; ITL {:.2f} ms sent, {:.2f} mean, {:.2f} P99 measured\n",
        num_streams, messages_per_s, messages / result.duration_s, 1e6 * cpu_s / messages,
        100 * cpu_s / result.duration_s, 100 * server_cpu_s / result.duration_s,
        std::chrono::duration<double, std::milli>(interval).count(), result.itl.mean, result.itl.percentiles[0].second);
}

}  // namespace
}  // namespace glm5::loadgen

// Without arguments the loads of docs/performance.md; else STREAMS and MESSAGES_PER_S of one.
int main(int argc, char** argv) {
    if (argc == 3) {
        glm5::loadgen::bench(std::atoi(argv[1]), std::atof(argv[2]));
        return 0;
    }
    for (const auto& [num_streams, messages_per_s] :
         {std::pair{1, 1e3}, {64, 1e4}, {1024, 2e4}, {1024, 5e4}, {1024, 1e5}})
        glm5::loadgen::bench(num_streams, messages_per_s);
}
