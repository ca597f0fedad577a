// loadgen: any bytes that a server may send, cut anywhere, are the same messages or the same error. The first byte says
// where they are cut.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "loadgen/event_stream.h"
#include "loadgen/message.h"
#include "loadgen/response_reader.h"

namespace {

using namespace glm5::loadgen;

struct Outcome {
    std::string error;
    int status = 0;
    bool complete = false;
    std::vector<std::string> messages;
    bool operator==(const Outcome&) const = default;
};

Outcome feed(std::string_view bytes, size_t step) {
    ResponseReader reader;
    EventStream events;
    Outcome outcome;
    while (!bytes.empty() && outcome.error.empty()) {
        glm5::Status of_events;
        const glm5::Status status = reader.feed(bytes.substr(0, step), [&](std::string_view body) {
            if (of_events.ok())
                of_events = events.feed(body, [&](std::string_view data) {
                    const auto message = parse_message(data);
                    outcome.messages.push_back(message.ok() ? message->text + message->error : "");
                    return message.ok() ? glm5::Status() : message.status();
                });
        });
        bytes.remove_prefix(std::min(step, bytes.size()));
        outcome.error = of_events.ok() ? status.message() : of_events.message();
    }
    if (outcome.error.empty()) outcome.error = reader.end().message();
    outcome.status = reader.status();
    outcome.complete = reader.complete();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Outcome whole = feed(bytes, bytes.size()), cut = feed(bytes, 1 + data[0] % 64);
    // What a wrong chunk says depends on how much of it has come; whether it is wrong does not.
    GLM5_CHECK(whole.error.empty() == cut.error.empty(), "{} / {}", whole.error, cut.error);
    if (whole.error.empty()) GLM5_CHECK(whole == cut);
    error_text(bytes);
    return 0;
}
