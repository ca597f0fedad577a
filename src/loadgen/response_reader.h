// ResponseReader: the bytes of one HTTP/1.1 response, as they come, → status and body. No sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace glm5::loadgen {

class ResponseReader {
public:
    static constexpr size_t kMaxHeadBytes = 64 << 10;

    // Takes bytes of the connection; `on_body(std::string_view)` gets those of the body, in parts. Bytes behind the end
    // of the response make the connection unusable for another one. Errors: no HTTP/1, a head or a chunk that cannot be
    // read.
    template <typename OnBody>
    Status feed(std::string_view bytes, OnBody&& on_body) {
        while (!bytes.empty() && state_ != State::complete) {
            std::string_view body;
            GLM5_RETURN_IF_ERROR(step(bytes, body));
            if (!body.empty()) on_body(body);
        }
        if (!bytes.empty()) keep_alive_ = false;
        return {};
    }

    // The connection has ended. Error: in the middle of the response.
    Status end();

    bool head_complete() const { return state_ != State::head; }
    bool complete() const { return state_ == State::complete; }
    int status() const { return status_; }                 // 0 before the head is complete
    const std::string& reason() const { return reason_; }  // of the status line
    bool keep_alive() const { return complete() && keep_alive_; }
    bool started() const { return state_ != State::head || !line_.empty(); }

private:
    enum class State { head, body_of_length, body_to_end, chunk_size, chunk, chunk_end, trailer, complete };

    // Takes something from the front of `bytes`; body bytes among it are in `body`.
    Status step(std::string_view& bytes, std::string_view& body);
    // Takes a line, without its end, into line_; false while there is no whole one yet.
    bool take_line(std::string_view& bytes);
    Status read_head();
    Status read_status_line(std::string_view line);
    Status read_field(std::string_view line);
    void begin_body();
    Status read_chunk_size();

    State state_ = State::head;
    std::string line_;  // the line, or the head, so far
    int status_ = 0;
    std::string reason_;
    bool keep_alive_ = true, chunked_ = false;
    std::optional<uint64_t> content_length_;
    uint64_t left_ = 0;  // bytes of the body, or of the chunk
};

}  // namespace glm5::loadgen
