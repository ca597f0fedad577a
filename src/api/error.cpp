// The error shape.
#include "api/error.h"

#include "json/write.h"

namespace glm5::api {

ApiError engine_failed() {
    return {503, "The engine has failed.", {}, 5};
}

std::string_view error_type(int status) {
    switch (status) {
        case 401: return "authentication_error";
        case 403: return "permission_error";
        case 404:
        case 405: return "not_found_error";
        case 429: return "rate_limit_error";
        case 500: return "server_error";
        case 501: return "not_supported_error";
        case 503: return "unavailable_error";
        default: return "invalid_request_error";
    }
}

json::Value error_body(const ApiError& error) {
    return json::Value::object(
        {{"error", json::Value::object({{"message", error.message},
                                        {"type", error_type(error.status)},
                                        {"param", error.param ? json::Value(*error.param) : json::Value()},
                                        {"code", error.status}})}});
}

http::Response error_response(const ApiError& error) {
    http::Response response{error.status, "application/json", json::write(error_body(error), {.compact = true}), {}};
    if (error.retry_after_s > 0) response.headers.add("Retry-After", std::to_string(error.retry_after_s));
    return response;
}

}  // namespace glm5::api
