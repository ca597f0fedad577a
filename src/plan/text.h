// Numbers as people read them.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace glm5::plan {

// 1.50 GiB, 24.00 MiB.
inline std::string size_text(double bytes) {
    const double mib = bytes / (1 << 20);
    return mib >= 1024 ? fmt::format("{:.2f} GiB", mib / 1024) : fmt::format("{:.2f} MiB", mib);
}
inline std::string size_text(int64_t bytes) {
    return size_text(static_cast<double>(bytes));
}

// 691392 → "691,392", as vLLM logs it.
inline std::string with_commas(int64_t number) {
    std::string digits = std::to_string(number);
    for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
        digits.insert(static_cast<size_t>(at), 1, ',');
    return digits;
}

}  // namespace glm5::plan
