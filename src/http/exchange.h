// Exchange: one request and the writer of its answer. The hop between the sockets and the api.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace glm5::http {

// Every method may be called from any thread. An answer is either respond(), or start_stream(), write_event()… and
// finish(). What is written after the end, or after the client has gone, is dropped.
class Exchange {
public:
    virtual ~Exchange() = default;

    virtual const Request& request() const = 0;

    // Added to the head of the answer, whichever it is. Call before the answer.
    virtual void add_header(std::string name, std::string value) = 0;

    // The whole answer.
    virtual void respond(Response response) = 0;

    // Status 200 and the head of a stream of server-sent events. A comment follows each time the stream is silent for
    // ten seconds, so that proxies keep it.
    virtual void start_stream() = 0;
    // One event, "data: …" with its empty line; `data` has no line break. Events that arrive while a write is in flight
    // leave together. A reader that is so slow that its queue passes the limit is cut off.
    virtual void write_event(std::string_view data) = 0;
    // The end of the stream.
    virtual void finish() = 0;

    // The client has gone: nobody reads the answer.
    virtual bool cancelled() const = 0;
    // Calls `callback` once on the io thread when the client goes away before the end of the answer, at once when it
    // has. The end of the answer drops the callback.
    virtual void on_cancel(std::function<void()> callback) = 0;

    // Runs `task` on the io thread, in the order of the calls.
    virtual void post(std::function<void()> task) = 0;
};

using ExchangePtr = std::shared_ptr<Exchange>;
using Handler = std::function<void(const ExchangePtr&)>;

}  // namespace glm5::http
