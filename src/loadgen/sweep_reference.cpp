#include "loadgen/sweep_reference.h"

#include <algorithm>
#include <cctype>

namespace glm5::loadgen {
namespace {

constexpr ReferenceLevel kB200Levels[] = {
    {1, {54, 183, 18.31, 18.45}},        {8, {317, 1249, 22.85, 22.20}},       {16, {606, 788, 24.89, 24.94}},
    {32, {884, 1341, 33.56, 31.86}},     {64, {1456, 2031, 39.94, 474.93}},    {128, {2132, 3558, 52.93, 569.76}},
    {256, {2071, 6207, 111.12, 580.49}}, {512, {1955, 57202, 139.19, 584.22}}, {1024, {1944, 175241, 143.10, 584.03}},
};

constexpr ReferenceTable kTables[] = {
    {.name = "glm5-8xb200-vllm-0.16",
     .description =
         "GLM-5 on 8 B200 with vLLM 0.16, random prompts, as published by a hosting company; it does not say "
         "whether TTFT and TPOT are means or medians",
     .model = "GLM-5",
     .input_len = 2048,
     .output_len = 512,
     .levels = kB200Levels},
};

// "zai-org/GLM-5-FP8" is GLM-5 in some format, "GLM-5.2" and "glm5-nano" are not.
bool is_model(std::string_view served, std::string_view model) {
    while (served.ends_with('/')) served.remove_suffix(1);
    served = served.substr(served.find_last_of('/') + 1);
    const auto same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    if (served.size() < model.size() || !std::equal(model.begin(), model.end(), served.begin(), same)) return false;
    if (served.size() == model.size()) return true;
    return served[model.size()] == '-' && served.find("nano", model.size()) == std::string_view::npos;
}

Status expect_number(const Sweep& sweep, std::string_view key, double expected) {
    const json::Value* value = sweep.settings.find(key);
    const auto number = value ? value->to_double() : std::nullopt;
    if (number && *number == expected) return {};
    return invalid_argument("{} is {}, this sweep has {}", key, expected, number ? fmt::format("{}", *number) : "none");
}

}  // namespace

const ReferenceLevel* ReferenceTable::find(int concurrency) const {
    for (const ReferenceLevel& level : levels)
        if (level.concurrency == concurrency) return &level;
    return nullptr;
}

std::span<const ReferenceTable> reference_tables() {
    return kTables;
}

Status check_comparable(const ReferenceTable& table, const Sweep& sweep) {
    const auto check = [&]() -> Status {
        if (!is_model(sweep.setting("model"), table.model))
            return invalid_argument("it is of {}, this sweep of '{}'", table.model, sweep.setting("model"));
        if (sweep.setting("dataset") != "random")
            return invalid_argument("it is of random prompts, this sweep of '{}'", sweep.setting("dataset"));
        GLM5_RETURN_IF_ERROR(expect_number(sweep, "input_len", table.input_len));
        GLM5_RETURN_IF_ERROR(expect_number(sweep, "output_len", table.output_len));
        for (const std::string_view key : {"prefix_len", "input_range_ratio", "output_range_ratio"})
            GLM5_RETURN_IF_ERROR(expect_number(sweep, key, 0));
        return {};
    };
    return check().with_context(fmt::format("reference {}", table.name));
}

Result<const ReferenceTable*> find_reference(std::string_view name, const Sweep& sweep) {
    if (name == "none") return nullptr;
    std::string known;
    for (const ReferenceTable& table : kTables) {
        const Status comparable = check_comparable(table, sweep);
        if (name == "auto" && comparable.ok()) return &table;
        if (name == table.name) {
            if (!comparable.ok()) return comparable;
            return &table;
        }
        known += fmt::format(", {}", table.name);
    }
    if (name == "auto") return nullptr;
    return invalid_argument("reference: expected auto, none{}, found '{}'", known, name);
}

}  // namespace glm5::loadgen
