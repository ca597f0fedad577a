// The HTTP/1.1 request parser: Boost.Beast's, with a body that grows as it arrives. The only file that includes Beast.
#include "http/request_reader.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/optional.hpp>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace glm5::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;

constexpr size_t kLastChunkBytes = 5;

// A string that is not reserved for what Content-Length announces.
struct GrowingBody {
    using value_type = std::string;

    class reader {
    public:
        template <bool isRequest, class Fields>
        reader(beast_http::header<isRequest, Fields>&, value_type& body) : body_(body) {}

        void init(const boost::optional<uint64_t>&, error_code& error) { error = {}; }

        template <class Buffers>
        size_t put(const Buffers& buffers, error_code& error) {
            error = {};
            size_t total = 0;
            for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers);
                 ++it) {
                const boost::asio::const_buffer part = *it;
                body_.append(static_cast<const char*>(part.data()), part.size());
                total += part.size();
            }
            return total;
        }

        void finish(error_code& error) { error = {}; }

    private:
        value_type& body_;
    };
};

}  // namespace

struct RequestReader::Parser {
    beast_http::request_parser<GrowingBody> parser;
};

RequestReader::RequestReader(const ReaderLimits& limits) : limits_(limits), parser_(std::make_unique<Parser>()) {
    parser_->parser.header_limit(limits.max_header_bytes);
    parser_->parser.body_limit(limits.max_body_bytes);
}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

size_t RequestReader::feed(std::string_view bytes) {
    auto& parser = parser_->parser;
    size_t used = 0;
    // The parser stops after the header and after each part of a body; go on until it needs bytes.
    while (used < bytes.size() && !parser.is_done()) {
        // Every chunked body ends in at least five bytes, "0\r\n\r\n". Beast aborts by an assertion when it sees a last
        // chunk a second time with fewer.
        if (state_ == State::reading_body && parser.chunked() && bytes.size() - used < kLastChunkBytes) break;
        error_code error;
        const size_t count = parser.put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), error);
        used += count;
        if (error == beast_http::error::need_more) break;
        if (error == beast_http::error::header_limit) {
            fail(431, fmt::format("The request header is longer than {} bytes.", limits_.max_header_bytes));
        } else if (error == beast_http::error::body_limit) {
            fail(413, fmt::format("The request body is longer than {} bytes.", limits_.max_body_bytes));
        } else if (error) {
            fail(400, fmt::format("The request is not valid HTTP/1.1: {}.", error.message()));
        }
        if (state_ == State::reading_header && parser.is_header_done()) take_header();
        if (state_ == State::failed) return used;
        if (count == 0) break;
    }
    if (parser.is_done()) state_ = State::complete;
    return used;
}

// The fields are copied before the body is read: the trailer of a chunked body, which Beast adds to them, is dropped.
void RequestReader::take_header() {
    parser_->parser.eager(true);
    const auto& message = parser_->parser.get();
    const auto count = static_cast<size_t>(std::distance(message.begin(), message.end()));
    if (count > limits_.max_headers)
        return fail(431, fmt::format("The request has {} header fields; {} are allowed.", count, limits_.max_headers));
    if (message.version() != 10 && message.version() != 11)
        return fail(400, "The request is not valid HTTP/1.1: unknown version.");
    // Beast takes the body of any other coding for empty; what follows would then be read as a request.
    const auto codings = message.count(beast_http::field::transfer_encoding);
    if (codings > 1 ||
        (codings == 1 && !boost::beast::iequals(message[beast_http::field::transfer_encoding], "chunked")))
        return fail(400, "The request is not valid HTTP/1.1: its Transfer-Encoding must be chunked.");
    request_.method = std::string(message.method_string());
    request_.target = std::string(message.target());
    auto path = path_of(request_.target);
    if (!path) return fail(400, "The request target is not valid: a broken escape or a control character.");
    request_.path = std::move(*path);
    for (const auto& field : message)
        request_.headers.add(std::string(field.name_string()), std::string(field.value()));
    request_.keep_alive = message.keep_alive();
    request_.http_1_0 = message.version() == 10;
    expect_continue_ =
        message.version() == 11 && boost::beast::iequals(message[beast_http::field::expect], "100-continue");
    state_ = State::reading_body;
}

bool RequestReader::take_expect_continue() {
    return std::exchange(expect_continue_, false);
}

Request RequestReader::take_request() {
    GLM5_CHECK(state_ == State::complete);
    request_.body = std::move(parser_->parser.get().body());
    return std::move(request_);
}

void RequestReader::fail(int status, std::string message) {
    state_ = State::failed;
    error_status_ = status;
    error_message_ = std::move(message);
}

}  // namespace glm5::http
