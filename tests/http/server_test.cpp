// A real server on a free port of 127.0.0.1, and clients that behave well, badly, or not at all.
#include "http/server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <thread>

#include "http/raw_client.h"

namespace glm5::http {
namespace {

using namespace std::chrono_literals;

Response error_body(int status, const std::string& message) {
    return {status, "text/plain", message, {}};
}

bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    return condition();
}

// Echoes POST /echo, streams three events on GET /events, and keeps the exchanges of /held for the test.
class ServerTest : public testing::Test {
protected:
    ~ServerTest() override {
        held_.clear();
        server_.reset();
    }

    void start(ServerOptions options = {}) {
        router_.add("POST", "/echo", [](const ExchangePtr& exchange) {
            exchange->respond({200, "text/plain", exchange->request().body, {}});
        });
        router_.add("GET", "/events", [](const ExchangePtr& exchange) {
            exchange->start_stream();
            for (const char* data : {"one", "two", "three"}) exchange->write_event(data);
            exchange->finish();
        });
        for (const char* method : {"GET", "POST"})
            router_.add(method, "/held/*", [this](const ExchangePtr& exchange) {
                const std::lock_guard lock(mutex_);
                held_.push_back(exchange);
            });
        options.error_body = error_body;
        options.access_log = false;
        options.handler = [this](const ExchangePtr& exchange) { router_.dispatch(exchange); };
        auto server = Server::start(std::move(options));
        ASSERT_TRUE(server.ok()) << server.status().message();
        server_ = std::move(server).value();
    }

    // The exchange of the i-th request below /held.
    ExchangePtr held(size_t index) {
        EXPECT_TRUE(eventually([&] {
            const std::lock_guard lock(mutex_);
            return held_.size() > index;
        }));
        const std::lock_guard lock(mutex_);
        return held_.at(index);
    }

    uint16_t port() const { return server_->port(); }

    Router router_{error_body};
    std::unique_ptr<Server> server_;
    std::mutex mutex_;
    std::vector<ExchangePtr> held_;
};

std::string post(std::string_view path, std::string_view body, std::string_view fields = "") {
    return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\n{}Content-Length: {}\r\n\r\n{}", path, fields, body.size(),
                       body);
}

TEST_F(ServerTest, KeepsTheConnectionAndAnswersPipelinedRequestsInOrder) {
    start();
    RawClient client(port());
    std::string requests;
    for (int i = 0; i < 200; ++i) requests += post("/echo", fmt::format("body {}", i));
    std::thread writer([&] { client.send(requests); });
    for (int i = 0; i < 200; ++i) {
        const Answer answer = client.answer();
        ASSERT_EQ(answer.status, 200);
        ASSERT_EQ(answer.body, fmt::format("body {}", i));
        EXPECT_EQ(answer.headers.at("connection"), "keep-alive");
    }
    writer.join();
}

TEST_F(ServerTest, ReadsABodyThatArrivesByteByByte) {
    start();
    RawClient client(port());
    for (const char c :
         std::string("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"))
        client.send({&c, 1});
    EXPECT_EQ(client.answer().body, "abcd");
}

TEST_F(ServerTest, LargeBodiesComeBackWhole) {
    start();
    RawClient client(port());
    std::string body(20 << 20, 'x');
    for (size_t i = 0; i < body.size(); i += 7) body[i] = static_cast<char>('a' + i % 26);
    std::thread writer([&] { client.send(post("/echo", body)); });
    EXPECT_TRUE(client.answer().body == body);
    writer.join();
}

TEST_F(ServerTest, AsksForTheBodyWhenTheClientWaits) {
    start();
    RawClient client(port());
    client.send("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    ASSERT_TRUE(client.read_until("HTTP/1.1 100 Continue\r\n\r\n"));
    client.received.clear();
    client.send("ok");
    EXPECT_EQ(client.answer().body, "ok");
}

TEST_F(ServerTest, UnknownPathsAndMethods) {
    start();
    RawClient client(port());
    client.send(
        "GET /nowhere HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\n\r\nPUT /held/x HTTP/1.1\r\n\r\nGET /held/ "
        "HTTP/1.1\r\n\r\n");
    EXPECT_EQ(client.answer().status, 404);
    const Answer not_allowed = client.answer();
    EXPECT_EQ(not_allowed.status, 405);
    EXPECT_EQ(not_allowed.headers.at("allow"), "POST");
    EXPECT_EQ(client.answer().headers.at("allow"), "GET, POST");
    EXPECT_EQ(client.answer().status, 404);
}

TEST_F(ServerTest, HeadHasNoBody) {
    start();
    RawClient client(port());
    client.send("HEAD /held/1 HTTP/1.1\r\n\r\n");
    held(0)->respond({200, "text/plain", "12345", {}});
    const Answer answer = client.answer(true);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.at("content-length"), "5");
    client.send(post("/echo", "next"));
    EXPECT_EQ(client.answer().body, "next");
}

TEST_F(ServerTest, RefusesAndClosesAfterAnInvalidRequest) {
    start();
    const std::pair<std::string, int> cases[] = {
        {"nonsense\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: " + std::string(80 << 10, 'x') + "\r\n\r\n", 431},
        {"POST /echo HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + std::string(1 << 20, 'x'), 413},
    };
    for (const auto& [bytes, status] : cases) {
        RawClient client(port());
        client.send(bytes);
        const Answer answer = client.answer();
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.headers.at("connection"), "close");
        client.half_close();
        EXPECT_TRUE(client.closed());
    }
    EXPECT_TRUE(eventually([&] { return server_->num_connections() == 0; }));
}

TEST_F(ServerTest, AHeaderThatDoesNotEndTimesOut) {
    ServerOptions options;
    options.header_timeout = 100ms;
    options.body_timeout = 150ms;
    options.idle_timeout = 50ms;
    start(std::move(options));
    RawClient slow(port()), idle(port()), body(port()), silent(port());
    slow.send("GET / HT");
    idle.send(post("/echo", "x"));
    body.send("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel");
    EXPECT_EQ(slow.answer().status, 408);
    EXPECT_EQ(idle.answer().status, 200);
    EXPECT_EQ(body.answer().status, 408);
    EXPECT_TRUE(idle.closed());
    EXPECT_TRUE(silent.closed());
    EXPECT_EQ(silent.received, "");
}

TEST_F(ServerTest, StreamsEventsInChunksAndKeepsTheConnection) {
    start();
    RawClient client(port());
    for (int i = 0; i < 2; ++i) {
        client.send("GET /events HTTP/1.1\r\n\r\n");
        const Answer answer = client.answer();
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream; charset=utf-8");
        EXPECT_EQ(answer.headers.at("cache-control"), "no-cache");
        EXPECT_EQ(answer.headers.at("transfer-encoding"), "chunked");
        EXPECT_EQ(answer.body, "data: one\n\ndata: two\n\ndata: three\n\n");
    }
}

TEST_F(ServerTest, AnOldClientGetsTheStreamWithoutChunks) {
    start();
    RawClient client(port());
    client.send("GET /events HTTP/1.0\r\n\r\n");
    const Answer answer = client.answer();
    EXPECT_TRUE(answer.closed);
    EXPECT_EQ(answer.body, "data: one\n\ndata: two\n\ndata: three\n\n");
}

TEST_F(ServerTest, EventsWrittenFromAnotherThreadArriveAtOnce) {
    start();
    RawClient client(port());
    client.send("GET /held/1 HTTP/1.1\r\n\r\n");
    const ExchangePtr exchange = held(0);
    exchange->add_header("X-Request-Id", "r1");
    exchange->start_stream();
    for (int i = 0; i < 50; ++i) {
        exchange->write_event(fmt::format("event {}", i));
        ASSERT_TRUE(client.read_until(fmt::format("data: event {}\n\n", i)));
    }
    exchange->finish();
    const Answer answer = client.answer();
    EXPECT_EQ(answer.headers.at("x-request-id"), "r1");
    EXPECT_EQ(std::count(answer.body.begin(), answer.body.end(), '\n'), 100);
}

TEST_F(ServerTest, ASilentStreamSendsComments) {
    ServerOptions options;
    options.ping_interval = 50ms;
    start(std::move(options));
    RawClient client(port());
    client.send("GET /held/1 HTTP/1.1\r\n\r\n");
    held(0)->start_stream();
    EXPECT_TRUE(client.read_until(": ping\n\n"));
    client.received.clear();
    EXPECT_TRUE(client.read_until(": ping\n\n"));
    held(0)->finish();
}

class GoneTest : public ServerTest, public testing::WithParamInterface<void (RawClient::*)()> {};

TEST_P(GoneTest, TheHandlerLearnsThatTheClientHasGone) {
    start();
    for (const bool streaming : {false, true}) {
        RawClient client(port());
        client.send(post("/held/1", "x"));
        const ExchangePtr exchange = held(streaming ? 1 : 0);
        std::promise<void> cancelled;
        exchange->on_cancel([&] { cancelled.set_value(); });
        if (streaming) {
            exchange->start_stream();
            exchange->write_event("first");
            ASSERT_TRUE(client.read_until("first"));
        }
        EXPECT_FALSE(exchange->cancelled());
        (client.*GetParam())();
        ASSERT_EQ(cancelled.get_future().wait_for(5s), std::future_status::ready);
        EXPECT_TRUE(exchange->cancelled());
        std::promise<void> again;  // registered too late, called all the same
        exchange->on_cancel([&] { again.set_value(); });
        EXPECT_EQ(again.get_future().wait_for(5s), std::future_status::ready);
        exchange->write_event("dropped");
        exchange->finish();
    }
    EXPECT_TRUE(eventually([&] { return server_->num_connections() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(Ways, GoneTest, testing::Values(&RawClient::close, &RawClient::half_close, &RawClient::reset));

TEST_F(ServerTest, APipelinedRequestIsNoDeparture) {
    start();
    RawClient client(port());
    client.send(post("/held/1", "x") + post("/echo", "second"));
    const ExchangePtr exchange = held(0);
    std::this_thread::sleep_for(50ms);
    EXPECT_FALSE(exchange->cancelled());
    exchange->respond({200, "text/plain", "first", {}});
    EXPECT_EQ(client.answer().body, "first");
    EXPECT_EQ(client.answer().body, "second");
}

TEST_F(ServerTest, AStreamWhoseReaderIsTooSlowIsCutOff) {
    start();
    RawClient client(port());
    client.send("GET /held/1 HTTP/1.1\r\n\r\n");
    const ExchangePtr exchange = held(0);
    exchange->start_stream();
    const std::string data(64 << 10, 'x');
    size_t written = 0;
    while (!exchange->cancelled() && written < size_t{200} << 20) {
        exchange->write_event(data);
        written += data.size();
        if (written > size_t{16} << 20) std::this_thread::sleep_for(1ms);
    }
    EXPECT_TRUE(exchange->cancelled());
    EXPECT_LT(written, size_t{100} << 20);
}

TEST_F(ServerTest, AReaderThatTakesNothingIsCutOff) {
    ServerOptions options;
    options.write_timeout = 100ms;
    start(std::move(options));
    RawClient client(port());
    client.send("GET /held/1 HTTP/1.1\r\n\r\n");
    held(0)->respond({200, "text/plain", std::string(32 << 20, 'x'), {}});
    EXPECT_TRUE(eventually([&] { return server_->num_connections() == 0; }));
}

TEST_F(ServerTest, TwoHundredStreamsAtOnceArriveWhole) {
    start();
    constexpr size_t kStreams = 200, kEvents = 100;
    std::vector<std::unique_ptr<RawClient>> clients;
    for (size_t i = 0; i < kStreams; ++i) {
        clients.push_back(std::make_unique<RawClient>(port()));
        clients.back()->send(fmt::format("GET /held/{} HTTP/1.1\r\n\r\n", i));
    }
    held(kStreams - 1);
    std::string expected;
    for (size_t k = 0; k < kEvents; ++k) expected += fmt::format("data: {}\n\n", k);
    std::thread writer([&] {
        for (const auto& exchange : held_) exchange->start_stream();
        for (size_t k = 0; k < kEvents; ++k)
            for (const auto& exchange : held_) exchange->write_event(std::to_string(k));
        for (const auto& exchange : held_) exchange->finish();
    });
    for (size_t i = 0; i < kStreams; ++i) {
        const Answer answer = clients[i]->answer();
        ASSERT_EQ(answer.status, 200);
        ASSERT_EQ(answer.body, expected) << i;
    }
    writer.join();
}

TEST_F(ServerTest, MoreConnectionsThanAllowedWaitForTheirTurn) {
    ServerOptions options;
    options.max_connections = 2;
    start(std::move(options));
    RawClient first(port()), second(port()), third(port());
    third.send(post("/echo", "third"));
    EXPECT_FALSE(third.receive(100ms));
    first.close();
    EXPECT_EQ(third.answer().body, "third");
}

TEST_F(ServerTest, DrainFinishesOpenRequestsAndClosesIdleConnections) {
    start();
    RawClient idle(port()), streaming(port()), reading(port());
    idle.send(post("/echo", "x"));
    EXPECT_EQ(idle.answer().status, 200);
    streaming.send("GET /held/1 HTTP/1.1\r\n\r\n");
    const ExchangePtr exchange = held(0);
    exchange->start_stream();
    reading.send("POST /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\nha");
    EXPECT_TRUE(eventually([&] { return server_->num_connections() == 3; }));
    std::this_thread::sleep_for(50ms);

    server_->drain(30s);
    EXPECT_TRUE(idle.closed());
    reading.send("lf");
    const Answer answer = reading.answer();
    EXPECT_EQ(answer.body, "half");
    EXPECT_EQ(answer.headers.at("connection"), "close");
    reading.close();
    exchange->write_event("last");
    exchange->finish();
    EXPECT_EQ(streaming.answer().body, "data: last\n\n");
    streaming.close();
    server_->wait();
    EXPECT_EQ(server_->num_connections(), 0u);
}

TEST_F(ServerTest, DrainCutsOffWhatDoesNotEndInTime) {
    start();
    RawClient client(port());
    client.send("GET /held/1 HTTP/1.1\r\n\r\n");
    const ExchangePtr exchange = held(0);
    server_->drain(50ms);
    server_->wait();
    EXPECT_TRUE(exchange->cancelled());
    EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, StopWithOpenStreamsCancelsThem) {
    start();
    std::vector<std::unique_ptr<RawClient>> clients;
    std::atomic<int> cancelled = 0;
    for (size_t i = 0; i < 20; ++i) {
        clients.push_back(std::make_unique<RawClient>(port()));
        clients.back()->send("GET /held/1 HTTP/1.1\r\n\r\n");
        held(i)->on_cancel([&] { ++cancelled; });
        held(i)->start_stream();
    }
    server_->stop();
    server_->wait();
    EXPECT_EQ(cancelled, 20);
}

TEST_F(ServerTest, APortThatIsTakenIsAClearError) {
    start();
    ServerOptions options;
    options.port = port();
    const auto second = Server::start(std::move(options));
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.status().message(), fmt::format("cannot listen on 127.0.0.1:{}: Address already in use", port()));
}

}  // namespace
}  // namespace glm5::http
