// http: any bytes, cut anywhere, give the same request or the same refusal; memory is bounded by what arrived.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "http/request_reader.h"

namespace {

using glm5::http::RequestReader;

struct Outcome {
    RequestReader::State state;
    int status;
    std::string text;
    bool operator==(const Outcome&) const = default;
};

constexpr glm5::http::ReaderLimits kLimits{.max_body_bytes = 4096, .max_header_bytes = 2048, .max_headers = 16};

Outcome feed(std::string_view bytes, size_t step) {
    RequestReader reader(kLimits);
    std::string waiting;
    while (!bytes.empty() && reader.state() != RequestReader::State::complete &&
           reader.state() != RequestReader::State::failed) {
        waiting += bytes.substr(0, step);
        bytes.remove_prefix(std::min(step, bytes.size()));
        const size_t used = reader.feed(waiting);
        GLM5_CHECK(used <= waiting.size());
        waiting.erase(0, used);
    }
    Outcome outcome{reader.state(), reader.error_status(), ""};
    if (outcome.state == RequestReader::State::complete) {
        const glm5::http::Request request = reader.take_request();
        GLM5_CHECK(request.body.size() <= kLimits.max_body_bytes);
        outcome.text = request.method + "\n" + request.target + "\n" + request.path + "\n" + request.body;
        for (const auto& [name, value] : request.headers) {
            GLM5_CHECK(name.find_first_of("\r\n") == std::string::npos &&
                       value.find_first_of("\r\n") == std::string::npos);
            outcome.text += "\n" + name + ":" + value;
        }
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Outcome whole = feed(bytes, std::max<size_t>(bytes.size(), 1));
    const Outcome parts = feed(bytes, data[0] % 17 + 1);
    // Limits may strike earlier in parts; what is accepted is the same.
    if (whole.state == RequestReader::State::complete || parts.state == RequestReader::State::complete)
        GLM5_CHECK(whole == parts, "{} / {}", whole.text, parts.text);
    return 0;
}
