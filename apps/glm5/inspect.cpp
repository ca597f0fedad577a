// glm5 inspect: what a checkpoint holds, by part and element type, and whether that is what its config announces.
#include <cstdio>
#include <map>

#include "load/checkpoint.h"
#include "open_model.h"
#include "plan/weights.h"
#include "progress.h"
#include "subcommands.h"

namespace glm5 {
namespace {

void print_config(const load::Checkpoint& checkpoint) {
    const config::Config& config = checkpoint.config();
    int num_sparse = 0;
    for (const config::LayerKind& layer : config.layers) num_sparse += layer.mlp == config::MlpKind::sparse;
    const char* quantization = config.quantization == config::Quantization::none  ? "none"
                               : config.quantization == config::Quantization::fp8 ? "FP8, 128x128 blocks"
                                                                                  : "NVFP4";
    fmt::print("{}\n\n", checkpoint.directory().string());
    const auto row = [](std::string_view name, const std::string& value) { fmt::print("  {:<20}{}\n", name, value); };
    row("layers",
        fmt::format("{} ({} dense, {} sparse), MTP: {}", config.num_layers, config.num_layers - num_sparse, num_sparse,
                    checkpoint.has_mtp() ? "yes"
                    : config.has_mtp()   ? "announced, not in the files"
                                         : "no"));
    row("indexers", fmt::format("{} full, {} shared; {} heads of {}, top {}", config.num_full_layers(),
                                config.num_layers - config.num_full_layers(), config.index_heads, config.index_dim,
                                config.index_top_k));
    row("hidden size", std::to_string(config.hidden_size));
    row("attention",
        fmt::format("{} heads; latent {}, rope {}, nope {}, v {}, q latent {}", config.num_heads, config.latent_dim,
                    config.rope_dim, config.nope_dim, config.v_dim, config.q_lora_rank));
    row("experts", fmt::format("{} routed, {} per token, {} shared; width {}", config.num_experts,
                               config.num_experts_per_token, config.num_shared_experts, config.moe_intermediate_size));
    row("vocabulary", std::to_string(config.vocab_size));
    row("context", fmt::format("{} tokens", config.max_position_embeddings));
    row("quantisation", quantization);
    row("end tokens", fmt::format("{}", fmt::join(config.eos_token_ids, ", ")));
}

struct Total {
    int64_t count = 0;
    int64_t bytes = 0;
};

// Bytes by part and element type: of the files, or of what the config announces when there are none.
void print_parts(const load::Checkpoint& checkpoint) {
    std::map<std::pair<std::string, std::string>, Total> totals;
    Total all;
    const auto add = [&](const std::string& name, std::string_view dtype, int64_t bytes) {
        const plan::WeightPart part = plan::weight_part_of(name, checkpoint.config());
        Total& total = totals[{std::string(weight_part_name(part)), std::string(dtype)}];
        for (Total* each : {&total, &all}) {
            ++each->count;
            each->bytes += bytes;
        }
    };
    const bool from_files = !checkpoint.tensors().empty();
    if (from_files) {
        for (const load::TensorInfo& tensor : checkpoint.tensors())
            add(tensor.name, dtype_name(tensor.dtype), static_cast<int64_t>(tensor.num_bytes));
    } else {
        for (const config::Parameter& parameter : config::parameters(checkpoint.config()))
            for (const config::ExpectedTensor& tensor :
                 config::expected_tensors(parameter, checkpoint.stored_form(parameter)))
                add(tensor.name, dtype_name(tensor.published), tensor.bytes());
    }
    fmt::print("\n  {:<20}{:<10}{:>10}{:>14}\n", from_files ? "part" : "part (by config)", "dtype", "tensors", "bytes");
    for (const auto& [key, total] : totals)
        fmt::print("  {:<20}{:<10}{:>10}{:>14}\n", key.first, key.second, total.count, bytes_text(total.bytes));
    fmt::print("  {:<20}{:<10}{:>10}{:>14}\n", "all", "", all.count, bytes_text(all.bytes));
}

void print_tensors(const load::Checkpoint& checkpoint) {
    fmt::print("\n");
    for (const load::TensorInfo& tensor : checkpoint.tensors())
        fmt::print("  {:<72}{:<9}[{}]\n", tensor.name, dtype_name(tensor.dtype), fmt::join(tensor.shape, ", "));
}

}  // namespace

int run_inspect(const cli::InspectOptions& options) {
    const auto model = find_model(options.model);
    if (!model.ok()) return report_error(model.status());
    const auto checkpoint = load::Checkpoint::open(model->directory);
    if (!checkpoint.ok()) return report_error(checkpoint.status());
    print_config(**checkpoint);
    print_parts(**checkpoint);
    if (options.tensors) print_tensors(**checkpoint);

    const bool has_files = !(*checkpoint)->shards().empty();
    const Status status = has_files ? (*checkpoint)->verify() : (*checkpoint)->verify_listing();
    fmt::print("\n");
    if (!status.ok()) {
        fmt::print("Not as expected: {}\n", status.message());
        return 2;
    }
    fmt::print("{}\n", has_files ? "Every expected tensor is there, with its shape and element type."
                                 : "Every expected tensor is listed; the files are not there.");
    return 0;
}

}  // namespace glm5
