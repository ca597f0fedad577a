// Words for messages about checkpoints.
#include "load/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <system_error>

#include "json/write.h"

namespace glm5::load {
namespace {

constexpr size_t kMaxNameBytes = 200;
constexpr size_t kMaxNames = 5;

}  // namespace

std::string in_quotes(std::string_view name) {
    std::string text;
    json::write_string(text, name.substr(0, kMaxNameBytes));
    if (name.size() > kMaxNameBytes) text.insert(text.size() - 1, "…");
    return text;
}

std::string first_names(std::span<const std::string> names) {
    std::string text;
    for (const std::string& name : names.first(std::min(names.size(), kMaxNames)))
        text += (text.empty() ? "" : ", ") + in_quotes(name);
    if (names.size() > kMaxNames) text += fmt::format(" and {} more", names.size() - kMaxNames);
    return text;
}

std::string shape_text(std::span<const int64_t> shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string error_text(int error_number) {
    return std::generic_category().message(error_number);
}

}  // namespace glm5::load
