#include "http/raw_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/check.h"

namespace glm5::http {

RawClient::RawClient(uint16_t port) : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    GLM5_CHECK(connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect to {}", port);
}

RawClient::~RawClient() {
    close();
}

void RawClient::close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
}

void RawClient::half_close() {
    shutdown(descriptor_, SHUT_WR);
}

void RawClient::reset() {
    const linger option{1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &option, sizeof option);
    close();
}

bool RawClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
}

bool RawClient::receive(std::chrono::milliseconds limit) {
    if (ended_) return false;
    pollfd entry{descriptor_, POLLIN, 0};
    if (poll(&entry, 1, static_cast<int>(limit.count())) <= 0) return false;
    char bytes[65536];
    const ssize_t count = recv(descriptor_, bytes, sizeof bytes, 0);
    if (count <= 0) {
        ended_ = true;
        return false;
    }
    received.append(bytes, static_cast<size_t>(count));
    return true;
}

bool RawClient::read_until(std::string_view text, std::chrono::milliseconds limit) {
    while (received.find(text) == std::string::npos)
        if (!receive(limit)) return false;
    return true;
}

bool RawClient::closed(std::chrono::milliseconds limit) {
    while (receive(limit)) {}
    return ended_;
}

Answer RawClient::answer(bool head_only) {
    Answer answer;
    if (!read_until("\r\n\r\n")) return answer;
    const size_t head_end = received.find("\r\n\r\n");
    const std::string head = received.substr(0, head_end + 2);
    received.erase(0, head_end + 4);
    for (size_t at = head.find("\r\n") + 2; at < head.size();) {
        const size_t end = head.find("\r\n", at), colon = head.find(": ", at);
        std::string name = head.substr(at, colon - at);
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        answer.headers[name] = head.substr(colon + 2, end - colon - 2);
        at = end + 2;
    }
    const int status = std::atoi(head.c_str() + 9);
    if (head_only) {
        answer.status = status;
    } else if (answer.headers.contains("content-length")) {
        const size_t length = std::stoul(answer.headers["content-length"]);
        while (received.size() < length)
            if (!receive()) return answer;
        answer.body = received.substr(0, length);
        received.erase(0, length);
        answer.status = status;
    } else if (answer.headers["transfer-encoding"] == "chunked") {
        for (;;) {
            if (!read_until("\r\n")) return answer;
            const size_t length = std::stoul(received, nullptr, 16);
            received.erase(0, received.find("\r\n") + 2);
            while (received.size() < length + 2)
                if (!receive()) return answer;
            answer.body += received.substr(0, length);
            received.erase(0, length + 2);
            if (length == 0) break;
        }
        answer.status = status;
    } else {
        answer.closed = closed();
        answer.body = std::exchange(received, {});
        answer.status = status;
    }
    return answer;
}

}  // namespace glm5::http
