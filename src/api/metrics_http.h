// HttpMetrics: requests by route and status; and the series about the process.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "http/server.h"

namespace glm5::api {

class HttpMetrics {
public:
    // `routes` are (method, path). Paths that watch the server itself are not counted: they would drown the others.
    // `registry` must outlive this.
    HttpMetrics(metrics::Registry& registry, const std::vector<std::pair<std::string, std::string>>& routes);
    HttpMetrics(const HttpMetrics&) = delete;

    // Any thread. `route` is the path of the route that took the request; another is counted as "none", so that clients
    // cannot make series.
    void observe(const std::string& route, const http::ExchangeEnd& end);

private:
    struct Handler {
        metrics::Counter* by_class[3];  // 2xx, 4xx, 5xx
        metrics::Histogram* duration;
    };
    void add_handler(const std::string& handler, const std::string& method);

    metrics::Registry& registry_;
    std::map<std::pair<std::string, std::string>, Handler> handlers_;  // (method, route); not changed later
    metrics::Counter& client_aborts_;
    metrics::Counter& slow_readers_;
};

// process_*: memory, processor time, open files, start. Linux.
void add_process_metrics(metrics::Registry& registry);

// glm5:build_info{version, arch}
void add_build_info(metrics::Registry& registry);

}  // namespace glm5::api
