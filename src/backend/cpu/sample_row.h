// RowSampler: steps 3 to 8 of ops/sample.h for one row, with the memory that they need. One per thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace glm5::cpu {

struct RowParameters {
    float temperature = 0;
    float top_p = 1;
    float min_p = 0;
    int32_t top_k = 0;
    uint64_t seed = 0;
    uint32_t position = 0;
};

// The largest usable logit, ties to the lower id; 0 without any.
int32_t largest_logit(std::span<const float> logits);

class RowSampler {
public:
    // logits [num_vocab_tokens], after edits and penalties.
    int32_t choose(std::span<const float> logits, const RowParameters& parameters);

private:
    struct Candidate {
        float x;
        int32_t id;
        uint64_t mass;
    };
    static bool precedes(const Candidate& a, const Candidate& b) { return a.x != b.x ? a.x > b.x : a.id < b.id; }
    void gather(std::span<const float> logits, float largest, const RowParameters& parameters);
    void keep_top_k(int32_t top_k);
    void keep_top_p(float top_p);

    std::vector<Candidate> candidates_;
};

}  // namespace glm5::cpu
