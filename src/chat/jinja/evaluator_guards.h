// Scope guards of the evaluator, which an Error unwinds.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "chat/jinja/evaluator.h"

namespace glm5::chat::jinja {

// Sets a variable, and sets it back at the end.
template <typename T>
class RestoreOnExit {
public:
    RestoreOnExit(T& variable, T value) : variable_(variable), after_(std::exchange(variable, value)) {}
    ~RestoreOnExit() { variable_ = after_; }
    RestoreOnExit(const RestoreOnExit&) = delete;

private:
    T& variable_;
    T after_;
};

// A frame inside the current one, which becomes the current one.
class Evaluator::FrameScope {
public:
    FrameScope(Evaluator& evaluator, int num_slots)
        : evaluator_(evaluator), outer_(evaluator.frame_), frame_(evaluator.make_frame(num_slots)) {
        evaluator.frame_ = frame_;
    }
    ~FrameScope() {
        evaluator_.release_frame(frame_);
        evaluator_.frame_ = outer_;
    }
    FrameScope(const FrameScope&) = delete;

private:
    Evaluator& evaluator_;
    Frame* outer_;
    Frame* frame_;
};

// Counts nodes inside one another, so that the stack of the thread suffices.
class Evaluator::DepthGuard {
public:
    explicit DepthGuard(Evaluator& evaluator) : depth_(evaluator.depth_) {
        const int limit = evaluator.budget_.limits().evaluation_depth;
        if (depth_ >= limit) fail("the template is evaluated deeper than {} levels", limit);
        ++depth_;
    }
    ~DepthGuard() { --depth_; }
    DepthGuard(const DepthGuard&) = delete;

private:
    int& depth_;
};

// The `loop` variable while its loop runs. It may be kept by the template, so it forgets what could refer back to it.
class LoopGuard {
public:
    LoopGuard(bool is_used, std::vector<Value>& items) {
        if (!is_used) return;
        state_ = std::make_shared<LoopState>();
        for (const Value& item : items) state_->depth = std::max(state_->depth, item.depth() + 1);
        if (state_->depth > kMaxValueDepth) fail("a value is nested deeper than {} levels", kMaxValueDepth);
        state_->items = std::move(items);
    }
    ~LoopGuard() {
        if (!state_) return;
        state_->last_changed = {};
        state_->is_running = false;
    }
    LoopGuard(const LoopGuard&) = delete;

    const std::shared_ptr<LoopState>& state() const { return state_; }
    const std::vector<Value>& items(const std::vector<Value>& unused) const { return state_ ? state_->items : unused; }

private:
    std::shared_ptr<LoopState> state_;
};

}  // namespace glm5::chat::jinja
