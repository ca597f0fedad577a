// RequestReader: the same request whatever the split of its bytes; limits; what is refused and how.
#include "http/request_reader.h"

#include <gtest/gtest.h>

namespace glm5::http {
namespace {

using State = RequestReader::State;

// Feeds `bytes` in pieces of `step`; returns what the reader left.
std::string feed(RequestReader& reader, std::string_view bytes, size_t step) {
    std::string waiting;
    for (size_t at = 0; at < bytes.size(); at += step) {
        waiting += bytes.substr(at, step);
        if (reader.state() == State::complete || reader.state() == State::failed) continue;
        waiting.erase(0, reader.feed(waiting));
    }
    return waiting;
}

constexpr std::string_view kPlain =
    "POST /v1/models/a%2Fb?x=%00 HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view kChunked =
    "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: "
    "t\r\n\r\n";

TEST(RequestReader, EverySplitGivesTheSameRequest) {
    for (const std::string_view bytes : {kPlain, kChunked}) {
        for (size_t step = 1; step <= bytes.size(); ++step) {
            RequestReader reader{ReaderLimits{}};
            const std::string rest = feed(reader, std::string(bytes) + "GET ", step);
            ASSERT_EQ(reader.state(), State::complete) << step << reader.error_message();
            EXPECT_EQ(rest, "GET ") << step;
            const Request request = reader.take_request();
            EXPECT_EQ(request.body, "hello");
            EXPECT_EQ(request.method, "POST");
            EXPECT_TRUE(request.keep_alive);
            if (bytes == kPlain) {
                EXPECT_EQ(request.path, "/v1/models/a/b");
                EXPECT_EQ(request.headers.find("X-TWO"), "1");
            }
        }
    }
}

TEST(RequestReader, EverySplitOfAnEmptyChunkedBody) {
    for (const std::string_view body :
         {"0\r\n\r\n", "0;a=b\r\n\r\n", "0\r\nT: t\r\n\r\n", "000\r\nA: 1\r\nB: 2\r\n\r\n"}) {
        const std::string bytes = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
        for (size_t step = 1; step <= bytes.size(); ++step) {
            RequestReader reader{ReaderLimits{}};
            EXPECT_EQ(feed(reader, bytes, step), "");
            ASSERT_EQ(reader.state(), State::complete) << body << step;
            const Request request = reader.take_request();
            EXPECT_EQ(request.body, "");
            EXPECT_EQ(request.headers.size(), 1u);  // a trailer adds nothing
        }
    }
}

struct Refusal {
    const char* what;
    std::string bytes;
    int status;
};

TEST(RequestReader, RefusesWhatIsMalformedOrTooLarge) {
    std::string many = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 257; ++i) many += "A: b\r\n";
    const std::vector<Refusal> refusals = {
        {"not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400},
        {"no version", "GET /\r\n\r\n", 400},
        {"version 2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
        {"bare line feeds", "GET / HTTP/1.1\nHost: h\n\n\r\n\r\n", 400},
        {"control character in a value", std::string("GET / HTTP/1.1\r\nA: b\x01") + "c\r\n\r\n", 400},
        {"control character in the target", "GET /a%0d%0aX:y HTTP/1.1\r\n\r\n", 400},
        {"broken escape", "GET /%4 HTTP/1.1\r\n\r\n", 400},
        {"two lengths", "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
        {"length and chunked", "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"negative length", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\nhello", 400},
        {"huge length", "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        {"bad chunk", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400},
        {"unknown coding", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
        {"second coding", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
        {"coding twice", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
         400},
        {"257 fields", many + "\r\n", 431},
        {"long header", "GET / HTTP/1.1\r\nA: " + std::string(70 << 10, 'x') + "\r\n\r\n", 431},
        {"long header without an end", "GET / HTTP/1.1\r\nA: " + std::string(70 << 10, 'x'), 431},
        {"announced body", "POST / HTTP/1.1\r\nContent-Length: 67108865\r\n\r\n", 413},
        {"chunked body", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4000001\r\n", 413},
    };
    for (const Refusal& refusal : refusals) {
        for (const size_t step : {size_t{1}, size_t{1000}, refusal.bytes.size()}) {
            if (step == 1 && refusal.bytes.size() > 10'000) continue;
            RequestReader reader{ReaderLimits{}};
            feed(reader, refusal.bytes, step);
            EXPECT_EQ(reader.state(), State::failed) << refusal.what << " step " << step;
            EXPECT_EQ(reader.error_status(), refusal.status) << refusal.what << ": " << reader.error_message();
            EXPECT_FALSE(reader.error_message().empty());
        }
    }
}

TEST(RequestReader, KeepAliveFollowsTheVersionAndTheConnectionField) {
    const std::pair<const char*, bool> cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
    };
    for (const auto& [bytes, keep_alive] : cases) {
        RequestReader reader{ReaderLimits{}};
        reader.feed(bytes);
        ASSERT_EQ(reader.state(), State::complete) << bytes;
        EXPECT_EQ(reader.take_request().keep_alive, keep_alive) << bytes;
    }
}

TEST(RequestReader, SaysOnceThatTheClientWaitsForContinue) {
    RequestReader reader{ReaderLimits{}};
    reader.feed("POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(reader.state(), State::reading_body);
    EXPECT_TRUE(reader.take_expect_continue());
    EXPECT_FALSE(reader.take_expect_continue());
    reader.feed("ok");
    EXPECT_EQ(reader.state(), State::complete);
}

TEST(Message, AHeaderValueCannotEndItsLine) {
    Response response;
    response.headers.add("X-Request-Id", "a\r\nSet-Cookie: b");
    response.content_type = "text/plain\r\n\r\n<script>";
    const std::string head = response_head(response, 3, false, true);
    EXPECT_EQ(head.find("\r\n\r\n"), head.size() - 4);
    EXPECT_EQ(head.find("\r\nSet-Cookie"), std::string::npos);
    EXPECT_NE(head.find("X-Request-Id: a  Set-Cookie: b\r\n"), std::string::npos);
}

TEST(Message, PathIsDecodedWithoutTheQuery) {
    EXPECT_EQ(path_of("/v1/models/zai-org%2FGLM-5?a=/b#c"), "/v1/models/zai-org/GLM-5");
    EXPECT_EQ(path_of("http://host:1/x/y?z"), "/x/y");
    EXPECT_EQ(path_of("http://host"), "/");
    EXPECT_EQ(path_of("/a%2"), std::nullopt);
    EXPECT_EQ(path_of("/a%zz"), std::nullopt);
    EXPECT_EQ(path_of("/a%00"), std::nullopt);
}

}  // namespace
}  // namespace glm5::http
