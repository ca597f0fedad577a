// Routes × methods × classes of status, all made at the start.
#include "api/metrics_http.h"

#include <algorithm>
#include <chrono>

namespace glm5::api {
namespace {

const std::string kNone = "none";
constexpr int kClientGone = 499;

// A superset of vLLM's, which has 0.1, 0.5 and 1.
const std::vector<double> kDurationBounds = {.005, .01, .025, .05, .1, .25, .5,  1,  2.5,
                                             5,    10,  20,   30,  60, 120, 300, 600};

bool watches_the_server(const std::string& path) {
    for (const char* excluded : {"/health", "/livez", "/readyz", "/ping", "/metrics", "/load", "/v1/loads", "/version"})
        if (path == excluded) return true;
    return false;
}

}  // namespace

HttpMetrics::HttpMetrics(metrics::Registry& registry, const std::vector<std::pair<std::string, std::string>>& routes)
    : registry_(registry),
      client_aborts_(registry.counter("glm5:client_aborts_total", "Clients that went away before their answer ended.")),
      slow_readers_(registry.counter("glm5:slow_readers_dropped_total",
                                     "Clients that were cut off because they did not read their answer.")) {
    for (const auto& [method, path] : routes)
        if (!watches_the_server(path)) add_handler(path, method);
    for (const char* method : {"GET", "POST", "other"}) add_handler(kNone, method);
}

void HttpMetrics::add_handler(const std::string& handler, const std::string& method) {
    const metrics::Labels labels = {{"handler", handler}, {"method", method}};
    Handler& series = handlers_[{method, handler}];
    constexpr const char* kClasses[] = {"2xx", "4xx", "5xx"};
    for (size_t i = 0; i < std::size(kClasses); ++i)
        series.by_class[i] = &registry_.counter("http_requests_total",
                                                "Requests by the route that took them and the class of their status.",
                                                {{"handler", handler}, {"method", method}, {"status", kClasses[i]}});
    series.duration =
        &registry_.histogram("http_request_duration_seconds",
                             "From the last byte of a request to the last of its answer.", kDurationBounds, labels);
}

void HttpMetrics::observe(const std::string& route, const http::ExchangeEnd& end) {
    if (end.slow_reader)
        slow_readers_.add();
    else if (end.status == kClientGone)
        client_aborts_.add();
    if (watches_the_server(route)) return;
    const std::string method = end.request.method == "HEAD" ? "GET" : end.request.method;
    auto found = handlers_.find({method, route});
    if (found == handlers_.end()) found = handlers_.find({method, kNone});
    if (found == handlers_.end()) found = handlers_.find({"other", kNone});
    const Handler& series = found->second;
    series.by_class[end.status >= 500 ? 2 : end.status >= 400 ? 1 : 0]->add();
    series.duration->observe(std::chrono::duration<double>(end.duration).count());
}

}  // namespace glm5::api
