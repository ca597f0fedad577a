#include "backend/cpu/sample_row.h"

#include <algorithm>

#include "ops/sampling_math.h"

namespace glm5::cpu {
namespace {

// Step 8, one id at a time.
class Winner {
public:
    explicit Winner(const RowParameters& parameters) : parameters_(parameters) {}

    void consider(int32_t id, float x) {
        const uint32_t word = ops::random_word(parameters_.seed, parameters_.position, static_cast<uint32_t>(id));
        if (x + ops::gumbel_bound(word) < score_) return;  // most ids: no logarithm
        const float score = x + ops::gumbel(word);
        if (score > score_ || (score == score_ && id < id_)) score_ = score, id_ = id;
    }
    int32_t id() const { return id_; }

private:
    const RowParameters& parameters_;
    float score_ = -INFINITY;
    int32_t id_ = 0;
};

}  // namespace

int32_t largest_logit(std::span<const float> logits) {
    int32_t best = 0;
    float top = -INFINITY;  // NaN is never larger
    for (size_t id = 0; id < logits.size(); ++id) {
        const float logit = logits[id] < FLT_MAX ? logits[id] : ops::usable_logit(logits[id]);
        if (logit > top) top = logit, best = static_cast<int32_t>(id);
    }
    return best;
}

int32_t RowSampler::choose(std::span<const float> logits, const RowParameters& parameters) {
    const int32_t best = largest_logit(logits);
    const float largest = ops::usable_logit(logits[best]);
    if (parameters.temperature == 0 || largest == -INFINITY) return best;

    Winner winner(parameters);
    if (parameters.min_p <= 0 && parameters.top_k <= 0 && parameters.top_p >= 1) {
        for (size_t id = 0; id < logits.size(); ++id) {
            const float x = (ops::usable_logit(logits[id]) - largest) / parameters.temperature;
            if (x > -INFINITY) winner.consider(static_cast<int32_t>(id), x);
        }
        return winner.id();
    }
    gather(logits, largest, parameters);
    if (parameters.top_k > 0) keep_top_k(parameters.top_k);
    if (parameters.top_p < 1) keep_top_p(parameters.top_p);
    for (const Candidate& candidate : candidates_) winner.consider(candidate.id, candidate.x);
    return winner.id();
}

void RowSampler::gather(std::span<const float> logits, float largest, const RowParameters& parameters) {
    candidates_.clear();
    candidates_.reserve(logits.size());
    for (size_t id = 0; id < logits.size(); ++id) {
        const float x = (ops::usable_logit(logits[id]) - largest) / parameters.temperature;
        if (x == -INFINITY || (parameters.min_p > 0 && ops::sampling_exp(x) < parameters.min_p)) continue;
        candidates_.push_back({x, static_cast<int32_t>(id), 0});
    }
}

void RowSampler::keep_top_k(int32_t top_k) {
    if (static_cast<size_t>(top_k) >= candidates_.size()) return;
    std::nth_element(candidates_.begin(), candidates_.begin() + top_k, candidates_.end(), precedes);
    candidates_.resize(top_k);
}

// Halves the range that holds the last id to stay: in the mean each id is looked at twice, and nothing is sorted.
void RowSampler::keep_top_p(float top_p) {
    uint64_t total = 0;
    for (Candidate& candidate : candidates_) total += candidate.mass = ops::mass(candidate.x);

    auto begin = candidates_.begin(), end = candidates_.end();  // *begin precedes all others of the range and stays, …
    uint64_t before = 0;                                        // … and this is the mass before it
    while (end - begin > 1) {
        const auto middle = begin + (end - begin) / 2;
        std::nth_element(begin, middle, end, precedes);
        uint64_t before_middle = before;
        for (auto it = begin; it != middle; ++it) before_middle += it->mass;
        if (ops::within_top_p(before_middle, top_p, total))
            begin = middle, before = before_middle;
        else
            end = middle;
    }
    candidates_.erase(end, candidates_.end());
}

}  // namespace glm5::cpu
