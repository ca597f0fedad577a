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

bool Router::Route::matches(std::string_view other) const {
    return prefix ? other.size() > path.size() && other.starts_with(path) : other == path;
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
    std::vector<std::pair<std::string, std::string>> routes;
    for (const Route& route : routes_) routes.emplace_back(route.method, route.pattern());
    return routes;
}

std::string Router::route_of(std::string_view path) const {
    for (const Route& route : routes_)
        if (route.matches(path)) return route.pattern();
    return {};
}

void Router::dispatch(const ExchangePtr& exchange) const {
    const Request& request = exchange->request();
    std::set<std::string> allowed;
    for (const Route& route : routes_) {
        if (!route.matches(request.path)) continue;
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
