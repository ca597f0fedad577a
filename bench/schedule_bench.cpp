// What a step costs beside the model: planning, the step buffers and the commit, with 1,024 running sequences of 2,048
// to 2,560 tokens of prompt. No model runs; tokens are random. Prints a line for each situation: the least and the
// median time of its steps in microseconds.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

#include "backend/registry.h"
#include "batch/batch_builder.h"
#include "schedule/scheduler.h"

namespace glm5 {
namespace {

using schedule::Scheduler;
using schedule::Sequence;
using schedule::SequenceId;

constexpr int kNumSeqs = 1024;
constexpr int kMinPrompt = 2048, kPromptSpread = 512;
constexpr int kBudget = 8192;
constexpr int kSteps = 384;
constexpr int kVocabulary = 154'880;
constexpr int kMaxContext = 4096;
// Of all running sequences at the most; those of a situation use two thirds.
constexpr int kPagesInUse = kNumSeqs * kMaxContext / kPageTokens;

double elapsed_us(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

struct Times {
    std::vector<double> plan, build, commit, all;

    void print(const char* what) {
        fmt::print("{:<52}", what);
        for (const auto& [name, times] :
             {std::pair("plan", &plan), {"build", &build}, {"commit", &commit}, {"step", &all}}) {
            std::sort(times->begin(), times->end());
            fmt::print("  {} {:.0f} / {:.0f}", name, times->front(), (*times)[times->size() / 2]);
        }
        fmt::print(" us\n");
    }
};

// A scheduler with sequences, driven as the engine drives it; the tokens come from nowhere.
class Engine {
public:
    Engine(ops::Backend& backend, int num_pages)
        : pool_(num_pages),
          scheduler_({.max_num_seqs = kNumSeqs, .max_num_batched_tokens = kBudget}, pool_),
          batches_(backend, {.max_num_seqs = kNumSeqs, .max_num_tokens = kBudget, .max_context_tokens = kMaxContext}) {}

    // `shared` tokens are the same in every prompt.
    void add(int shared = 0) {
        auto sequence = std::make_unique<Sequence>();
        sequence->id = next_id_++;
        sequence->prompt_len = kMinPrompt + static_cast<int>(random_() % kPromptSpread);
        sequence->max_len = kMaxContext;
        for (int i = 0; i < sequence->prompt_len; ++i) sequence->tokens.push_back(i < shared ? i : token());
        ids_.push_back(sequence->id);
        scheduler_.add(std::move(sequence));
    }

    void remove_oldest() {
        scheduler_.remove(ids_.front());
        ids_.erase(ids_.begin());
    }
    void remove_all() {
        while (!ids_.empty()) remove_oldest();
    }

    void step(Times* times = nullptr) {
        const auto begin = std::chrono::steady_clock::now();
        const schedule::StepPlan plan = scheduler_.plan();
        const double planned = elapsed_us(begin);
        batches_.build(plan);
        const double built = elapsed_us(begin);
        scheduler_.commit(plan);
        std::vector<SequenceId> wanting;
        for (const auto& planned_sequence : plan.sequences)
            if (planned_sequence.wants_token) wanting.push_back(planned_sequence.id());
        for (const SequenceId id : wanting) scheduler_.find(id)->tokens.push_back(token());
        const double done = elapsed_us(begin);
        if (!times) return;
        times->plan.push_back(planned);
        times->build.push_back(built - planned);
        times->commit.push_back(done - built);
        times->all.push_back(done);
    }

    // Steps until every sequence decodes.
    void prefill() {
        const auto decodes = [this](SequenceId id) { return scheduler_.find(id)->is_decoding(); };
        while (!std::all_of(ids_.begin(), ids_.end(), decodes)) step();
    }

private:
    int32_t token() { return static_cast<int32_t>(random_() % kVocabulary); }

    std::mt19937 random_{1};
    cache::PagePool pool_;
    Scheduler scheduler_;
    batch::BatchBuilder batches_;
    std::vector<SequenceId> ids_;
    SequenceId next_id_ = 0;
};

void bench_decode(ops::Backend& backend, const char* what, int num_pages, bool idle_pages) {
    Engine engine(backend, num_pages);
    if (idle_pages) {
        for (int i = 0; i < kNumSeqs; ++i) engine.add();
        engine.prefill();
        engine.remove_all();
    }
    for (int i = 0; i < kNumSeqs; ++i) engine.add();
    engine.prefill();
    Times times;
    for (int i = 0; i < kSteps; ++i) engine.step(&times);
    times.print(what);
}

// In each step two sequences end and two begin, as with 512 tokens for each answer.
void bench_turnover(ops::Backend& backend, const char* what, int num_pages, int shared) {
    Engine engine(backend, num_pages);
    for (int i = 0; i < kNumSeqs; ++i) engine.add(shared);
    engine.prefill();
    Times times;
    for (int i = 0; i < kSteps; ++i) {
        for (int k = 0; k < 2; ++k) {
            engine.remove_oldest();
            engine.add(shared);
        }
        engine.step(&times);
    }
    times.print(what);
}

int run() {
    auto backend = backend::make_backend({.kind = "cpu", .num_threads = 1}, ops::Numerics{});
    if (!backend.ok()) {
        fmt::print(stderr, "{}\n", backend.status().message());
        return 2;
    }
    fmt::print("{} sequences, least / median of {} steps\n", kNumSeqs, kSteps);
    bench_decode(**backend, "decode, free pages", 2 * kPagesInUse, false);
    bench_decode(**backend, "decode, idle pages to evict", kPagesInUse, true);
    bench_turnover(**backend, "2 end and 2 begin each step", 3 * kPagesInUse / 2, 0);
    bench_turnover(**backend, "the same, all but no idle pages", 40 * kNumSeqs, 0);
    bench_turnover(**backend, "the same, 1,024 tokens in common", 3 * kPagesInUse / 2, 1024);
    return 0;
}

}  // namespace
}  // namespace glm5

int main() {
    return glm5::run();
}
