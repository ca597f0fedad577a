#include "api/fakes.h"

#include <chrono>
#include <thread>
#include <utility>

namespace glm5::api {

void FakeExchange::run_tasks() {
    for (;;) {
        std::vector<std::function<void()>> tasks;
        {
            const std::lock_guard lock(mutex_);
            tasks = std::exchange(tasks_, {});
        }
        if (tasks.empty()) return;
        for (const auto& task : tasks) task();
    }
}

bool FakeExchange::run_until(const std::function<bool()>& enough) {
    for (int i = 0; i < 2000; ++i) {
        run_tasks();
        {
            const std::lock_guard lock(mutex_);
            if (enough()) return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
}

}  // namespace glm5::api
