// Status and Result<T>: how a function says that bad input or the outside world stopped it.
// A programmer's error is GLM5_CHECK (base/check.h), never a Status. No exception crosses a library boundary.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "base/check.h"

namespace glm5 {

enum class StatusCode {
    ok,
    invalid_argument,  // a value that a person or a file gave is wrong
    not_found,         // a file, model or tensor is not there
    io_error,          // the disk or the network failed
    unsupported,       // valid, but this build does not do it
    resource_exhausted // valid, but does not fit
};

// Ok, or a code with one clear line naming the field, file or tensor.
class [[nodiscard]] Status {
public:
    Status() = default;
    Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

    bool ok() const { return code_ == StatusCode::ok; }
    StatusCode code() const { return code_; }
    const std::string& message() const { return message_; }

    // The same error with "context: " before its message.
    Status with_context(std::string_view context) const {
        return ok() ? *this : Status(code_, fmt::format("{}: {}", context, message_));
    }

private:
    StatusCode code_ = StatusCode::ok;
    std::string message_;
};

template <typename... Args>
Status invalid_argument(fmt::format_string<Args...> format, Args&&... args) {
    return {StatusCode::invalid_argument, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status not_found(fmt::format_string<Args...> format, Args&&... args) {
    return {StatusCode::not_found, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status io_error(fmt::format_string<Args...> format, Args&&... args) {
    return {StatusCode::io_error, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status unsupported(fmt::format_string<Args...> format, Args&&... args) {
    return {StatusCode::unsupported, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status resource_exhausted(fmt::format_string<Args...> format, Args&&... args) {
    return {StatusCode::resource_exhausted, fmt::format(format, std::forward<Args>(args)...)};
}

// A T, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    Result(Status status) : status_(std::move(status)) { GLM5_CHECK(!status_.ok()); }

    bool ok() const { return value_.has_value(); }
    const Status& status() const { return status_; }

    T& value() & { GLM5_CHECK(ok(), "{}", status_.message()); return *value_; }
    const T& value() const& { GLM5_CHECK(ok(), "{}", status_.message()); return *value_; }
    T&& value() && { GLM5_CHECK(ok(), "{}", status_.message()); return *std::move(value_); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

private:
    std::optional<T> value_;
    Status status_;
};

}  // namespace glm5

#define GLM5_CONCAT_INNER(a, b) a##b
#define GLM5_CONCAT(a, b) GLM5_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expression` (a Status) is not ok.
#define GLM5_RETURN_IF_ERROR(expression)                  \
    do {                                                  \
        ::glm5::Status glm5_status_ = (expression);       \
        if (!glm5_status_.ok()) return glm5_status_;      \
    } while (0)

// `GLM5_ASSIGN_OR_RETURN(auto x, f());` declares x from f's Result, or returns its Status.
#define GLM5_ASSIGN_OR_RETURN(declaration, expression) \
    GLM5_ASSIGN_OR_RETURN_INNER(GLM5_CONCAT(glm5_result_, __LINE__), declaration, expression)
#define GLM5_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
    auto result = (expression);                                      \
    if (!result.ok()) return result.status();                        \
    declaration = std::move(result).value()
