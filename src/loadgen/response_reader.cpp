// The states of a response.
#include "loadgen/response_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace glm5::loadgen {
namespace {

constexpr size_t kMaxChunkLine = 4096;

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b,
                              [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

}  // namespace

bool ResponseReader::take_line(std::string_view& bytes) {
    const size_t newline = bytes.find('\n');
    line_.append(bytes.substr(0, newline));
    bytes.remove_prefix(newline == std::string_view::npos ? bytes.size() : newline + 1);
    if (newline == std::string_view::npos) return false;
    if (line_.ends_with('\r')) line_.pop_back();
    return true;
}

Status ResponseReader::step(std::string_view& bytes, std::string_view& body) {
    switch (state_) {
        case State::head: {
            const size_t before = line_.size();
            // The end of the head may lie across two reads.
            line_.append(bytes);
            const size_t from = before > 3 ? before - 3 : 0;
            const size_t end = line_.find("\r\n\r\n", from);
            if (std::min(end, line_.size()) > kMaxHeadBytes)
                return io_error("the head of the response is longer than {} bytes", kMaxHeadBytes);
            if (end == std::string::npos) {
                bytes = {};
                return {};
            }
            bytes.remove_prefix(end + 4 - before);
            line_.resize(end);
            return read_head();
        }
        case State::body_of_length:
        case State::chunk: {
            const auto count = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
            body = bytes.substr(0, count);
            bytes.remove_prefix(count);
            left_ -= count;
            if (left_ == 0) state_ = state_ == State::chunk ? State::chunk_end : State::complete;
            return {};
        }
        case State::body_to_end: body = std::exchange(bytes, {}); return {};
        case State::chunk_size:
        case State::chunk_end:
        case State::trailer: {
            const bool whole = take_line(bytes);
            if (line_.size() > kMaxChunkLine) return io_error("a line of the chunked body is too long");
            if (!whole) return {};
            if (state_ == State::chunk_size) return read_chunk_size();
            if (state_ == State::chunk_end && !line_.empty()) return io_error("a chunk of the body has no end");
            if (state_ == State::chunk_end)
                state_ = State::chunk_size;
            else if (line_.empty())
                state_ = State::complete;
            line_.clear();
            return {};
        }
        case State::complete: break;
    }
    return {};
}

Status ResponseReader::read_head() {
    const std::string head = std::exchange(line_, {});
    size_t at = head.find("\r\n");
    GLM5_RETURN_IF_ERROR(read_status_line(std::string_view(head).substr(0, at)));
    while (at != std::string::npos) {
        const size_t next = head.find("\r\n", at + 2);
        GLM5_RETURN_IF_ERROR(read_field(std::string_view(head).substr(at + 2, next - std::min(next, at + 2))));
        at = next;
    }
    begin_body();
    return {};
}

// HTTP/1.1 200 OK
Status ResponseReader::read_status_line(std::string_view line) {
    const bool version_1 = line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ");
    int status = 0;
    if (version_1 && line.size() >= 12) std::from_chars(line.data() + 9, line.data() + 12, status);
    if (status < 100 || status > 599 || (line.size() > 12 && line[12] != ' '))
        return io_error("the answer is not HTTP/1.1");
    status_ = status;
    reason_ = line.size() > 13 ? trimmed(line.substr(13)) : "";
    keep_alive_ = line[7] == '1';
    return {};
}

Status ResponseReader::read_field(std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return io_error("a header of the response has no colon");
    const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
    if (equal_ignoring_case(name, "content-length")) {
        uint64_t length = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
        if (error != std::errc() || end != value.data() + value.size() || value.empty())
            return io_error("the content-length of the response is not a number");
        content_length_ = length;
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
        if (!equal_ignoring_case(value, "chunked"))
            return io_error("the transfer-encoding of the response is not chunked");
        chunked_ = true;
    } else if (equal_ignoring_case(name, "connection")) {
        const std::string options = lower(value);
        if (options.find("close") != std::string::npos) keep_alive_ = false;
        if (options.find("keep-alive") != std::string::npos) keep_alive_ = true;
    }
    return {};
}

void ResponseReader::begin_body() {
    if (status_ < 200) {  // an interim response: the real one follows
        *this = ResponseReader();
    } else if (status_ == 204 || status_ == 304) {
        state_ = State::complete;
    } else if (chunked_) {
        state_ = State::chunk_size;
    } else if (content_length_) {
        left_ = *content_length_;
        state_ = left_ > 0 ? State::body_of_length : State::complete;
    } else {
        keep_alive_ = false;
        state_ = State::body_to_end;
    }
}

Status ResponseReader::read_chunk_size() {
    const std::string_view digits = trimmed(std::string_view(line_).substr(0, line_.find(';')));
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
    if (error != std::errc() || end != digits.data() + digits.size() || digits.empty())
        return io_error("the size of a chunk is not a number");
    state_ = left_ > 0 ? State::chunk : State::trailer;
    line_.clear();
    return {};
}

Status ResponseReader::end() {
    if (state_ == State::body_to_end) state_ = State::complete;
    if (complete()) return {};
    return io_error("the connection was closed {}", started() ? "in the middle of the answer" : "without an answer");
}

}  // namespace glm5::loadgen
