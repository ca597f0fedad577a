// Server: listens, reads requests, hands each to the handler as an Exchange. One io thread runs all sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "http/exchange.h"
#include "http/request_reader.h"
#include "http/router.h"

namespace glm5::http {

// What became of a request. `status` is 499 when the client went away before the end of the answer, or was dropped.
struct ExchangeEnd {
    const Request& request;
    int status = 0;
    std::chrono::nanoseconds duration{};  // from the end of the request to the last byte handed to the kernel
    bool slow_reader = false;             // dropped, because it did not take its answer
};

struct ServerOptions {
    std::string host = "127.0.0.1";
    uint16_t port = 0;  // 0 = any free one
    Handler handler;    // called on the io thread; must not block
    ErrorBody error_body;
    // Called on the io thread for SIGINT and SIGTERM. Empty: the server leaves signals alone.
    std::function<void(int signal)> on_signal;
    // Called on the io thread after each request that reached the handler. May be empty.
    std::function<void(const ExchangeEnd&)> on_exchange_end;
    bool access_log = true;

    ReaderLimits reader;
    size_t max_connections = 4096;                     // more wait in the backlog
    size_t max_queued_bytes = size_t{4} << 20;         // of one stream; a slower reader is cut off
    std::chrono::milliseconds header_timeout{30'000};  // from its first byte to its last
    std::chrono::milliseconds body_timeout{120'000};
    std::chrono::milliseconds idle_timeout{75'000};   // between requests of a connection
    std::chrono::milliseconds ping_interval{10'000};  // of a silent stream
    std::chrono::milliseconds write_timeout{60'000};  // for a reader that takes nothing
};

class Server {
public:
    // Binds, listens and starts the io thread. The error of a port that is taken names host and port.
    static Result<std::unique_ptr<Server>> start(ServerOptions options);

    // Stops. Whatever may still call an Exchange must have ended before.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    uint16_t port() const;
    // Connections that are open.
    size_t num_connections() const;

    // Stops listening, closes idle connections, lets open requests finish, and cuts off those that are left after
    // `limit`. Returns at once. Any thread.
    void drain(std::chrono::milliseconds limit);
    // Cuts off everything. Any thread.
    void stop();
    // Returns when a drain or stop is complete.
    void wait();
    // The same for at most `limit`; whether it is complete.
    bool wait_for(std::chrono::milliseconds limit);

private:
    struct Implementation;
    explicit Server(std::unique_ptr<Implementation> implementation);
    std::unique_ptr<Implementation> implementation_;
};

// Raises the soft limit of open files to the hard one.
void raise_open_file_limit();

}  // namespace glm5::http
