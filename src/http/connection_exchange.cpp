// The queue between the writers of an answer and its connection.
#include "http/connection_exchange.h"

#include <boost/asio/post.hpp>

#include "base/check.h"
#include "base/log.h"

namespace glm5::http {

ConnectionExchange::ConnectionExchange(std::shared_ptr<Connection> connection, Request request)
    : connection_(std::move(connection)), request_(std::move(request)) {}

void ConnectionExchange::add_header(std::string name, std::string value) {
    const std::lock_guard lock(mutex_);
    extra_headers_.add(std::move(name), std::move(value));
}

void ConnectionExchange::queue_head(const Response& response, int64_t content_length, bool chunked) {
    Response with_extras = response;
    for (const auto& [name, value] : extra_headers_) with_extras.headers.add(name, value);
    const bool delimited = content_length >= 0 || chunked;
    keep_alive_ = request_.keep_alive && delimited && !connection_->server().draining;
    status_ = response.status;
    head_ = response_head(with_extras, content_length, chunked, keep_alive_);
}

std::function<void()> ConnectionExchange::end_locked() {
    phase_ = Phase::ended;
    return std::exchange(on_cancel_, nullptr);
}

void ConnectionExchange::respond(Response response) {
    std::function<void()> dropped;
    {
        const std::lock_guard lock(mutex_);
        GLM5_CHECK(phase_ == Phase::waiting || cancelled(), "an exchange is answered once");
        if (phase_ != Phase::waiting) return;
        const std::string body = std::exchange(response.body, {});
        queue_head(response, response.status == 204 ? -1 : static_cast<int64_t>(body.size()), false);
        if (request_.method != "HEAD") head_ += body;
        dropped = end_locked();
    }
    connection_->post_pump();
}

void ConnectionExchange::start_stream() {
    {
        const std::lock_guard lock(mutex_);
        GLM5_CHECK(phase_ == Phase::waiting || cancelled(), "an exchange is answered once");
        if (phase_ != Phase::waiting) return;
        Response response;
        response.content_type = "text/event-stream; charset=utf-8";
        response.headers.add("Cache-Control", "no-cache");
        response.headers.add("X-Accel-Buffering", "no");
        chunked_ = !request_.http_1_0;
        queue_head(response, -1, chunked_);
        phase_ = Phase::streaming;
    }
    connection_->post_pump();
}

void ConnectionExchange::write_event(std::string_view data) {
    GLM5_CHECK(data.find_first_of("\r\n") == std::string_view::npos, "an event is one line");
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (phase_ != Phase::streaming || cancelled() || overflowed()) return;
        first = payload_.empty();
        payload_.append("data: ").append(data).append("\n\n");
        if (payload_.size() > connection_->server().options.max_queued_bytes) {
            overflowed_ = true;
            first = true;
        }
    }
    if (first) connection_->post_pump();  // else one is on its way
}

void ConnectionExchange::write_ping() {
    {
        const std::lock_guard lock(mutex_);
        if (phase_ != Phase::streaming) return;
        payload_ += ": ping\n\n";
    }
    connection_->post_pump();
}

void ConnectionExchange::finish() {
    std::function<void()> dropped;
    {
        const std::lock_guard lock(mutex_);
        if (phase_ != Phase::streaming) return;
        dropped = end_locked();
    }
    connection_->post_pump();
}

void ConnectionExchange::on_cancel(std::function<void()> callback) {
    {
        const std::lock_guard lock(mutex_);
        if (!cancelled()) {
            if (phase_ != Phase::ended) on_cancel_ = std::move(callback);
            return;
        }
    }
    post(std::move(callback));
}

void ConnectionExchange::post(std::function<void()> task) {
    boost::asio::post(connection_->server().io, std::move(task));
}

std::string ConnectionExchange::take_outgoing() {
    const std::lock_guard lock(mutex_);
    std::string out = std::exchange(head_, {});
    if (!payload_.empty()) {
        if (chunked_) {
            out += fmt::format("{:x}\r\n{}\r\n", payload_.size(), payload_);
        } else {
            out += payload_;
        }
        payload_.clear();
    }
    if (phase_ == Phase::ended && chunked_ && !terminated_) {
        out += "0\r\n\r\n";
        terminated_ = true;
    }
    return out;
}

bool ConnectionExchange::ended() const {
    const std::lock_guard lock(mutex_);
    return phase_ == Phase::ended;
}

bool ConnectionExchange::streaming() const {
    const std::lock_guard lock(mutex_);
    return phase_ == Phase::streaming;
}

int ConnectionExchange::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

void ConnectionExchange::cancel() {
    std::function<void()> callback;
    {
        const std::lock_guard lock(mutex_);
        cancelled_.store(true, std::memory_order_release);
        if (phase_ == Phase::ended) return;
        callback = end_locked();
    }
    if (callback) callback();
}

}  // namespace glm5::http
