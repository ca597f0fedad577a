// StubServer: a server that answers each request with bytes at times that the caller chooses, on one thread and plain
// sockets. It is the other end of the client's tests and of bench/loadgen_bench, so it must be cheaper than the client.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace glm5::loadgen {

struct StubAnswer {
    struct Part {
        std::chrono::microseconds delay{0};  // after the part before it, or the request
        std::string bytes;
    };
    std::vector<Part> parts;
    bool close = false;  // at the end
};

class StubServer {
public:
    // Asked on the server's thread for each request, of which it gets head and body. No answer: the connection is
    // closed.
    using AnswerTo = std::function<std::shared_ptr<const StubAnswer>(const std::string& request)>;

    explicit StubServer(AnswerTo answer_to);
    ~StubServer();
    StubServer(const StubServer&) = delete;
    StubServer& operator=(const StubServer&) = delete;

    uint16_t port() const { return port_; }
    std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    int num_connections() const { return num_connections_; }  // accepted so far
    std::vector<std::string> requests() const;
    // The processor time of its thread so far.
    double cpu_s() const;

private:
    using Clock = std::chrono::steady_clock;
    struct Connection {
        std::string received, unsent;
        std::shared_ptr<const StubAnswer> answer;
        size_t next_part = 0;
    };
    struct Due {
        Clock::time_point time;
        int descriptor;
        uint64_t serial;  // of the connection, so that a closed one's times mean nothing
        bool operator>(const Due& other) const { return time > other.time; }
    };

    void run();
    void accept_all();
    void receive(int descriptor);
    void take_request(int descriptor, Connection& connection);
    void schedule_part(int descriptor, Connection& connection, Clock::time_point from);
    void send_part(int descriptor, Clock::time_point now);
    bool flush(int descriptor, Connection& connection);
    void close_connection(int descriptor);

    AnswerTo answer_to_;
    int listener_ = -1, epoll_ = -1;
    uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> num_connections_ = 0;
    std::unordered_map<int, Connection> connections_;
    std::unordered_map<int, uint64_t> serials_;
    uint64_t next_serial_ = 0;
    std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
    mutable std::mutex mutex_;  // guards requests_
    std::vector<std::string> requests_;
    std::thread thread_;
};

// An HTTP head with this status and these further fields.
std::string http_head(const std::string& status, const std::string& fields);
// One chunk of a chunked body; the last one is that of an empty text.
std::string http_chunk(const std::string& text);
// A whole answer with a length.
std::string http_answer(const std::string& status, const std::string& body);

}  // namespace glm5::loadgen
