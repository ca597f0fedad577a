// The signal handler and the drawing.
#include "bench_progress.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace glm5 {
namespace {

volatile sig_atomic_t interrupted = 0;

void on_interrupt(int) {
    interrupted = 1;
}

}  // namespace

Interrupt::Interrupt() {
    interrupted = 0;
    struct sigaction action = {};
    action.sa_handler = on_interrupt;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

Interrupt::~Interrupt() {
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

bool Interrupt::pressed() {
    return interrupted != 0;
}

BenchBar::BenchBar(bool wanted) : shown_(wanted && isatty(STDERR_FILENO) != 0) {}

void BenchBar::update(const loadgen::Progress& progress) {
    if (!shown_) return;
    const double interval_s = progress.elapsed_s - last_s_;
    if (interval_s >= 1 || progress.elapsed_s < last_s_) {
        messages_per_s_ = static_cast<double>(progress.messages - last_messages_) / std::max(interval_s, 1e-3);
        last_messages_ = progress.messages;
        last_s_ = progress.elapsed_s;
    }
    constexpr int kWidth = 30;
    const int filled = progress.total > 0 ? kWidth * progress.finished / progress.total : 0;
    fmt::print(stderr, "\r\x1b[K[{:#<{}}{:.<{}}] {} of {}, {} running{}, {:.0f} messages/s, {:.0f} s", "", filled, "",
               kWidth - filled, progress.finished, progress.total, progress.running,
               progress.failed > 0 ? fmt::format(", {} failed", progress.failed) : "", messages_per_s_,
               progress.elapsed_s);
    drawn_ = true;
}

void BenchBar::finish() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
    drawn_ = false;
}

}  // namespace glm5
