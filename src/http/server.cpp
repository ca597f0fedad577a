// Listening, accepting, signals, and the end of all of it.
#include "http/server.h"

#include <sys/resource.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <future>
#include <thread>

#include "base/log.h"
#include "http/connection.h"

namespace glm5::http {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr int kBacklog = 4096;
constexpr std::chrono::milliseconds kAcceptRetry{100};
}  // namespace

struct Server::Implementation {
    std::shared_ptr<ServerState> state = std::make_shared<ServerState>();
    tcp::acceptor acceptor{state->io};
    boost::asio::signal_set signals{state->io};
    boost::asio::steady_timer accept_timer{state->io};
    boost::asio::steady_timer drain_timer{state->io};
    uint16_t port = 0;
    bool accepting = false;  // an accept is in flight
    bool accept_failed = false;
    std::thread thread;
    std::promise<void> end_of_thread;
    std::future<void> ended = end_of_thread.get_future();

    Status listen();
    void accept();
    void on_accept(const error_code& error, tcp::socket socket);
    void wait_for_signal();
    void stop_listening();
    void drain(std::chrono::milliseconds limit);
    void stop();
};

Status Server::Implementation::listen() {
    const ServerOptions& options = state->options;
    auto failed = [&](const error_code& error) {
        return io_error("cannot listen on {}:{}: {}", options.host, options.port, error.message());
    };
    error_code error;
    tcp::resolver resolver(state->io);
    const auto endpoints = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
    if (error) return failed(error);
    const tcp::endpoint endpoint = endpoints.begin()->endpoint();
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error) return failed(error);
    port = acceptor.local_endpoint(error).port();
    return error ? failed(error) : Status();
}

void Server::Implementation::accept() {
    if (accepting || !acceptor.is_open() || state->connections.size() >= state->options.max_connections) return;
    accepting = true;
    acceptor.async_accept([this](const error_code& error, tcp::socket socket) {
        accepting = false;
        on_accept(error, std::move(socket));
    });
}

void Server::Implementation::on_accept(const error_code& error, tcp::socket socket) {
    if (!acceptor.is_open()) return;
    if (error) {  // out of descriptors, or the client has gone again
        if (!std::exchange(accept_failed, true)) log_warning("cannot accept a connection: {}", error.message());
        accept_timer.expires_after(kAcceptRetry);
        accept_timer.async_wait([this](const error_code& cancelled) {
            if (!cancelled) accept();
        });
        return;
    }
    accept_failed = false;
    std::make_shared<Connection>(state, std::move(socket))->start();
    accept();
}

void Server::Implementation::wait_for_signal() {
    signals.async_wait([this](const error_code& error, int signal) {
        if (error) return;
        state->options.on_signal(signal);
        if (acceptor.is_open() || !state->connections.empty()) wait_for_signal();
    });
}

void Server::Implementation::stop_listening() {
    error_code ignored;
    acceptor.close(ignored);
    accept_timer.cancel();
}

void Server::Implementation::drain(std::chrono::milliseconds limit) {
    if (state->draining.exchange(true)) return;
    stop_listening();
    state->on_connection_closed = [this] {
        if (state->connections.empty()) stop();
    };
    const auto connections = state->connections;
    for (const auto& connection : connections) connection->drain();
    if (state->connections.empty()) return stop();
    log_info("Draining: {} connections are open", state->connections.size());
    drain_timer.expires_after(limit);
    drain_timer.async_wait([this](const error_code& error) {
        if (error) return;
        log_warning("Cutting off {} connections that did not end in time", state->connections.size());
        stop();
    });
}

void Server::Implementation::stop() {
    state->draining = true;
    state->on_connection_closed = nullptr;
    stop_listening();
    error_code ignored;
    signals.cancel(ignored);
    drain_timer.cancel();
    const auto connections = state->connections;
    for (const auto& connection : connections) connection->close();
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options) {
    auto implementation = std::make_unique<Implementation>();
    Implementation* raw = implementation.get();
    raw->state->options = std::move(options);
    GLM5_RETURN_IF_ERROR(raw->listen());
    raw->state->on_connection_closed = [raw] { raw->accept(); };
    if (raw->state->options.on_signal) {
        error_code error;
        raw->signals.add(SIGINT, error);
        if (!error) raw->signals.add(SIGTERM, error);
        if (error) return io_error("cannot watch for signals: {}", error.message());
        raw->wait_for_signal();
    }
    raw->accept();
    raw->thread = std::thread([raw] {
        raw->state->io.run();
        raw->end_of_thread.set_value();
    });
    return std::unique_ptr<Server>(new Server(std::move(implementation)));
}

Server::Server(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}

Server::~Server() {
    stop();
    wait();
    // What was posted after the io thread had ended: it would keep its connection, and that the queue, for ever.
    implementation_->state->io.restart();
    implementation_->state->io.poll();
}

uint16_t Server::port() const {
    return implementation_->port;
}

size_t Server::num_connections() const {
    return implementation_->state->num_connections;
}

void Server::drain(std::chrono::milliseconds limit) {
    boost::asio::post(implementation_->state->io, [raw = implementation_.get(), limit] { raw->drain(limit); });
}

void Server::stop() {
    boost::asio::post(implementation_->state->io, [raw = implementation_.get()] { raw->stop(); });
}

void Server::wait() {
    if (implementation_->thread.joinable()) implementation_->thread.join();
}

bool Server::wait_for(std::chrono::milliseconds limit) {
    return implementation_->ended.wait_for(limit) == std::future_status::ready;
}

void raise_open_file_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log_warning("cannot raise the limit of open files");
}

}  // namespace glm5::http
