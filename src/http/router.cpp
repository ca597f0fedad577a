// Route lookup: linear, there are a dozen routes.
#include "http/router.h"

#include <fmt/format.h>

#include <set>

namespace glm5::http {

void Router::add(std::string method, std::string path, Handler handler) {
    const bool prefix = path.ends_with("/*");
    if (prefix) path.pop_back();
    routes_.push_back({std::move(method), std::move(path), prefix, std::move(handler)});
}

void Router::dispatch(const ExchangePtr& exchange) const {
    const Request& request = exchange->request();
    std::set<std::string> allowed;
    for (const Route& route : routes_) {
        const bool matches = route.prefix
                                 ? request.path.size() > route.path.size() && request.path.starts_with(route.path)
                                 : request.path == route.path;
        if (!matches) continue;
        if (request.method == route.method || (request.method == "HEAD" && route.method == "GET")) {
            route.handler(exchange);
            return;
        }
        allowed.insert(route.method);
    }
    if (allowed.empty()) {
        exchange->respond(error_body_(404, fmt::format("There is nothing at {}.", request.path)));
        return;
    }
    Response response = error_body_(
        405, fmt::format("The method {} is not allowed here; use {}.", request.method, fmt::join(allowed, " or ")));
    response.headers.add("Allow", fmt::format("{}", fmt::join(allowed, ", ")));
    exchange->respond(std::move(response));
}

}  // namespace glm5::http
