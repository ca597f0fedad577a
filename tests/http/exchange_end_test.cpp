// What ServerOptions::on_exchange_end hears of: each request once, with its status, and why it ended early.
#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

#include "http/raw_client.h"
#include "http/server.h"

namespace glm5::http {
namespace {

using namespace std::chrono_literals;

struct Heard {
    std::string path;
    int status = 0;
    std::chrono::nanoseconds duration{};
    bool slow_reader = false;
};

class ExchangeEndTest : public testing::Test {
protected:
    ExchangeEndTest() {
        ServerOptions options;
        options.access_log = false;
        options.write_timeout = 200ms;
        options.error_body = [](int status, const std::string& message) {
            return Response{status, "text/plain", message, {}};
        };
        options.handler = [this](const ExchangePtr& exchange) {
            const std::string& path = exchange->request().path;
            if (path == "/held") return held_.push_back(exchange);
            exchange->respond(
                {path == "/bad" ? 400 : 200, "text/plain", std::string(path == "/big" ? 32 << 20 : 4, 'x'), {}});
        };
        options.on_exchange_end = [this](const ExchangeEnd& end) {
            const std::lock_guard lock(mutex_);
            heard_.push_back({end.request.path, end.status, end.duration, end.slow_reader});
        };
        server_ = Server::start(std::move(options)).value();
    }
    ~ExchangeEndTest() override {
        held_.clear();
        server_.reset();
    }

    // The first `count` ends, once there are so many.
    std::vector<Heard> heard(size_t count) {
        for (int i = 0; i < 1000; ++i) {
            {
                const std::lock_guard lock(mutex_);
                if (heard_.size() >= count) break;
            }
            std::this_thread::sleep_for(10ms);
        }
        const std::lock_guard lock(mutex_);
        EXPECT_EQ(heard_.size(), count);
        return heard_;
    }

    std::mutex mutex_;
    std::vector<Heard> heard_;
    std::vector<ExchangePtr> held_;
    std::unique_ptr<Server> server_;
};

TEST_F(ExchangeEndTest, EachRequestOnceWithItsStatus) {
    RawClient client(server_->port());
    for (const char* path : {"/good", "/bad", "/good"}) {
        client.send(fmt::format("GET {} HTTP/1.1\r\n\r\n", path));
        client.answer();
    }
    client.close();
    RawClient(server_->port()).send("no request\r\n\r\n");
    std::this_thread::sleep_for(50ms);
    const std::vector<Heard> ends = heard(3);
    EXPECT_EQ(ends[0].path, "/good");
    EXPECT_EQ(ends[0].status, 200);
    EXPECT_EQ(ends[1].path, "/bad");
    EXPECT_EQ(ends[1].status, 400);
    for (const Heard& end : ends) {
        EXPECT_FALSE(end.slow_reader);
        EXPECT_GT(end.duration, 0ns);
        EXPECT_LT(end.duration, 5s);
    }
}

TEST_F(ExchangeEndTest, AClientThatLeavesIs499) {
    RawClient client(server_->port());
    client.send("GET /held HTTP/1.1\r\n\r\n");
    std::this_thread::sleep_for(50ms);
    client.close();
    const std::vector<Heard> ends = heard(1);
    EXPECT_EQ(ends[0].status, 499);
    EXPECT_FALSE(ends[0].slow_reader);
    EXPECT_GE(ends[0].duration, 20ms);
}

TEST_F(ExchangeEndTest, AReaderThatTakesNothingIsSlow) {
    RawClient client(server_->port());
    client.send("GET /big HTTP/1.1\r\n\r\n");
    const std::vector<Heard> ends = heard(1);
    EXPECT_EQ(ends[0].status, 499);
    EXPECT_TRUE(ends[0].slow_reader);
}

TEST(Router, RouteOfIsTheFirstThatMatches) {
    Router router([](int status, const std::string& message) { return Response{status, "text/plain", message, {}}; });
    router.add("GET", "/models", nullptr);
    router.add("GET", "/models/*", nullptr);
    router.add("POST", "/models", nullptr);
    EXPECT_EQ(router.route_of("/models"), "/models");
    EXPECT_EQ(router.route_of("/models/a/b"), "/models/*");
    EXPECT_EQ(router.route_of("/models/"), "");
    EXPECT_EQ(router.route_of("/other"), "");
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"GET", "/models"}, {"GET", "/models/*"}, {"POST", "/models"}};
    EXPECT_EQ(router.routes(), expected);
}

}  // namespace
}  // namespace glm5::http
