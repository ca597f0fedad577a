// The only file of this folder with sockets: Asio on one io_context that the calling thread runs.
#include "loadgen/client.h"

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <memory>

#include "http/server.h"
#include "loadgen/event_stream.h"
#include "loadgen/message.h"
#include "loadgen/response_reader.h"

namespace glm5::loadgen {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Outcome = RequestRecord::Outcome;

constexpr std::chrono::milliseconds kTick{100};
constexpr size_t kMaxAnswerBytes = 64 << 20, kMaxErrorBodyBytes = 64 << 10;

double seconds(Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

Result<tcp::resolver::results_type> resolve(asio::io_context& io, const Url& url) {
    error_code error;
    tcp::resolver resolver(io);
    auto endpoints = resolver.resolve(url.host, url.port, error);
    if (error) return io_error("{}: {}", url.authority(), error.message());
    return endpoints;
}

std::string lower_first(std::string text) {
    if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
}

// One request at a time over one socket.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    // What became of a request: nothing more is called for it after on_end.
    struct Handler {
        std::function<Status(std::string_view body, const ResponseReader&)> on_body;
        // `cause` is empty when the response is complete; else what went wrong, in few words and in many.
        std::function<void(const ResponseReader&, std::string cause, std::string error)> on_end;
    };

    Connection(asio::io_context& io, const tcp::resolver::results_type& endpoints)
        : socket_(io), endpoints_(endpoints) {}

    void send(std::string request, Handler handler) {
        request_ = std::make_shared<const std::string>(std::move(request));
        handler_ = std::move(handler);
        reader_ = ResponseReader();
        body_status_ = {};
        if (socket_.is_open()) {
            reused_ = true;
            write();
        } else {
            connect();
        }
    }

    void close() {
        error_code ignored;
        socket_.close(ignored);
    }

private:
    void connect() {
        reused_ = false;
        asio::async_connect(socket_, endpoints_, [self = shared_from_this()](const error_code& error, const auto&) {
            if (error) return self->fail(lower_first(error.message()), "cannot connect: " + error.message());
            error_code ignored;
            self->socket_.set_option(tcp::no_delay(true), ignored);
            self->write();
        });
    }

    // The answer is read while the request is written: a server may refuse it early. What stops the writing is seen
    // by the reading.
    void write() {
        writing_ = true;
        asio::async_write(socket_, asio::buffer(*request_),
                          [self = shared_from_this(), request = request_](const error_code&, size_t) {
                              if (request == self->request_) self->writing_ = false;
                          });
        read();
    }

    void read() {
        socket_.async_read_some(
            asio::buffer(buffer_),
            [self = shared_from_this()](const error_code& error, size_t size) { self->on_read(error, size); });
    }

    void on_read(const error_code& error, size_t size) {
        if (error) return on_closed(error);
        const Status status = reader_.feed({buffer_.data(), size}, [this](std::string_view body) {
            if (body_status_.ok()) body_status_ = handler_.on_body(body, reader_);
        });
        if (!status.ok()) return fail("not understood", status.message());
        if (!body_status_.ok()) return fail("not understood", body_status_.message());
        if (reader_.complete()) return finish();
        read();
    }

    void on_closed(const error_code& error) {
        if (reused_ && !reader_.started()) {  // closed by the server between two requests
            close();
            return connect();
        }
        if (error != asio::error::eof) return fail(lower_first(error.message()), "reading failed: " + error.message());
        const Status status = reader_.end();
        if (!status.ok()) return fail("connection closed", status.message());
        finish();
    }

    void finish() {
        if (!reader_.keep_alive() || writing_) close();
        end("", "");
    }

    void fail(std::string cause, std::string error) {
        close();
        end(std::move(cause), std::move(error));
    }

    void end(std::string cause, std::string error) {
        const Handler handler = std::exchange(handler_, {});
        handler.on_end(reader_, std::move(cause), std::move(error));
    }

    tcp::socket socket_;
    const tcp::resolver::results_type& endpoints_;
    std::shared_ptr<const std::string> request_;  // a write in flight owns it too
    Handler handler_;
    ResponseReader reader_;
    Status body_status_;
    bool reused_ = false, writing_ = false;
    std::array<char, 16 << 10> buffer_;
};

using ConnectionPtr = std::shared_ptr<Connection>;

// A request under way, and the measuring of it.
struct Stream {
    ConnectionPtr connection;
    Clock::time_point start, last;
    EventStream events;
    std::string error_body;    // of an answer that is not 200
    std::string server_error;  // reported within the stream
    bool done = false;         // [DONE] was seen
};

class LoadRun {
public:
    LoadRun(const Load& load, const Hooks& hooks) : load_(load), hooks_(hooks) {}

    Result<LoadOutcome> run() {
        http::raise_open_file_limit();
        GLM5_ASSIGN_OR_RETURN(endpoints_, resolve(io_, load_.url));
        const auto count = static_cast<size_t>(load_.num_requests);
        outcome_.records.resize(count);
        streams_.resize(count);
        arrived_.resize(count);
        begin_ = Clock::now();
        if (count > 0) {
            wait_for_next();
            tick();
        }
        io_.run();
        outcome_.duration_s = seconds(Clock::now() - begin_);
        report();
        return std::move(outcome_);
    }

private:
    // Requests leave one by one, so that the answers of the first are read while others leave.
    void wait_for_next() {
        const Clock::time_point time =
            begin_ + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(load_.times_s[static_cast<size_t>(next_)]));
        if (time <= Clock::now()) return asio::post(io_, [this] { arrive(); });
        arrival_timer_.expires_at(time);
        arrival_timer_.async_wait([this](const error_code& error) {
            if (!error) arrive();
        });
    }

    void arrive() {
        const int index = next_++;
        if (load_.on_arrival) load_.on_arrival(index);
        arrived_[static_cast<size_t>(index)] = Clock::now();
        if (load_.max_concurrency && running_ >= *load_.max_concurrency)
            waiting_.push_back(index);
        else
            launch(index);
        if (next_ < load_.num_requests) wait_for_next();
    }

    void launch(int index) {
        ++running_;
        std::string request = load_.request(index);
        RequestRecord& record = outcome_.records[static_cast<size_t>(index)];
        auto& stream = streams_[static_cast<size_t>(index)] = std::make_unique<Stream>();
        if (idle_.empty()) {
            stream->connection = std::make_shared<Connection>(io_, endpoints_);
        } else {
            stream->connection = std::move(idle_.back());
            idle_.pop_back();
        }
        stream->start = stream->last = Clock::now();
        record.outcome = Outcome::interrupted;  // until it ends
        record.start_s = seconds(stream->start - begin_);
        record.queue_s = seconds(stream->start - arrived_[static_cast<size_t>(index)]);
        stream->connection->send(
            std::move(request),
            {.on_body = [this, index](std::string_view body,
                                      const ResponseReader& reader) { return on_body(index, body, reader); },
             .on_end = [this, index](
                           const ResponseReader& reader, std::string cause,
                           std::string error) { on_end(index, reader, std::move(cause), std::move(error)); }});
    }

    Status on_body(int index, std::string_view body, const ResponseReader& reader) {
        Stream& stream = *streams_[static_cast<size_t>(index)];
        if (reader.status() != 200) {
            stream.error_body.append(body.substr(0, kMaxErrorBodyBytes - stream.error_body.size()));
            return {};
        }
        const Clock::time_point now = Clock::now();
        return stream.events.feed(body, [&](std::string_view data) { return on_message(index, data, now); });
    }

    Status on_message(int index, std::string_view data, Clock::time_point now) {
        Stream& stream = *streams_[static_cast<size_t>(index)];
        if (data == "[DONE]") {
            stream.done = true;
            return {};
        }
        GLM5_ASSIGN_OR_RETURN(const Message message, parse_message(data));
        ++messages_;
        RequestRecord& record = outcome_.records[static_cast<size_t>(index)];
        if (!message.error.empty()) stream.server_error = message.error;
        if (message.prompt_tokens) record.input_tokens = *message.prompt_tokens;
        if (message.completion_tokens) record.output_tokens = *message.completion_tokens;
        if (!message.has_choices) return {};
        if (record.latency_s == 0)
            record.ttft_s = seconds(now - stream.start);
        else
            record.itls_s.push_back(seconds(now - stream.last));
        stream.last = now;
        record.latency_s = seconds(now - stream.start);
        record.text += message.text;
        return {};
    }

    // Whether the request succeeded, and why not.
    static void judge(RequestRecord& record, const Stream& stream, const ResponseReader& reader, std::string cause,
                      std::string error) {
        record.http_status = reader.status();
        if (reader.head_complete() && reader.status() != 200) {
            const std::string text = error_text(stream.error_body);
            cause = fmt::format("HTTP {}", reader.status());
            error = fmt::format("{} {}{}{}", cause, reader.reason(), text.empty() ? "" : ": ", text);
        } else if (!stream.server_error.empty()) {
            cause = "error in the stream";
            error = stream.server_error;
        } else if (record.latency_s > 0) {
            if (stream.done)
                cause.clear();  // everything had come
            else if (!cause.empty())
                cause += " in mid-stream";
        } else if (cause.empty() || stream.done) {
            cause = error = "no message with choices came";
        }
        record.outcome = cause.empty() ? Outcome::succeeded : Outcome::failed;
        record.cause = std::move(cause);
        if (record.outcome == Outcome::failed) record.error = one_line(error);
    }

    void on_end(int index, const ResponseReader& reader, std::string cause, std::string error) {
        const std::unique_ptr<Stream> stream = std::move(streams_[static_cast<size_t>(index)]);
        idle_.push_back(std::move(stream->connection));
        RequestRecord& record = outcome_.records[static_cast<size_t>(index)];
        judge(record, *stream, reader, std::move(cause), std::move(error));
        ++finished_;
        failed_ += record.outcome == Outcome::failed;
        --running_;
        if (!waiting_.empty()) {
            const int next = waiting_.front();
            waiting_.pop_front();
            launch(next);  // at once, so that no later arrival takes the place
        }
        if (finished_ == load_.num_requests) io_.stop();
    }

    void tick() {
        if (hooks_.interrupted && hooks_.interrupted()) {
            outcome_.interrupted = true;
            return io_.stop();
        }
        report();
        tick_timer_.expires_after(kTick);
        tick_timer_.async_wait([this](const error_code& error) {
            if (!error) tick();
        });
    }

    void report() {
        if (!hooks_.on_progress) return;
        hooks_.on_progress(
            {finished_, failed_, running_, load_.num_requests, seconds(Clock::now() - begin_), messages_});
    }

    asio::io_context io_{1};  // first: the others hold sockets of it
    const Load& load_;
    const Hooks& hooks_;
    tcp::resolver::results_type endpoints_;
    LoadOutcome outcome_;
    std::vector<std::unique_ptr<Stream>> streams_;  // [num_requests] while under way
    std::vector<Clock::time_point> arrived_;        // [num_requests]
    std::deque<int> waiting_;                       // for a place
    int next_ = 0, running_ = 0, finished_ = 0, failed_ = 0;
    int64_t messages_ = 0;
    Clock::time_point begin_;
    asio::steady_timer arrival_timer_{io_}, tick_timer_{io_};
    std::vector<ConnectionPtr> idle_;  // without a request; the socket may be closed
};

}  // namespace

Result<LoadOutcome> run_load(const Load& load, const Hooks& hooks) {
    return LoadRun(load, hooks).run();
}

Result<Answer> exchange(const Url& url, const std::string& request, std::chrono::milliseconds limit) {
    asio::io_context io{1};
    GLM5_ASSIGN_OR_RETURN(const auto endpoints, resolve(io, url));
    Answer answer;
    Status status = io_error("no answer within {:.0f} s", std::chrono::duration<double>(limit).count());
    const auto connection = std::make_shared<Connection>(io, endpoints);
    connection->send(request, {.on_body =
                                   [&](std::string_view body, const ResponseReader&) {
                                       if (answer.body.size() + body.size() > kMaxAnswerBytes)
                                           return io_error("the answer is too long");
                                       answer.body += body;
                                       return Status();
                                   },
                               .on_end =
                                   [&](const ResponseReader& reader, const std::string& cause, std::string error) {
                                       answer.status = reader.status();
                                       status = cause.empty() ? Status() : io_error("{}", error);
                                       connection->close();
                                   }});
    io.run_for(limit);
    if (!status.ok()) return status.with_context(url.authority());
    return answer;
}

}  // namespace glm5::loadgen
