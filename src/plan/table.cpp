#include "plan/table.h"

#include <algorithm>

#include "plan/step_time.h"
#include "plan/text.h"

namespace glm5::plan {
namespace {

double gib(int64_t bytes) {
    return static_cast<double>(bytes) / (1 << 30);
}

class MemoryTable {
public:
    explicit MemoryTable(const Plan& plan) : plan_(plan), ranks_(plan.layout.num_ranks()) {
        line(fmt::format("{:<28}{:>14}{:>9}", "memory", "a rank", "share"), fmt::format("{} ranks", ranks_));
    }

    void row(std::string_view name, int64_t bytes) {
        const double share =
            100.0 * static_cast<double>(bytes) / static_cast<double>(plan_.options.device.memory_bytes);
        line(fmt::format("{:<28}{:>14}{:>8.1f}%", name, size_text(bytes), share),
             size_text(static_cast<double>(bytes) * ranks_));
    }
    void buffer(const Buffer& buffer) {
        text_ += fmt::format("    {:<24}{:>14}    {}\n", buffer.name, size_text(buffer.bytes), buffer.formula);
    }
    std::string take() { return std::move(text_); }

private:
    // The column of all ranks says nothing of one.
    void line(const std::string& text, const std::string& all_ranks) {
        text_ += ranks_ == 1 ? text + "\n" : fmt::format("{}{:>14}\n", text, all_ranks);
    }

    const Plan& plan_;
    const int ranks_;
    std::string text_;
};

std::string memory_table(const Plan& plan, bool buffers) {
    MemoryTable table(plan);
    table.row("weights", plan.weights.total());
    for (int i = 0; i < kNumWeightParts; ++i)
        if (plan.weights.parts[i] > 0)
            table.row(fmt::format("  {}", weight_part_name(static_cast<WeightPart>(i))), plan.weights.parts[i]);
    const std::pair<std::string_view, const std::vector<Buffer>*> groups[] = {
        {"step buffers", &plan.step_buffers}, {"workspaces", &plan.workspaces}, {"communication", &plan.communication}};
    for (const auto& [name, group] : groups) {
        if (group->empty()) continue;
        table.row(name, total_bytes(*group));
        if (buffers)
            for (const Buffer& buffer : *group) table.buffer(buffer);
    }
    if (plan.context_bytes > 0) table.row("driver context", plan.context_bytes);
    if (plan.graphs_bytes > 0) table.row("graphs (estimate)", plan.graphs_bytes);
    table.row("KV cache", plan.cache_bytes());
    table.row("all", plan.planned_bytes());
    return table.take();
}

std::string layout_text(const layout::ParallelLayout& layout) {
    if (layout.num_ranks() == 1) return "one rank";
    return fmt::format("{} ranks: tensor parallel {}, data parallel {}, experts in {}", layout.num_ranks(),
                       layout.tensor, layout.data,
                       layout.expert == 1 ? "no groups" : fmt::format("{} groups", layout.expert));
}

std::string cache_text(const Plan& plan) {
    const CacheBytes& cache = plan.cache;
    std::string text =
        fmt::format("KV cache of a token: {} bytes (latent {}, index keys {}", with_commas(cache.per_token()),
                    with_commas(cache.latent), with_commas(cache.index_keys));
    if (cache.mtp > 0) text += fmt::format(", MTP layer {}", with_commas(cache.mtp));
    text += fmt::format("), {}; a page of 64: {} bytes\n", latent_format_name(plan.options.latent),
                        with_commas(cache.per_page()));
    text += fmt::format("KV cache: {:.2f} GiB = {} pages = {} tokens", gib(plan.cache_bytes()),
                        with_commas(plan.num_pages), with_commas(plan.num_tokens()));
    if (plan.layout.data > 1)
        text +=
            fmt::format(" in each of {} groups, {} in all", plan.layout.data, with_commas(plan.num_tokens_of_all()));
    return text + "\n";
}

std::string capacity_text(const Plan& plan) {
    const int64_t model_len = plan.sizes.max_model_len;
    std::string text =
        fmt::format("sequences at once: {:.2f} of {} tokens", plan.concurrency(model_len), with_commas(model_len));
    for (const int64_t len : {8192, 32768, 131072})
        if (len < model_len) text += fmt::format(", {:.2f} of {}", plan.concurrency(len), with_commas(len));
    return text + fmt::format("\nlargest context that fits: {} tokens\n", with_commas(plan.largest_model_len));
}

}  // namespace

std::string plan_table(const Plan& plan, bool buffers) {
    const PlanOptions& options = plan.options;
    return fmt::format("{}\n{}: {:.2f} GiB, of which {} may be used: {:.2f} GiB\n", layout_text(plan.layout),
                       options.device.name, gib(options.device.memory_bytes), options.utilization,
                       gib(plan.budget_bytes)) +
           fmt::format("steps of at most {} tokens and {} sequences\n\n", plan.sizes.max_num_tokens,
                       plan.sizes.max_num_seqs) +
           memory_table(plan, buffers) + "\n" + cache_text(plan) + capacity_text(plan);
}

std::vector<int64_t> step_contexts(const Plan& plan) {
    std::vector<int64_t> contexts;
    for (const int64_t context : {4096, 32768, 131072})
        if (context <= plan.sizes.max_model_len) contexts.push_back(context);
    if (contexts.empty()) contexts.push_back(plan.sizes.max_model_len);
    return contexts;
}

std::string step_table(const config::Config& config, const Plan& plan) {
    const Device& device = plan.options.device;
    if (device.bytes_per_second <= 0) return {};
    std::string text =
        fmt::format("least time of a decode step: bytes a rank reads / {:.2f} TB/s\n{:>10}{:>10}{:>10}{:>10}\n",
                    device.bytes_per_second / 1e12, "sequences", "context", "GB", "ms");
    for (const int64_t num_seqs : kStepSeqs)
        for (const int64_t context : step_contexts(plan)) {
            const StepBytes bytes = step_bytes(config, plan, num_seqs, context);
            text += fmt::format("{:>10}{:>10}{:>10.2f}{:>10.2f}\n", num_seqs, context, bytes.total() / 1e9,
                                1e3 * step_seconds(device, bytes));
        }
    return text;
}

std::string alternatives_table(const std::vector<Alternative>& alternatives) {
    if (alternatives.empty()) return {};
    std::string text = fmt::format("{:<36}{:>7}{:>18}{:>14}{:>16}\n", "what else", "ranks", "weights a rank", "tokens",
                                   "largest context");
    for (const auto& [name, plan] : alternatives)
        text += fmt::format("{:<36}{:>7}{:>18}{:>14}{:>16}\n", name, plan.layout.num_ranks(),
                            size_text(plan.weights.total()),
                            plan.largest_model_len > 0 ? with_commas(plan.num_tokens_of_all()) : "does not fit",
                            plan.largest_model_len > 0 ? with_commas(plan.largest_model_len) : "");
    return text;
}

}  // namespace glm5::plan
