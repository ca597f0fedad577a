// The client: sends requests at their times, many at once on one thread, and measures their streams. It knows HTTP and
// the messages of a stream, not what a benchmark asks for.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/benchmark.h"
#include "loadgen/url.h"

namespace glm5::loadgen {

struct Load {
    Url url;
    int num_requests = 0;
    std::optional<int> max_concurrency;
    std::vector<double> times_s;                    // [num_requests] ascending
    std::function<std::string(int)> request;        // the bytes of one; made before its clock starts
    std::function<void(int)> on_arrival = nullptr;  // at its time, before it waits for a place
};

struct LoadOutcome {
    std::vector<RequestRecord> records;  // [num_requests]; tokens are those of usage, 0 without
    double duration_s = 0;
    bool interrupted = false;
};

// Sends all of it and waits for the answers, on the calling thread. Connections are kept and used again; a request that
// finds its connection closed by the server, before any answer, is sent once more. Errors: the host has no address;
// everything else is a record.
Result<LoadOutcome> run_load(const Load& load, const Hooks& hooks);

struct Answer {
    int status = 0;
    std::string body;
};

// One request and its whole answer, of at most 64 MiB. Errors: no answer within `limit`.
Result<Answer> exchange(const Url& url, const std::string& request, std::chrono::milliseconds limit);

}  // namespace glm5::loadgen
