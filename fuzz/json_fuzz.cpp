// json: parse → write → parse gives an equal value, and the same text again.
#include <cstdlib>

#include "json/parse.h"
#include "json/write.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace glm5;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const bool reject_duplicate_keys : {true, false}) {
        const auto value = json::parse(text, {.reject_duplicate_keys = reject_duplicate_keys});
        if (!value.ok()) {
            GLM5_CHECK(value.status().message().starts_with("line "));
            continue;
        }
        for (const json::WriteOptions& options :
             {json::WriteOptions{}, json::WriteOptions{.ascii = true}, json::WriteOptions{.compact = true},
              json::WriteOptions{.indent = 1}}) {
            const std::string written = json::write(*value, options);
            const auto again = json::parse(written, {.reject_duplicate_keys = true});
            GLM5_CHECK(again.ok(), "{}", written);
            GLM5_CHECK(*again == *value, "{}", written);
            GLM5_CHECK(json::write(*again, options) == written, "{}", written);
        }
        value->to_int64();
        value->to_double();
    }
    // Any bytes are a string once written.
    std::string quoted;
    json::write_string(quoted, text);
    GLM5_CHECK(json::parse(quoted).ok(), "{}", quoted);
    return 0;
}
