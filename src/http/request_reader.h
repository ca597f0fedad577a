// RequestReader: bytes → http::Request, any number of bytes at a time. Knows nothing of sockets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace glm5::http {

struct ReaderLimits {
    uint64_t max_body_bytes = uint64_t{64} << 20;
    uint32_t max_header_bytes = 64 << 10;
    size_t max_headers = 256;
};

// Reads one request, without the trailer of a chunked body. Memory grows with the bytes received, never with what a
// header announces.
class RequestReader {
public:
    enum class State { reading_header, reading_body, complete, failed };

    explicit RequestReader(const ReaderLimits& limits);
    ~RequestReader();
    RequestReader(RequestReader&&) noexcept;
    RequestReader& operator=(RequestReader&&) noexcept;

    // Takes bytes from the front of `bytes`, returns how many. What is left belongs to the next request, or is needed
    // again together with more bytes. Call while the state is reading_*.
    size_t feed(std::string_view bytes);

    State state() const { return state_; }
    // The header asks for "100 Continue" before the client sends the body. True once.
    bool take_expect_continue();

    // When complete. `peer` is left empty.
    Request take_request();

    // When failed: 400, 413 or 431, and why.
    int error_status() const { return error_status_; }
    const std::string& error_message() const { return error_message_; }

private:
    struct Parser;
    void fail(int status, std::string message);
    void take_header();

    ReaderLimits limits_;
    std::unique_ptr<Parser> parser_;
    State state_ = State::reading_header;
    bool expect_continue_ = false;
    Request request_;  // all but the body, once the header is complete
    int error_status_ = 0;
    std::string error_message_;
};

}  // namespace glm5::http
