// Connection: one socket, its requests one after another. Internal to http/; runs on the io thread.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <set>
#include <string>

#include "http/request_reader.h"
#include "http/server.h"

namespace glm5::http {

class Connection;
class ConnectionExchange;

// What the connections of one server share. Connections and exchanges keep it alive.
struct ServerState {
    ServerOptions options;
    boost::asio::io_context io{1};
    std::set<std::shared_ptr<Connection>> connections;  // io thread
    std::atomic<size_t> num_connections = 0;
    std::atomic<bool> draining = false;
    std::function<void()> on_connection_closed;  // io thread
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<ServerState> server, boost::asio::ip::tcp::socket socket);

    void start();
    // The server drains: closes when no request has begun.
    void drain();
    // Closes the socket. An answer that has not ended is cancelled.
    void close();

    // Any thread: sends what the exchange has queued, on the io thread.
    void post_pump();
    ServerState& server() const { return *server_; }

private:
    enum class State { reading, answering, lingering, closed };

    void read();
    void on_read(const boost::system::error_code& error, size_t count);
    void parse();
    void begin_exchange();
    void refuse(int status, const std::string& message);
    void pump();
    void send(std::string bytes);
    void write_some();
    void on_sent(const boost::system::error_code& error, size_t count);
    void end_exchange();
    // Logs and reports the end of an exchange; with 499 in place of its status when the client is gone.
    void report_end(const ConnectionExchange& exchange, int status) const;
    void drop_slow_reader();
    void linger();
    void arm(boost::asio::steady_timer& timer, std::chrono::milliseconds limit, void (Connection::*on_expiry)());
    static void disarm(boost::asio::steady_timer& timer);
    void on_request_timeout();
    void on_silence();

    std::shared_ptr<ServerState> server_;
    boost::asio::ip::tcp::socket socket_;
    std::string peer_;
    State state_ = State::reading;

    RequestReader reader_;
    std::array<char, 16384> chunk_;
    std::string received_;        // not taken by the reader yet: part of a header, or requests behind the open one
    bool reading_ = false;        // a read is in flight
    size_t discarded_bytes_ = 0;  // while lingering

    std::shared_ptr<ConnectionExchange> exchange_;
    std::chrono::steady_clock::time_point exchange_begin_;
    bool slow_reader_ = false;
    std::string sending_;
    size_t sent_bytes_ = 0;  // of sending_
    std::string next_;       // what send() was given meanwhile
    bool writing_ = false;   // sending_ is in flight
    bool close_after_write_ = false;

    boost::asio::steady_timer read_timer_;   // header, body, idle, lingering
    boost::asio::steady_timer write_timer_;  // stalled write, or silence of a stream
};

}  // namespace glm5::http
