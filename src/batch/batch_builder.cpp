#include "batch/batch_builder.h"

#include <algorithm>
#include <bit>

#include "schedule/scheduler.h"

namespace glm5::batch {
namespace {

using schedule::Scheduler;

// Of all fields together, in values.
int64_t capacity(const BatchLimits& limits) {
    const int64_t pages = int64_t{limits.max_num_seqs} * Scheduler::pages_needed(limits.max_context_tokens);
    return 4 * int64_t{limits.max_num_tokens} + 3 * int64_t{limits.max_num_seqs} + 1 + pages;
}

bool only_decodes(const schedule::StepPlan& plan) {
    return std::ranges::all_of(plan.sequences,
                               [](const auto& planned) { return planned.query_len() == 1 && planned.wants_token; });
}

}  // namespace

BatchBuilder::BatchBuilder(ops::Backend& backend, const BatchLimits& limits)
    : backend_(backend),
      limits_(limits),
      device_(backend.allocate(DType::i32, {capacity(limits)})),
      host_(capacity(limits)) {}

BatchBuilder::Field BatchBuilder::take(int64_t count) {
    const Field field{.host = std::span(host_).subspan(taken_, count),
                      .device = {device_.as<int32_t>() + taken_, DType::i32, {count}}};
    taken_ += count;
    return field;
}

int BatchBuilder::context_bound(const schedule::StepPlan& plan) const {
    int longest = 0;
    for (const auto& sequence : plan.sequences) longest = std::max(longest, sequence.context_len());
    GLM5_CHECK(longest <= limits_.max_context_tokens, "{} > {}", longest, limits_.max_context_tokens);
    if (!only_decodes(plan)) return longest;
    const unsigned bound = std::bit_ceil(static_cast<unsigned>(std::max(longest, kLeastContextBound)));
    return static_cast<int>(std::min(bound, static_cast<unsigned>(limits_.max_context_tokens)));
}

ops::Batch BatchBuilder::build(const schedule::StepPlan& plan) {
    const int num_seqs = static_cast<int>(plan.sequences.size()), num_tokens = plan.num_tokens;
    GLM5_CHECK(num_seqs >= 1 && num_seqs <= limits_.max_num_seqs && num_tokens <= limits_.max_num_tokens,
               "{} sequences, {} tokens", num_seqs, num_tokens);
    const int max_context = context_bound(plan), pages_per_row = Scheduler::pages_needed(max_context);
    const auto num_rows = std::ranges::count_if(plan.sequences, &schedule::PlannedSequence::wants_token);

    taken_ = 0;
    const Field token_ids = take(num_tokens), positions = take(num_tokens), sequence_ids = take(num_tokens),
                slots = take(num_tokens), query_start = take(num_seqs + 1), context_len = take(num_seqs),
                logit_rows = take(num_rows), page_table = take(int64_t{num_seqs} * pages_per_row);
    int token = 0, row = 0;
    for (int s = 0; s < num_seqs; ++s) {
        const auto& sequence = plan.sequences[s];
        query_start.host[s] = token;
        context_len.host[s] = sequence.context_len();
        std::ranges::copy(sequence.pages, page_table.host.begin() + int64_t{s} * pages_per_row);
        for (int i = 0; i < sequence.query_len(); ++i, ++token) {
            const int position = sequence.first_position + i;
            token_ids.host[token] = sequence.query_tokens[i];
            positions.host[token] = position;
            sequence_ids.host[token] = s;
            slots.host[token] = sequence.pages[position / kPageTokens] * kPageTokens + position % kPageTokens;
        }
        if (sequence.wants_token) logit_rows.host[row++] = token - 1;
    }
    query_start.host[num_seqs] = token;
    GLM5_CHECK(token == num_tokens, "{} tokens, {} planned", token, num_tokens);
    const ops::Tensor sent = device_.first_rows(taken_);
    backend_.copy_to_device(sent, host_.data(), sent.bytes());

    ops::Batch batch;
    batch.num_tokens = num_tokens;
    batch.num_seqs = num_seqs;
    batch.num_logit_rows = row;
    batch.max_context_tokens = max_context;
    batch.token_ids = token_ids.device;
    batch.positions = positions.device;
    batch.sequence_ids = sequence_ids.device;
    batch.slots = slots.device;
    batch.query_start = query_start.device;
    batch.context_len = context_len.device;
    batch.page_table = {page_table.device.data, DType::i32, {num_seqs, pages_per_row}};
    batch.logit_rows = logit_rows.device;
    return batch;
}

std::optional<uint64_t> repeat_key(const ops::Batch& batch) {
    if (batch.num_seqs != batch.num_tokens || batch.num_logit_rows != batch.num_tokens) return std::nullopt;
    return static_cast<uint64_t>(batch.num_tokens) << 32 | static_cast<uint64_t>(batch.max_context_tokens);
}

}  // namespace glm5::batch
