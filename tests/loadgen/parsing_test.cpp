// Responses, event streams, messages, URLs and requests: whole, cut anywhere, and wrong.
#include <gmock/gmock.h>

#include "loadgen/event_stream.h"
#include "loadgen/message.h"
#include "loadgen/request_text.h"
#include "loadgen/response_reader.h"
#include "support.h"

namespace glm5::loadgen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Reading {
    ResponseReader reader;
    std::string body, error;
};

// Feeds parts of `size` bytes.
Reading read(std::string_view bytes, size_t size, bool ends = false) {
    Reading reading;
    for (size_t at = 0; at < bytes.size() && reading.error.empty(); at += size) {
        const Status status =
            reading.reader.feed(bytes.substr(at, size), [&](std::string_view body) { reading.body += body; });
        reading.error = status.message();
    }
    if (ends && reading.error.empty()) reading.error = reading.reader.end().message();
    return reading;
}

TEST(ResponseReader, ReadsBodiesHoweverTheyAreCut) {
    const std::string chunked =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: Chunked\r\n\r\n"
        "5\r\nhello\r\n7;name=\"x\"\r\n, world\r\n0\r\nTrailer: x\r\n\r\n";
    const std::string sized = "HTTP/1.1 200 OK\r\nContent-Length:  12 \r\n\r\nhello, world";
    const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n" + sized;
    for (const std::string& response : {chunked, sized, interim}) {
        for (size_t size = 1; size <= response.size(); ++size) {
            const Reading reading = read(response, size);
            ASSERT_EQ(reading.error, "") << size;
            ASSERT_EQ(reading.body, "hello, world") << size;
            ASSERT_TRUE(reading.reader.complete() && reading.reader.keep_alive()) << size;
            ASSERT_EQ(reading.reader.status(), 200);
        }
        for (size_t size = 1; size + 1 < response.size(); ++size) {  // cut off
            const Reading reading = read(response.substr(0, size), size, true);
            if (!reading.reader.complete()) {
                ASSERT_THAT(reading.error, HasSubstr("the connection was closed")) << size;
            }
        }
    }
}

TEST(ResponseReader, EndsWithTheConnectionWithoutALength) {
    const Reading reading = read("HTTP/1.0 503 Service Unavailable\r\nServer: x\r\n\r\nbusy", 3, true);
    EXPECT_EQ(reading.error, "");
    EXPECT_EQ(reading.body, "busy");
    EXPECT_EQ(reading.reader.status(), 503);
    EXPECT_EQ(reading.reader.reason(), "Service Unavailable");
    EXPECT_FALSE(reading.reader.keep_alive());
}

TEST(ResponseReader, KnowsWhichConnectionsMayBeUsedAgain) {
    EXPECT_TRUE(read("HTTP/1.1 204\r\n\r\n", 99).reader.keep_alive());
    EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", 99).reader.keep_alive());
    EXPECT_FALSE(read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 99).reader.keep_alive());
    EXPECT_TRUE(read("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 99).reader.keep_alive());
    EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1", 99).reader.keep_alive());
}

TEST(ResponseReader, SaysWhatIsWrong) {
    const auto error = [](std::string_view response) { return read(response, response.size()).error; };
    EXPECT_EQ(error("SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n"), "the answer is not HTTP/1.1");
    EXPECT_EQ(error("HTTP/2 200\r\n\r\n"), "the answer is not HTTP/1.1");
    EXPECT_EQ(error("HTTP/1.1 99 x\r\n\r\n"), "the answer is not HTTP/1.1");
    EXPECT_EQ(error("HTTP/1.1 2000 x\r\n\r\n"), "the answer is not HTTP/1.1");
    EXPECT_EQ(error("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), "a header of the response has no colon");
    EXPECT_EQ(error("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
              "the content-length of the response is not a number");
    EXPECT_EQ(error("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
              "the transfer-encoding of the response is not chunked");
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_EQ(error(chunked + "x\r\n"), "the size of a chunk is not a number");
    EXPECT_EQ(error(chunked + "ffffffffffffffffff\r\n"), "the size of a chunk is not a number");
    EXPECT_EQ(error(chunked + "1\r\nab\r\n"), "a chunk of the body has no end");
    EXPECT_EQ(error(chunked + std::string(5000, '1')), "a line of the chunked body is too long");
    EXPECT_EQ(error("HTTP/1.1 200 OK\r\n" + std::string(70000, 'a')),
              "the head of the response is longer than 65536 bytes");
}

std::vector<std::string> events(std::string_view bytes, size_t size) {
    EventStream stream;
    std::vector<std::string> found;
    for (size_t at = 0; at < bytes.size(); at += size) {
        const Status status = stream.feed(bytes.substr(at, size), [&](std::string_view data) {
            found.emplace_back(data);
            return Status();
        });
        EXPECT_TRUE(status.ok()) << status.message();
    }
    return found;
}

TEST(EventStream, TakesEventsHoweverTheyAreCut) {
    constexpr std::string_view kBytes =
        ": ping\n\ndata: {\"a\": 1}\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\n\n\ndata:\n\ndata: [DONE]\n\ndata: "
        "rest";
    for (size_t size = 1; size <= kBytes.size(); ++size)
        ASSERT_THAT(events(kBytes, size), ElementsAre("{\"a\": 1}", "two\nlines", "", "[DONE]")) << size;
}

TEST(EventStream, IsBounded) {
    EventStream stream;
    const std::string part(1 << 20, 'a');
    Status status;
    for (int i = 0; i < 20 && status.ok(); ++i) status = stream.feed(part, [](std::string_view) { return Status(); });
    EXPECT_EQ(status.message(), "an event of the stream is longer than 16777216 bytes");
}

TEST(Message, OfCompletionsAndChat) {
    Message message = parse_message(R"({"id":"x","choices":[{"index":0,"text":"a\u00e9"}]})").value();
    EXPECT_TRUE(message.has_choices);
    EXPECT_EQ(message.text, "a\u00e9");
    EXPECT_FALSE(message.completion_tokens);
    message = parse_message(R"({"choices":[{"delta":{"role":"assistant","content":""}}],"usage":null})").value();
    EXPECT_TRUE(message.has_choices);
    EXPECT_EQ(message.text, "");
    message =
        parse_message(R"({"choices":[{"delta":{"reasoning":"r","reasoning_content":"r","content":"c"}}]})").value();
    EXPECT_EQ(message.text, "rc");
    message = parse_message(R"({"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34}})").value();
    EXPECT_FALSE(message.has_choices);
    EXPECT_EQ(message.prompt_tokens, 12);
    EXPECT_EQ(message.completion_tokens, 34);
    EXPECT_EQ(parse_message(R"({"error":{"message":"no\nluck","code":500}})").value().error, "no luck");
    EXPECT_EQ(parse_message(R"({"error":7})").value().error, "the server reports an error");
    EXPECT_EQ(parse_message("[1]").status().message(), "a message of the stream is no JSON object: [1]");
    EXPECT_EQ(parse_message("<html>").status().message(), "a message of the stream is no JSON object: <html>");
    // Members of the wrong type are as good as absent.
    message = parse_message(R"({"choices":[7],"usage":[1]})").value();
    EXPECT_TRUE(message.has_choices);
    EXPECT_FALSE(message.prompt_tokens);
}

TEST(Message, ErrorBodies) {
    EXPECT_EQ(error_text(R"({"error":{"message":"too many"}})"), "too many");
    EXPECT_EQ(error_text(R"({"error":"Unauthorized"})"), "Unauthorized");
    EXPECT_EQ(error_text(R"({"detail":"Not Found"})"), "Not Found");
    EXPECT_EQ(error_text("<html>\n<body>"), "<html>");
    EXPECT_EQ(error_text(""), "");
    EXPECT_EQ(error_text(std::string(1000, 'a')).size(), 300u);
}

TEST(Url, Parts) {
    const auto url = [](std::string_view text) {
        const auto parsed = parse_url(text);
        return parsed.ok() ? fmt::format("{}|{}|{}|{}", parsed->host, parsed->port, parsed->path, parsed->authority())
                           : parsed.status().message();
    };
    EXPECT_EQ(url("http://127.0.0.1:8000"), "127.0.0.1|8000||127.0.0.1:8000");
    EXPECT_EQ(url("http://host/a/b/"), "host|80|/a/b|host:80");
    EXPECT_EQ(url("http://[::1]:9"), "::1|9||[::1]:9");
    EXPECT_THAT(url("https://host"), HasSubstr("--base-url https://host: this client speaks plain HTTP"));
    EXPECT_EQ(url("host:80"), "--base-url host:80: must be http://HOST[:PORT][/PATH]");
    EXPECT_EQ(url("http://:80"), "--base-url http://:80: the host is missing");
    EXPECT_EQ(url("http://h:0"), "--base-url http://h:0: the port must be 1 to 65535");
    EXPECT_EQ(url("http://h:8x"), "--base-url http://h:8x: the port must be 1 to 65535");
    EXPECT_THAT(url("http://h/a b"), HasSubstr("must not have spaces"));
    EXPECT_THAT(url("http://h/a\r\nX: y"), HasSubstr("must not have spaces"));
    EXPECT_THAT(url("http://user@h"), HasSubstr("must not have a user"));
    EXPECT_THAT(url("http://[::1"), HasSubstr("not closed"));
}

// As the other tool sends them, members in its order.
TEST(RequestText, Bodies) {
    BenchmarkOptions options;
    options.model = "m";
    const Sample sample{"say \"\u00e9\"", 3, 16};
    EXPECT_EQ(request_body(options, sample),
              R"({"model": "m", "prompt": "say \")"
              "\u00e9"
              R"(\"", "repetition_penalty": 1.0, "max_tokens": 16, )"
              R"("logprobs": null, "stream": true, "stream_options": {"include_usage": true}, "ignore_eos": true})");
    options.dataset.kind = DatasetKind::custom;
    options.logprobs = 2;
    options.sampling.set("repetition_penalty", 1.5);
    options.extra_body.set("top_k", 7);
    EXPECT_THAT(request_body(options, sample),
                HasSubstr(R"("repetition_penalty": 1.5, "max_tokens": 16, "logprobs": 2, "stream": true, )"
                          R"("stream_options": {"include_usage": true}, "top_k": 7})"));
    options.api = Api::chat;
    options.sampling = options.extra_body = {};
    EXPECT_EQ(request_body(options, {"hi", 1, 4}),
              R"({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], )"
              R"("max_completion_tokens": 4, "stream": true, "stream_options": {"include_usage": true}})");
}

TEST(RequestText, Heads) {
    BenchmarkOptions options;
    options.api_key = "k";
    options.headers = {{"X-Tenant", "a b"}};
    const Url url = parse_url("http://h:81/base").value();
    const std::string text = http_request(options, url, "POST", endpoint_path(options), "bench-1", "{}");
    EXPECT_TRUE(text.starts_with("POST /base/v1/completions HTTP/1.1\r\nHost: h:81\r\n")) << text;
    for (const char* field : {"Authorization: Bearer k\r\n", "X-Tenant: a b\r\n", "x-request-id: bench-1\r\n",
                              "Content-Length: 2\r\n", "Content-Type: application/json\r\n"})
        EXPECT_THAT(text, HasSubstr(field));
    EXPECT_TRUE(text.ends_with("\r\n\r\n{}"));
    EXPECT_TRUE(check_headers(options).ok());
    options.headers = {{"X-Bad", "a\r\nHost: other"}};
    EXPECT_EQ(check_headers(options).message(), "--header X-Bad: must be NAME=VALUE, as HTTP allows them");
    options.headers.clear();
    options.endpoint = "/v1/x HTTP/1.1\r\n";
    EXPECT_THAT(check_headers(options).message(), HasSubstr("must be a path"));
}

}  // namespace
}  // namespace glm5::loadgen
