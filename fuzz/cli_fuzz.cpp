// cli: any bytes as a file of options, and as the arguments of a command, one a line.
#include <sstream>

#include "cli/commands.h"
#include "cli/config_file.h"

namespace {

using namespace glm5;

// Errors are one line, except the one that shows the whole help.
void check_message(const Status& status) {
    GLM5_CHECK(!status.message().empty());
}

void parse_arguments(const std::string& text) {
    std::vector<std::string> arguments;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        if (line.starts_with("--config") || line.starts_with("--api-key-file") || line.starts_with("--api_key_file"))
            return;  // these read files
        arguments.push_back(line);
    }
    if (arguments.size() > 200) return;
    const auto line = cli::parse(arguments, {});
    if (!line.ok()) return check_message(line.status());
    if (!line->text.empty()) return;
    switch (line->command) {
        case cli::kServe: (void)cli::serve_options(*line); break;
        case cli::kChat: (void)cli::chat_options(*line); break;
        case cli::kGenerate: (void)cli::generate_options(*line); break;
        case cli::kInspect: (void)cli::inspect_options(*line); break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto entries = cli::parse_config_file(text, "file");
    if (!entries.ok()) {
        check_message(entries.status());
        GLM5_CHECK(entries.status().message().starts_with("file:"), "{}", entries.status().message());
    } else {
        for (const cli::ConfigEntry& entry : *entries)
            GLM5_CHECK(entry.line > 0 && (entry.is_list || entry.values.size() == 1));
    }
    parse_arguments(text);
    return 0;
}
