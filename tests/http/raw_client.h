// A raw TCP client: sends bytes as they are, and reads answers without trusting them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace glm5::http {

struct Answer {
    int status = 0;                              // 0: the connection ended before a whole answer
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;                            // without chunk framing
    bool closed = false;                         // the body ended with the connection
};

class RawClient {
public:
    explicit RawClient(uint16_t port);
    ~RawClient();
    RawClient(const RawClient&) = delete;

    bool send(std::string_view bytes);
    // Waits at most `limit` for more bytes; false at the end of the connection or of the time.
    bool receive(std::chrono::milliseconds limit = std::chrono::seconds(10));
    // One answer; bytes behind it stay for the next call.
    Answer answer(bool head_only = false);
    // Reads until `text` has been received.
    bool read_until(std::string_view text, std::chrono::milliseconds limit = std::chrono::seconds(10));
    // Reads until the other side closes; false when it does not within the time.
    bool closed(std::chrono::milliseconds limit = std::chrono::seconds(10));
    void close();
    void half_close();
    void reset();  // closes with a reset
    int descriptor() const { return descriptor_; }

    std::string received;  // not consumed by answer()

private:
    int descriptor_ = -1;
    bool ended_ = false;
};

}  // namespace glm5::http
