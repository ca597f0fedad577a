// Model argument → directory: a path, the bundled checkpoint, or a repository in the Hugging Face cache. Never
// downloads.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace glm5::load {

struct ResolveOptions {
    std::string download_dir;                    // --download-dir; empty = by the environment
    std::filesystem::path executable_directory;  // near it lies the bundled checkpoint; empty = the running program's
    std::function<std::optional<std::string>(const std::string& name)> environment;  // empty = getenv
};

struct ResolvedModel {
    std::filesystem::path directory;
    std::string name;     // what a client calls it: the argument, or "glm5-nano"
    std::string warning;  // empty, or one line
};

// In this order: an existing directory; `nano` or nothing, the bundled glm5-nano; `org/name[@revision]` in the cache.
// The error of a model that is not there says how to get it and names the cached ones that are spelled alike.
Result<ResolvedModel> resolve_model(std::string_view model, const ResolveOptions& options = {});

// "org/name" of a directory in the cache layout (…/models--org--name/snapshots/COMMIT); empty for any other.
std::string cached_repository(const std::filesystem::path& directory);

}  // namespace glm5::load
