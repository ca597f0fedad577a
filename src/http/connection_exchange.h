// ConnectionExchange: the Exchange of a Connection: queues an answer from any thread, frames it for the wire.
// Internal to http/.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "http/connection.h"
#include "http/exchange.h"

namespace glm5::http {

class ConnectionExchange final : public Exchange {
public:
    ConnectionExchange(std::shared_ptr<Connection> connection, Request request);

    const Request& request() const override { return request_; }
    void add_header(std::string name, std::string value) override;
    void respond(Response response) override;
    void start_stream() override;
    void write_event(std::string_view data) override;
    void finish() override;
    bool cancelled() const override { return cancelled_.load(std::memory_order_acquire); }
    void on_cancel(std::function<void()> callback) override;
    void post(std::function<void()> task) override;

    // For the connection, on its io thread.

    // The bytes to send next, framed; empty when there are none.
    std::string take_outgoing();
    // The answer is complete: after take_outgoing, nothing follows.
    bool ended() const;
    bool streaming() const;
    // A stream's queue passed the limit.
    bool overflowed() const { return overflowed_.load(std::memory_order_acquire); }
    // A comment event, when the stream is open.
    void write_ping();
    // The client is gone. Calls the callback when the answer has not ended.
    void cancel();
    // After the answer, the connection serves another request.
    bool keep_alive() const { return keep_alive_; }
    int status() const;
    const std::string& peer() const { return request_.peer; }

private:
    enum class Phase { waiting, streaming, ended };

    void queue_head(const Response& response, int64_t content_length, bool chunked);
    // Drops the callback of on_cancel outside the lock.
    std::function<void()> end_locked();

    const std::shared_ptr<Connection> connection_;
    const Request request_;
    std::atomic<bool> cancelled_ = false;
    std::atomic<bool> overflowed_ = false;
    bool keep_alive_ = false;  // set with the head, read after it

    mutable std::mutex mutex_;
    Phase phase_ = Phase::waiting;
    bool chunked_ = false;
    bool terminated_ = false;  // the last chunk has been taken
    int status_ = 0;
    Headers extra_headers_;
    std::string head_;     // framed: head, and the body of a whole response
    std::string payload_;  // events that are not framed yet
    std::function<void()> on_cancel_;
};

}  // namespace glm5::http
