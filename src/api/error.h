// ApiError: what a client did wrong, or what this server cannot do, in the error shape of the OpenAI API.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>

#include "http/message.h"
#include "json/value.h"

namespace glm5::api {

struct ApiError {
    int status = 400;
    std::string message;
    std::optional<std::string> param;  // path of the field: "messages[2].content[0].type"
    int retry_after_s = 0;             // 0: no Retry-After
};

template <typename... Args>
ApiError invalid_request(std::string param, fmt::format_string<Args...> format, Args&&... args) {
    return {400, fmt::format(format, std::forward<Args>(args)...), std::move(param)};
}

// Of every request that comes after the engine has failed; the process ends soon, and is started again.
ApiError engine_failed();

// "invalid_request_error" for 400, and so on.
std::string_view error_type(int status);

// {"error": {"message", "type", "param", "code"}}
json::Value error_body(const ApiError& error);
http::Response error_response(const ApiError& error);

}  // namespace glm5::api
