// The life of a connection: read a request, let the handler answer, watch whether the client stays, send, repeat.
#include "http/connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include "base/log.h"
#include "http/connection_exchange.h"

namespace glm5::http {
namespace {

constexpr size_t kMaxDiscardedBytes = size_t{8} << 20;
constexpr std::chrono::milliseconds kLingerTimeout{2000};
constexpr int kClientGone = 499;

std::string peer_text(const boost::asio::ip::tcp::socket& socket) {
    boost::system::error_code error;
    const auto endpoint = socket.remote_endpoint(error);
    return error ? "unknown" : fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> server, boost::asio::ip::tcp::socket socket)
    : server_(std::move(server)),
      socket_(std::move(socket)),
      peer_(peer_text(socket_)),
      reader_(server_->options.reader),
      read_timer_(server_->io),
      write_timer_(server_->io) {
    boost::system::error_code ignored;
    socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
    server_->num_connections.fetch_add(1);
}

void Connection::start() {
    server_->connections.insert(shared_from_this());
    arm(read_timer_, server_->options.header_timeout, &Connection::on_request_timeout);
    read();
}

void Connection::drain() {
    if (state_ == State::reading && received_.empty() && reader_.state() == RequestReader::State::reading_header)
        close();
}

void Connection::close() {
    if (state_ == State::closed) return;
    state_ = State::closed;
    boost::system::error_code ignored;
    socket_.close(ignored);
    disarm(read_timer_);
    disarm(write_timer_);
    server_->num_connections.fetch_sub(1);
    server_->connections.erase(shared_from_this());  // the caller holds a reference
    if (auto exchange = std::exchange(exchange_, nullptr)) {
        const bool ended = exchange->ended();
        report_end(*exchange, kClientGone);
        if (!ended) exchange->cancel();
    }
    if (server_->on_connection_closed) server_->on_connection_closed();
}

void Connection::read() {
    if (reading_ || state_ == State::closed) return;
    reading_ = true;
    socket_.async_read_some(boost::asio::buffer(chunk_),
                            [self = shared_from_this()](const boost::system::error_code& error, size_t count) {
                                self->reading_ = false;
                                self->on_read(error, count);
                            });
}

void Connection::on_read(const boost::system::error_code& error, size_t count) {
    if (state_ == State::closed) return;
    if (error) {
        // A client that has gone, or that closed its half. A complete answer is sent in any case.
        if (state_ == State::answering && (!exchange_ || exchange_->ended())) {
            close_after_write_ = true;
            pump();
        } else {
            close();
        }
        return;
    }
    if (state_ == State::lingering) {
        discarded_bytes_ += count;
        if (discarded_bytes_ > kMaxDiscardedBytes) return close();
        return read();
    }
    if (state_ == State::reading && received_.empty() && reader_.state() == RequestReader::State::reading_header)
        arm(read_timer_, server_->options.header_timeout, &Connection::on_request_timeout);
    received_.append(chunk_.data(), count);
    if (state_ == State::reading) return parse();
    // Requests behind the open one wait here; past the limit they wait in the kernel.
    if (received_.size() < server_->options.reader.max_header_bytes) read();
}

void Connection::parse() {
    if (received_.empty()) return read();
    const auto before = reader_.state();
    received_.erase(0, reader_.feed(received_));
    switch (reader_.state()) {
        case RequestReader::State::failed: return refuse(reader_.error_status(), reader_.error_message());
        case RequestReader::State::complete: return begin_exchange();
        case RequestReader::State::reading_header: break;
        case RequestReader::State::reading_body:
            if (before == RequestReader::State::reading_header)
                arm(read_timer_, server_->options.body_timeout, &Connection::on_request_timeout);
            if (reader_.take_expect_continue()) send("HTTP/1.1 100 Continue\r\n\r\n");
            break;
    }
    // What the reader could not take yet is part of a header or of a chunk's size line: bounded, like a header.
    if (received_.size() > size_t{server_->options.reader.max_header_bytes} + chunk_.size())
        return refuse(431, "The request header is too long.");
    read();
}

void Connection::begin_exchange() {
    disarm(read_timer_);
    state_ = State::answering;
    Request request = reader_.take_request();
    request.peer = peer_;
    reader_ = RequestReader(server_->options.reader);
    exchange_ = std::make_shared<ConnectionExchange>(shared_from_this(), std::move(request));
    exchange_begin_ = std::chrono::steady_clock::now();
    const std::shared_ptr<ConnectionExchange> exchange = exchange_;
    server_->options.handler(exchange);
    if (received_.size() < server_->options.reader.max_header_bytes) read();  // watches for the client's going away
}

void Connection::refuse(int status, const std::string& message) {
    disarm(read_timer_);
    const Response response = server_->options.error_body(status, message);
    if (server_->options.access_log) log_info("{} - refused: {} {}", peer_, status, message);
    received_.clear();
    state_ = State::answering;  // nothing more is parsed
    close_after_write_ = true;
    send(response_head(response, static_cast<int64_t>(response.body.size()), false, false) + response.body);
}

void Connection::post_pump() {
    boost::asio::post(server_->io, [self = shared_from_this()] { self->pump(); });
}

void Connection::pump() {
    if (state_ == State::closed) return;
    if (exchange_ && exchange_->overflowed()) {
        log_warning("{} - dropped: the client reads too slowly, more than {} bytes of its stream are waiting", peer_,
                    server_->options.max_queued_bytes);
        return drop_slow_reader();
    }
    if (writing_) return;
    if (!exchange_) {
        if (close_after_write_) linger();
        return;
    }
    // Asked before the bytes are taken: what is queued between the two is sent by the pump that follows it.
    const bool ended = exchange_->ended();
    std::string bytes = exchange_->take_outgoing();
    if (!bytes.empty()) return send(std::move(bytes));
    if (ended) return end_exchange();
    if (exchange_->streaming()) arm(write_timer_, server_->options.ping_interval, &Connection::on_silence);
}

void Connection::send(std::string bytes) {
    if (writing_) {  // a 100 Continue is in flight
        next_ += bytes;
        return;
    }
    sending_ = std::move(bytes);
    sent_bytes_ = 0;
    write_some();
}

void Connection::write_some() {
    writing_ = true;
    arm(write_timer_, server_->options.write_timeout, &Connection::drop_slow_reader);
    socket_.async_write_some(boost::asio::buffer(sending_) + sent_bytes_,
                             [self = shared_from_this()](const boost::system::error_code& error, size_t count) {
                                 self->on_sent(error, count);
                             });
}

void Connection::on_sent(const boost::system::error_code& error, size_t count) {
    writing_ = false;
    if (state_ == State::closed) return;
    if (error) return close();
    sent_bytes_ += count;
    if (sent_bytes_ < sending_.size()) return write_some();
    disarm(write_timer_);
    sending_.clear();
    if (!next_.empty()) return send(std::exchange(next_, {}));
    pump();
}

void Connection::end_exchange() {
    const auto exchange = std::exchange(exchange_, nullptr);
    report_end(*exchange, exchange->status());
    if (!exchange->keep_alive() || close_after_write_ || server_->draining) return linger();
    state_ = State::reading;
    arm(read_timer_, received_.empty() ? server_->options.idle_timeout : server_->options.header_timeout,
        &Connection::on_request_timeout);
    parse();
}

void Connection::report_end(const ConnectionExchange& exchange, int status) const {
    const Request& request = exchange.request();
    if (server_->options.access_log)
        log_info("{} - \"{} {} HTTP/1.1\" {}", peer_, request.method, request.target, status);
    if (server_->options.on_exchange_end)
        server_->options.on_exchange_end(
            {request, status, std::chrono::steady_clock::now() - exchange_begin_, slow_reader_});
}

void Connection::drop_slow_reader() {
    slow_reader_ = true;
    close();
}

// Closing a socket with unread bytes makes the kernel send a reset, which can destroy the answer on its way. So the
// sending half is closed first, and what still comes is read and dropped for a moment.
void Connection::linger() {
    state_ = State::lingering;
    boost::system::error_code error;
    socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, error);
    if (error) return close();
    arm(read_timer_, kLingerTimeout, &Connection::close);
    read();
}

void Connection::arm(boost::asio::steady_timer& timer, std::chrono::milliseconds limit,
                     void (Connection::*on_expiry)()) {
    timer.expires_after(limit);
    timer.async_wait([self = shared_from_this(), &timer, on_expiry](const boost::system::error_code& error) {
        // A timer that was set anew after this wait had been completed has a later expiry.
        if (error || self->state_ == State::closed || timer.expiry() > std::chrono::steady_clock::now()) return;
        (self.get()->*on_expiry)();
    });
}

void Connection::disarm(boost::asio::steady_timer& timer) {
    timer.expires_at(std::chrono::steady_clock::time_point::max());
}

void Connection::on_request_timeout() {
    if (state_ != State::reading) return;
    const bool begun = !received_.empty() || reader_.state() == RequestReader::State::reading_body;
    if (!begun) return close();
    refuse(408, "The request did not arrive in time.");
}

void Connection::on_silence() {
    if (exchange_) exchange_->write_ping();
}

}  // namespace glm5::http
