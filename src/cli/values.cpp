// Checks and conversions of option values.
#include "cli/values.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "json/parse.h"

namespace glm5::cli {
namespace {

std::optional<int64_t> parse_integer(std::string_view text) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

std::optional<double> parse_real(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

std::string range_text(const Option& option) {
    constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
    if (option.minimum != least && option.maximum != most) {
        if (option.minimum == option.maximum)
            return fmt::format("only {} is possible: {}", option.minimum, option.help);
        if (option.above_minimum) return fmt::format("must be above {}, at most {}", option.minimum, option.maximum);
        return fmt::format("must be {} to {}", option.minimum, option.maximum);
    }
    return option.minimum != least ? fmt::format("must be at least {}", option.minimum)
                                   : fmt::format("must be at most {}", option.maximum);
}

}  // namespace

std::optional<int64_t> parse_count(std::string_view text) {
    if (text == "auto" || text == "-1") return 0;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc() || end == text.data() || !(value >= 0)) return std::nullopt;
    const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
    if (!unit.empty() && unit != "B") {
        constexpr std::string_view kDecimal = "kmgt", kBinary = "KMGT";
        const size_t decimal = kDecimal.find(unit[0]), binary = kBinary.find(unit[0]);
        const std::string_view rest = unit.substr(1);
        if (decimal == std::string_view::npos && binary == std::string_view::npos) return std::nullopt;
        const double power = 1 + static_cast<double>(decimal == std::string_view::npos ? binary : decimal);
        // A capital letter is a power of 1024, as in vLLM; with "B" behind it, it is the SI unit.
        if (rest.empty())
            value *= std::pow(binary == std::string_view::npos ? 1000.0 : 1024.0, power);
        else if (rest == "B")
            value *= std::pow(1000.0, power);
        else if (rest == "iB")
            value *= std::pow(1024.0, power);
        else
            return std::nullopt;
    }
    if (value != std::floor(value) || value > 0x1p62) return std::nullopt;
    return static_cast<int64_t>(value);
}

Status Values::set(const Option& option, std::vector<std::string> raw) {
    GLM5_CHECK(!raw.empty(), "{}", option.name);
    Value value{.texts = std::move(raw)};
    const std::string& text = value.texts.back();
    auto wrong = [&](const std::string& expected) {
        return invalid_argument("{} {}: {}", option.name, text, expected);
    };
    switch (option.type) {
        case OptionType::flag:
            if (text != "true" && text != "false") return wrong("must be true or false");
            value.number = text == "true";
            break;
        case OptionType::integer:
        case OptionType::count: {
            const bool integer = option.type == OptionType::integer;
            const auto number = integer ? parse_integer(text) : parse_count(text);
            if (!number) return wrong(integer ? "must be an integer" : "must be a number such as 8192, 8k, 1M or 2GiB");
            value.number = *number;
            const bool automatic = !integer && (text == "auto" || text == "-1");
            if (automatic && option.default_text != "auto") return wrong(range_text(option));
            if (!automatic && (*number < option.minimum || *number > option.maximum)) return wrong(range_text(option));
            break;
        }
        case OptionType::real: {
            const auto real = parse_real(text);
            if (!real) return wrong("must be a number");
            value.real = *real;
            const auto minimum = static_cast<double>(option.minimum), maximum = static_cast<double>(option.maximum);
            if (*real < minimum || *real > maximum || (option.above_minimum && *real == minimum))
                return wrong(range_text(option));
            break;
        }
        case OptionType::choice: {
            if (std::find(option.choices.begin(), option.choices.end(), text) == option.choices.end())
                return wrong(fmt::format("must be {}", fmt::join(option.choices, ", ")));
            break;
        }
        case OptionType::object: {
            auto parsed = json::parse(text);
            if (!parsed.ok()) return wrong(fmt::format("must be a JSON object: {}", parsed.status().message()));
            if (!parsed->is_object()) return wrong("must be a JSON object");
            value.object = std::move(parsed->as_object());
            break;
        }
        case OptionType::text:
        case OptionType::texts:
            if (std::any_of(value.texts.begin(), value.texts.end(), [](const auto& item) { return item.empty(); }))
                return invalid_argument("{}: must not be empty", option.name);
            break;
    }
    values_.insert_or_assign(std::string(option.name), std::move(value));
    return {};
}

const Values::Value& Values::at(std::string_view name) const {
    const auto found = values_.find(name);
    GLM5_CHECK(found != values_.end(), "option {} is not in the table of this command, or has no value", name);
    return found->second;
}

bool Values::flag(std::string_view name) const {
    return has(name) && at(name).number != 0;
}
int64_t Values::number(std::string_view name) const {
    return at(name).number;
}
double Values::real(std::string_view name) const {
    return at(name).real;
}
const std::string& Values::text(std::string_view name) const {
    return at(name).texts.back();
}
const std::vector<std::string>& Values::texts(std::string_view name) const {
    return at(name).texts;
}
const json::Object& Values::object(std::string_view name) const {
    return at(name).object;
}

}  // namespace glm5::cli
