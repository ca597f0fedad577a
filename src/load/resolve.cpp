// The search for a model: directories, the bundled checkpoint, the Hugging Face cache.
#include "load/resolve.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <vector>

#include "load/file.h"
#include "load/text.h"

namespace glm5::load {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBundledName = "glm5-nano";

bool directory_exists(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

bool path_exists(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

// Names of the entries of a directory, sorted; none when it cannot be read.
std::vector<std::string> entries(const fs::path& directory) {
    constexpr size_t kMost = 10'000;
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end && names.size() < kMost;
         entry.increment(error))
        names.push_back(entry->path().filename().string());
    std::ranges::sort(names);
    return names;
}

std::optional<std::string> environment(const ResolveOptions& options, const std::string& name) {
    if (options.environment) return options.environment(name);
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
}

// The first of the places where Hugging Face tools look that is set.
fs::path cache_root(const ResolveOptions& options) {
    const std::string home = environment(options, "HOME").value_or("");
    const auto expanded = [&](const std::string& path) {
        return fs::path(path.starts_with("~/") ? home + path.substr(1) : path);
    };
    if (!options.download_dir.empty()) return expanded(options.download_dir);
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
        if (const auto value = environment(options, name); value && !value->empty()) return expanded(*value);
    if (const auto value = environment(options, "HF_HOME"); value && !value->empty()) return expanded(*value) / "hub";
    if (const auto value = environment(options, "XDG_CACHE_HOME"); value && !value->empty())
        return expanded(*value) / "huggingface/hub";
    return fs::path(home) / ".cache/huggingface/hub";
}

Result<ResolvedModel> find_bundled(const ResolveOptions& options) {
    std::error_code ignored;
    fs::path program = options.executable_directory;
    if (program.empty()) program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
    const fs::path places[] = {program / "../../models", program / "../share/glm5/models", "/usr/share/glm5/models",
                               fs::current_path(ignored) / "models"};
    std::string searched;
    for (const fs::path& place : places) {
        const fs::path directory = (place / kBundledName).lexically_normal();
        if (directory_exists(directory))
            return ResolvedModel{.directory = directory, .name = std::string(kBundledName)};
        searched += (searched.empty() ? "" : ", ") + directory.string();
    }
    return not_found("The bundled model {} is in none of: {}", kBundledName, searched);
}

struct Repository {
    std::string organisation, name, revision;  // revision: empty = main

    std::string full_name() const { return organisation + "/" + name; }
    std::string folder() const { return "models--" + organisation + "--" + name; }
    std::string command() const {
        return "hf download " + full_name() + (revision.empty() ? "" : " --revision " + revision);
    }
};

bool is_repository_word(std::string_view word) {
    const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
    return !word.empty() && word.size() <= 96 && word[0] != '.' && std::ranges::all_of(word, allowed);
}

// A branch, tag or commit. It becomes a path below refs/, so nothing in it may lead out.
bool is_revision(std::string_view revision) {
    const auto allowed = [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '/';
    };
    return !revision.empty() && revision.size() <= 200 && revision[0] != '/' && revision.find("..") == revision.npos &&
           std::ranges::all_of(revision, allowed);
}

bool is_commit(std::string_view text) {
    return text.size() == 40 && std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::optional<Repository> parse_repository(std::string_view model) {
    const size_t slash = model.find('/'), at = model.find('@');
    if (slash == model.npos || (at != model.npos && at < slash)) return std::nullopt;
    Repository repository = {.organisation = std::string(model.substr(0, slash)),
                             .name = std::string(model.substr(slash + 1, at == model.npos ? at : at - slash - 1))};
    if (!is_repository_word(repository.organisation) || !is_repository_word(repository.name)) return std::nullopt;
    if (at != model.npos) {
        repository.revision = model.substr(at + 1);
        if (!is_revision(repository.revision)) return std::nullopt;
    }
    return repository;
}

size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 0; i < a.size(); ++i) {
        size_t diagonal = row[0]++;
        for (size_t j = 0; j < b.size(); ++j) {
            const bool same =
                std::tolower(static_cast<unsigned char>(a[i])) == std::tolower(static_cast<unsigned char>(b[j]));
            const size_t changed = diagonal + !same;
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row[b.size()];
}

// "models--org--name" → "org/name"; empty for other folders.
std::string repository_of_folder(std::string_view folder) {
    constexpr std::string_view kPrefix = "models--";
    if (!folder.starts_with(kPrefix)) return "";
    folder.remove_prefix(kPrefix.size());
    const size_t separator = folder.find("--");
    if (separator == folder.npos) return "";
    return std::string(folder.substr(0, separator)) + "/" + std::string(folder.substr(separator + 2));
}

// " Cached and spelled alike: org/a, org/b.", at most three, the nearest first; empty when there are none.
std::string nearest_cached(const fs::path& root, std::string_view wanted) {
    std::vector<std::pair<size_t, std::string>> near;
    for (const std::string& folder : entries(root)) {
        std::string name = repository_of_folder(folder);
        const size_t distance = edit_distance(wanted, name);
        if (!name.empty() && distance <= std::max<size_t>(4, wanted.size() / 3))
            near.emplace_back(distance, std::move(name));
    }
    std::ranges::sort(near);
    std::string text;
    for (size_t i = 0; i < std::min<size_t>(near.size(), 3); ++i) text += (i ? ", " : "") + near[i].second;
    return text.empty() ? "" : ". Cached models with a similar name: " + text;
}

// The commit that the cache has for a branch or tag; empty when it has none.
Result<std::string> commit_of(const fs::path& folder, const std::string& revision) {
    const fs::path path = folder / "refs" / revision;
    if (!path_exists(path)) return std::string();
    GLM5_ASSIGN_OR_RETURN(std::string text, read_text(path, 1024));
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    if (!is_commit(text))
        return invalid_argument("{}: expected a commit of 40 hexadecimal digits, found {}", path.string(),
                                in_quotes(text));
    return text;
}

Result<ResolvedModel> find_cached(const Repository& repository, const fs::path& root) {
    const fs::path folder = root / repository.folder();
    const std::string revision = repository.revision.empty() ? "main" : repository.revision;
    if (!directory_exists(folder / "snapshots"))
        return not_found("Model '{}' is neither a directory nor in the hub cache ({}). Get it with: {}{}",
                         repository.full_name(), root.string(), repository.command(),
                         nearest_cached(root, repository.full_name()));
    ResolvedModel resolved;
    GLM5_ASSIGN_OR_RETURN(std::string commit, commit_of(folder, revision));
    if (commit.empty() && is_commit(revision)) commit = revision;
    if (commit.empty()) {
        const std::vector<std::string> snapshots = entries(folder / "snapshots");
        if (!repository.revision.empty() || snapshots.empty())
            return not_found("Revision '{}' of model '{}' is not in the hub cache ({}). Get it with: {}", revision,
                             repository.full_name(), root.string(), repository.command());
        if (snapshots.size() > 1)
            return not_found(
                "Model '{}' has {} snapshots in the hub cache ({}) and no refs/main: name one as {}@COMMIT: {}",
                repository.full_name(), snapshots.size(), root.string(), repository.full_name(),
                first_names(snapshots));
        commit = snapshots[0];
        resolved.warning = fmt::format("{} has no refs/main: using its only snapshot, {}", folder.string(), commit);
    }
    resolved.directory = folder / "snapshots" / commit;
    if (!path_exists(resolved.directory / "config.json")) {
        const auto blobs = entries(folder / "blobs");
        const auto unfinished =
            std::ranges::count_if(blobs, [](const std::string& name) { return name.ends_with(".incomplete"); });
        return not_found("Model '{}' is incomplete: {} has no config.json{}. Get it with: {}", repository.full_name(),
                         resolved.directory.string(),
                         unfinished == 0 ? "" : fmt::format(", {} files are not downloaded to the end", unfinished),
                         repository.command());
    }
    return resolved;
}

}  // namespace

Result<ResolvedModel> resolve_model(std::string_view model, const ResolveOptions& options) {
    if (!model.empty() && directory_exists(model))
        return ResolvedModel{.directory = fs::path(model), .name = std::string(model)};
    if (model.empty() || model == "nano") return find_bundled(options);
    const fs::path root = cache_root(options);
    const auto repository = parse_repository(model);
    if (!repository)
        return not_found("Model {} is neither a directory nor a repository name (org/name or org/name@revision){}",
                         in_quotes(model), nearest_cached(root, model));
    GLM5_ASSIGN_OR_RETURN(ResolvedModel resolved, find_cached(*repository, root));
    resolved.name = repository->full_name();
    return resolved;
}

std::string cached_repository(const fs::path& directory) {
    const fs::path snapshots = directory.lexically_normal().parent_path();
    if (snapshots.filename() != "snapshots") return "";
    return repository_of_folder(snapshots.parent_path().filename().string());
}

}  // namespace glm5::load
