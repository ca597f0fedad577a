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
    parser_->parser.eager(true);
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
        if (error) return used;
        if (count == 0) break;
    }
    if (state_ == State::reading_header && parser.is_header_done()) check_header();
    if (state_ != State::failed && parser.is_done()) state_ = State::complete;
    return used;
}

void RequestReader::check_header() {
    const auto& message = parser_->parser.get();
    const auto count = static_cast<size_t>(std::distance(message.begin(), message.end()));
    if (count > limits_.max_headers) {
        fail(431, fmt::format("The request has {} header fields; {} are allowed.", count, limits_.max_headers));
        return;
    }
    if (message.version() != 10 && message.version() != 11) {
        fail(400, "The request is not valid HTTP/1.1: unknown version.");
        return;
    }
    if (!path_of(std::string_view(message.target().data(), message.target().size()))) {
        fail(400, "The request target is not valid: a broken escape or a control character.");
        return;
    }
    state_ = State::reading_body;
    expect_continue_ =
        message.version() == 11 && boost::beast::iequals(message[beast_http::field::expect], "100-continue");
}

bool RequestReader::take_expect_continue() {
    return std::exchange(expect_continue_, false);
}

Request RequestReader::take_request() {
    GLM5_CHECK(state_ == State::complete);
    auto message = parser_->parser.release();
    Request request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    request.path = path_of(request.target).value_or("");
    for (const auto& field : message) request.headers.add(std::string(field.name_string()), std::string(field.value()));
    request.keep_alive = message.keep_alive();
    request.http_1_0 = message.version() == 10;
    request.body = std::move(message.body());
    return request;
}

void RequestReader::fail(int status, std::string message) {
    state_ = State::failed;
    error_status_ = status;
    error_message_ = std::move(message);
}

}  // namespace glm5::http
