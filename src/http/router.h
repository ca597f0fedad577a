// Router: method and path → handler, and the answers 404 and 405.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"

namespace glm5::http {

// Makes the answer for an error that this folder finds, in the wire format of the api.
using ErrorBody = std::function<Response(int status, const std::string& message)>;

class Router {
public:
    explicit Router(ErrorBody error_body) : error_body_(std::move(error_body)) {}

    // `path` is matched whole; one that ends in "/*" matches every longer path below it. GET answers HEAD too.
    void add(std::string method, std::string path, Handler handler);

    // Method and path of every route, as they were added.
    std::vector<std::pair<std::string, std::string>> routes() const;
    // The path of the first route that takes `path`, as it was added; empty when there is none.
    std::string route_of(std::string_view path) const;

    // Calls the handler of the request's route, or answers 404, or 405 with Allow.
    void dispatch(const ExchangePtr& exchange) const;

private:
    struct Route {
        std::string method;
        std::string path;  // without the "*"
        bool prefix = false;
        Handler handler;

        bool matches(std::string_view other) const;
        std::string pattern() const { return prefix ? path + "*" : path; }
    };
    ErrorBody error_body_;
    std::vector<Route> routes_;
};

}  // namespace glm5::http
