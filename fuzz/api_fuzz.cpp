// api: any JSON is a request or an error that names its field and can be written.
#include <cstdint>
#include <cstdlib>

#include "api/chat_request.h"
#include "api/completion_request.h"
#include "api/stop_matcher.h"
#include "base/check.h"
#include "json/parse.h"
#include "json/write.h"

namespace {

using namespace glm5;

void check_error(const api::ApiError* error) {
    if (!error) return;
    GLM5_CHECK(error->status == 400 && !error->message.empty());
    GLM5_CHECK(json::parse(api::error_response(*error).body).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto body = json::parse(text);
    if (!body.ok()) return 0;
    const auto chat = api::parse_chat_request(*body);
    check_error(std::get_if<api::ApiError>(&chat));
    const auto completion = api::parse_completion_request(*body);
    check_error(std::get_if<api::ApiError>(&completion));
    if (const auto* request = std::get_if<api::ChatRequest>(&chat)) {
        // The body as text: in one piece and byte by byte it stops at the same place.
        api::StopMatcher whole(request->fields.stop, false), bytes(request->fields.stop, false);
        const std::string expected = whole.push(text) + whole.finish();
        std::string found;
        for (const char& c : text) found += bytes.push({&c, 1});
        found += bytes.finish();
        GLM5_CHECK(found == expected);
    }
    return 0;
}
