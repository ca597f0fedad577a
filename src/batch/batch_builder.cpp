#include "batch/batch_builder.h"

#include <algorithm>

#include "schedule/scheduler.h"

namespace glm5::batch {

using schedule::Scheduler;

BatchBuilder::BatchBuilder(ops::Backend& backend, const BatchLimits& limits)
    : backend_(backend),
      limits_(limits),
      token_ids_(make_field(limits.max_num_tokens)),
      positions_(make_field(limits.max_num_tokens)),
      sequence_ids_(make_field(limits.max_num_tokens)),
      slots_(make_field(limits.max_num_tokens)),
      query_start_(make_field(limits.max_num_seqs + 1)),
      context_len_(make_field(limits.max_num_seqs)),
      page_table_(make_field(int64_t{limits.max_num_seqs} * Scheduler::pages_needed(limits.max_context_tokens))),
      logit_rows_(make_field(limits.max_num_seqs)) {}

BatchBuilder::Field BatchBuilder::make_field(int64_t capacity) {
    Field field{.device = backend_.allocate(DType::i32, {capacity}), .host = {}};
    field.host.reserve(capacity);
    return field;
}

ops::Tensor BatchBuilder::upload(const Field& field) {
    ops::Tensor view = field.device.first_rows(static_cast<int64_t>(field.host.size()));
    if (!field.host.empty()) backend_.copy_to_device(view, field.host.data(), view.bytes());
    return view;
}

ops::Batch BatchBuilder::build(const schedule::StepPlan& plan) {
    const int num_seqs = static_cast<int>(plan.sequences.size());
    GLM5_CHECK(num_seqs >= 1 && num_seqs <= limits_.max_num_seqs && plan.num_tokens <= limits_.max_num_tokens,
               "{} sequences, {} tokens", num_seqs, plan.num_tokens);
    for (Field* field : {&token_ids_, &positions_, &sequence_ids_, &slots_, &query_start_, &context_len_, &logit_rows_})
        field->host.clear();

    int max_context = 0;
    for (const auto& sequence : plan.sequences) max_context = std::max(max_context, sequence.context_len());
    GLM5_CHECK(max_context <= limits_.max_context_tokens, "{} > {}", max_context, limits_.max_context_tokens);
    const int pages_per_row = Scheduler::pages_needed(max_context);
    page_table_.host.assign(static_cast<size_t>(num_seqs) * pages_per_row, 0);

    for (int s = 0; s < num_seqs; ++s) {
        const auto& sequence = plan.sequences[s];
        query_start_.host.push_back(static_cast<int32_t>(token_ids_.host.size()));
        context_len_.host.push_back(sequence.context_len());
        std::copy(sequence.pages.begin(), sequence.pages.end(), page_table_.host.begin() + s * pages_per_row);
        for (int i = 0; i < sequence.query_len(); ++i) {
            const int position = sequence.first_position + i;
            token_ids_.host.push_back(sequence.query_tokens[i]);
            positions_.host.push_back(position);
            sequence_ids_.host.push_back(s);
            slots_.host.push_back(sequence.pages[position / kPageTokens] * kPageTokens + position % kPageTokens);
        }
        if (sequence.wants_token) logit_rows_.host.push_back(static_cast<int32_t>(token_ids_.host.size()) - 1);
    }
    query_start_.host.push_back(static_cast<int32_t>(token_ids_.host.size()));

    ops::Batch batch;
    batch.num_tokens = plan.num_tokens;
    batch.num_seqs = num_seqs;
    batch.num_logit_rows = static_cast<int>(logit_rows_.host.size());
    batch.max_context_tokens = max_context;
    batch.token_ids = upload(token_ids_);
    batch.positions = upload(positions_);
    batch.sequence_ids = upload(sequence_ids_);
    batch.slots = upload(slots_);
    batch.query_start = upload(query_start_);
    batch.context_len = upload(context_len_);
    batch.page_table = upload(page_table_);
    batch.page_table.rank = 2;
    batch.page_table.shape = {num_seqs, pages_per_row};
    batch.logit_rows = upload(logit_rows_);
    return batch;
}

}  // namespace glm5::batch
