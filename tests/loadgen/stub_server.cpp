// The loop of the stub server.
#include "stub_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/check.h"

namespace glm5::loadgen {
namespace {

constexpr int kTickMs = 50;  // how late the end may be noticed
constexpr size_t kMaxKeptRequests = 4096;

size_t body_size(const std::string& head) {
    const size_t at = head.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

}  // namespace

StubServer::StubServer(AnswerTo answer_to) : answer_to_(std::move(answer_to)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    GLM5_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    GLM5_CHECK(::listen(listener_, 4096) == 0);
    GLM5_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    epoll_ = ::epoll_create1(0);
    epoll_event event{.events = EPOLLIN, .data = {.fd = listener_}};
    GLM5_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) == 0);
    thread_ = std::thread([this] { run(); });
}

StubServer::~StubServer() {
    stopping_ = true;
    thread_.join();
    for (const auto& [descriptor, connection] : connections_) ::close(descriptor);
    ::close(listener_);
    ::close(epoll_);
}

std::vector<std::string> StubServer::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

double StubServer::cpu_s() const {
    clockid_t clock;
    timespec time{};
    pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock);
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void StubServer::run() {
    std::array<epoll_event, 256> events;
    while (!stopping_) {
        int timeout_ms = kTickMs;
        if (!due_.empty()) {
            const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due_.top().time - Clock::now());
            timeout_ms = std::clamp(static_cast<int>(wait.count()), 0, kTickMs);
        }
        const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
        for (int i = 0; i < count; ++i) {
            const int descriptor = events[static_cast<size_t>(i)].data.fd;
            descriptor == listener_ ? accept_all() : receive(descriptor);
        }
        const Clock::time_point now = Clock::now();
        while (!due_.empty() && due_.top().time <= now) {
            const Due due = due_.top();
            due_.pop();
            const auto serial = serials_.find(due.descriptor);
            if (serial != serials_.end() && serial->second == due.serial) send_part(due.descriptor, due.time);
        }
    }
}

void StubServer::accept_all() {
    for (;;) {
        const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
        if (descriptor < 0) return;
        const int one = 1;
        ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
        connections_[descriptor] = {};
        serials_[descriptor] = next_serial_++;
        ++num_connections_;
    }
}

void StubServer::receive(int descriptor) {
    Connection& connection = connections_[descriptor];
    std::array<char, 1 << 16> buffer;
    const ssize_t count = ::recv(descriptor, buffer.data(), buffer.size(), 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return close_connection(descriptor);
    if (count > 0) connection.received.append(buffer.data(), static_cast<size_t>(count));
    take_request(descriptor, connection);
}

void StubServer::take_request(int descriptor, Connection& connection) {
    const size_t head_end = connection.received.find("\r\n\r\n");
    if (connection.answer || head_end == std::string::npos) return;
    const size_t size = head_end + 4 + body_size(connection.received.substr(0, head_end));
    if (connection.received.size() < size) return;
    const std::string request = connection.received.substr(0, size);
    connection.received.erase(0, size);
    {
        const std::lock_guard lock(mutex_);
        if (requests_.size() < kMaxKeptRequests) requests_.push_back(request);
    }
    connection.answer = answer_to_(request);
    connection.next_part = 0;
    if (!connection.answer) return close_connection(descriptor);
    schedule_part(descriptor, connection, Clock::now());
}

void StubServer::schedule_part(int descriptor, Connection& connection, Clock::time_point from) {
    if (connection.next_part < connection.answer->parts.size()) {
        due_.push({from + connection.answer->parts[connection.next_part].delay, descriptor, serials_[descriptor]});
    } else if (connection.answer->close) {
        close_connection(descriptor);
    } else {
        connection.answer = nullptr;
        take_request(descriptor, connection);
    }
}

void StubServer::send_part(int descriptor, Clock::time_point now) {
    Connection& connection = connections_[descriptor];
    const std::string& bytes = connection.answer->parts[connection.next_part].bytes;
    if (connection.unsent.empty()) connection.unsent = bytes;
    if (!flush(descriptor, connection)) return;
    if (!connection.unsent.empty()) {  // the client is slow
        due_.push({now + std::chrono::milliseconds(1), descriptor, serials_[descriptor]});
        return;
    }
    ++connection.next_part;
    schedule_part(descriptor, connection, now);
}

// False when the connection is gone.
bool StubServer::flush(int descriptor, Connection& connection) {
    const ssize_t sent = ::send(descriptor, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        close_connection(descriptor);
        return false;
    }
    if (sent > 0) connection.unsent.erase(0, static_cast<size_t>(sent));
    return true;
}

void StubServer::close_connection(int descriptor) {
    ::close(descriptor);
    connections_.erase(descriptor);
    serials_.erase(descriptor);
}

std::string http_head(const std::string& status, const std::string& fields) {
    return fmt::format("HTTP/1.1 {}\r\n{}\r\n", status, fields);
}

std::string http_chunk(const std::string& text) {
    return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}

std::string http_answer(const std::string& status, const std::string& body) {
    return http_head(status, fmt::format("Content-Length: {}\r\n", body.size())) + body;
}

}  // namespace glm5::loadgen
