// What serve and generate share: options → directory, tokenizer, template, engine.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "chat/chat_format.h"
#include "cli/commands.h"
#include "glm5/engine.h"
#include "load/resolve.h"
#include "plan/plan.h"
#include "text/tokenizer.h"

namespace glm5 {

struct ModelFiles {
    load::ResolvedModel resolved;
    text::Tokenizer tokenizer;
    std::optional<chat::ChatFormat> chat_format;  // none: the model has no template
};

Result<load::ResolvedModel> find_model(const cli::ModelOptions& options);

// The files beside the weights.
Result<ModelFiles> open_model_files(const cli::ModelOptions& options);

// Of EngineOptions; each may be empty.
struct EngineObservers {
    std::function<void(const plan::Plan&)> on_plan;
    std::function<void(int64_t loaded_bytes, int64_t total_bytes)> on_progress;
    std::function<void(const StepStats&)> on_step;
    std::function<void(const std::string& reason)> on_failure;
};

// Loads the weights and starts the engine.
Result<std::unique_ptr<Engine>> open_engine(const ModelFiles& files, const cli::RunOptions& options,
                                            EngineObservers observers = {});

}  // namespace glm5
