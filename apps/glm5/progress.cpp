// The bar and the lines.
#include "progress.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"

namespace glm5 {

std::string bytes_text(int64_t bytes) {
    const auto value = static_cast<double>(bytes);
    if (value >= 1e9) return fmt::format("{:.1f} GB", value / 1e9);
    if (value >= 1e6) return fmt::format("{:.1f} MB", value / 1e6);
    return fmt::format("{:.1f} kB", value / 1e3);
}

LoadProgress::LoadProgress() : terminal_(isatty(STDERR_FILENO) != 0) {}

void LoadProgress::update(int64_t loaded_bytes, int64_t total_bytes) {
    loaded_bytes_ = loaded_bytes;
    const auto now = Clock::now();
    const auto interval = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(5000);
    if (now - shown_ < interval || total_bytes <= 0) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = static_cast<double>(loaded_bytes) / seconds;
    const double share = std::min(1.0, static_cast<double>(loaded_bytes) / static_cast<double>(total_bytes));
    const double left_s = rate > 0 ? static_cast<double>(total_bytes - loaded_bytes) / rate : 0;
    const std::string text = fmt::format("{} of {}, {:.2f} GB/s, {:.0f} s left", bytes_text(loaded_bytes),
                                         bytes_text(total_bytes), rate / 1e9, left_s);
    if (!terminal_) return log_info("Loading weights: {:.0f} % ({})", 100 * share, text);
    constexpr int kWidth = 30;
    const int filled = static_cast<int>(share * kWidth);
    fmt::print(stderr, "\r\x1b[KLoading weights [{:#<{}}{:.<{}}] {}", "", filled, "", kWidth - filled, text);
    bar_shown_ = true;
}

double LoadProgress::finish() {
    if (bar_shown_) fmt::print(stderr, "\r\x1b[K");
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    log_info("Loading weights took {:.2f} seconds ({}, {:.2f} GB/s)", seconds, bytes_text(loaded_bytes_),
             static_cast<double>(loaded_bytes_) / std::max(seconds, 1e-9) / 1e9);
    return seconds;
}

}  // namespace glm5
