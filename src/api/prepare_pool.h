// PreparePool: a few threads that parse, render and tokenize request bodies, so that a large one delays no stream.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace glm5::api {

class PreparePool {
public:
    explicit PreparePool(int num_threads);
    // Drops tasks that have not begun, waits for the others.
    ~PreparePool();
    PreparePool(const PreparePool&) = delete;

    // Runs `task` on one of the threads. Tasks begin in the order of the calls.
    void run(std::function<void()> task);

private:
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace glm5::api
