// Model arguments → directories: paths, the bundled checkpoint, and a hub cache laid out as huggingface_hub does.
#include "load/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint_files.h"
#include "load/checkpoint.h"

namespace glm5::load {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";
const std::string kOther = "fedcba9876543210fedcba9876543210fedcba98";

class Resolve : public testing::Test {
protected:
    ResolveOptions options() {
        ResolveOptions options;
        options.environment = [this](const std::string& name) -> std::optional<std::string> {
            const auto found = environment_.find(name);
            return found == environment_.end() ? std::nullopt : std::optional(found->second);
        };
        return options;
    }
    Result<ResolvedModel> resolve(const std::string& model) { return resolve_model(model, options()); }
    std::string error_of(const std::string& model) {
        const auto resolved = resolve(model);
        return resolved.ok() ? "no error" : resolved.status().message();
    }
    // A repository with one snapshot of a config.json, below `root` in the temporary directory.
    void add(const std::string& root, const std::string& folder, const std::string& commit,
             const std::string& ref = "main") {
        const std::string base = root + "/" + folder;
        directory_.write(base + "/blobs/abc", "{}");
        fs::create_directories(directory_.path() / base / "snapshots" / commit);
        fs::create_symlink("../../blobs/abc", directory_.path() / base / "snapshots" / commit / "config.json");
        if (!ref.empty()) directory_.write(base + "/refs/" + ref, commit);
    }
    std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

    TemporaryDirectory directory_;
    std::map<std::string, std::string> environment_ = {{"HF_HUB_CACHE", directory_.path().string() + "/hub"}};
};

TEST_F(Resolve, AnExistingDirectoryComesFirst) {
    const auto resolved = resolve(directory_.path().string());
    ASSERT_TRUE(resolved.ok());
    EXPECT_EQ(resolved->directory, directory_.path());
    EXPECT_EQ(resolved->name, directory_.path().string());
}

TEST_F(Resolve, TheBundledModel) {
    for (const char* model : {"", "nano"}) {
        ResolveOptions near = options();
        near.executable_directory = GLM5_SOURCE_DIR "/build/any";
        const auto resolved = resolve_model(model, near);
        ASSERT_TRUE(resolved.ok()) << resolved.status().message();
        EXPECT_EQ(resolved->directory, fs::path(GLM5_SOURCE_DIR "/models/glm5-nano"));
        EXPECT_EQ(resolved->name, "glm5-nano");
        EXPECT_TRUE(Checkpoint::open(resolved->directory).ok());
    }
}

TEST_F(Resolve, TheCacheRootInItsOrder) {
    for (const char* root :
         {"download", "one", "two", "home/hub", "xdg/huggingface/hub", "user/.cache/huggingface/hub"})
        add(root, "models--org--name", kCommit);
    environment_ = {{"HF_HUB_CACHE", path("one")},
                    {"HUGGINGFACE_HUB_CACHE", path("two")},
                    {"HF_HOME", path("home")},
                    {"XDG_CACHE_HOME", path("xdg")},
                    {"HOME", path("user")}};
    const auto root_of = [&](const ResolveOptions& with) {
        const auto resolved = resolve_model("org/name", with);
        EXPECT_TRUE(resolved.ok()) << resolved.status().message();
        return resolved.ok() ? resolved->directory.parent_path().parent_path().parent_path().string() : "";
    };
    ResolveOptions with = options();
    with.download_dir = path("download");
    EXPECT_EQ(root_of(with), path("download"));
    for (const auto& [name, root] :
         std::vector<std::pair<std::string, std::string>>{{"HF_HUB_CACHE", "one"},
                                                          {"HUGGINGFACE_HUB_CACHE", "two"},
                                                          {"HF_HOME", "home/hub"},
                                                          {"XDG_CACHE_HOME", "xdg/huggingface/hub"},
                                                          {"HOME", "user/.cache/huggingface/hub"}}) {
        EXPECT_EQ(root_of(options()), path(root)) << name;
        if (name == "HUGGINGFACE_HUB_CACHE")
            environment_[name] = "";  // empty is not set
        else if (name != "HOME")
            environment_.erase(name);
    }
    environment_["HF_HOME"] = "~/.cache/huggingface";
    EXPECT_EQ(root_of(options()), path("user/.cache/huggingface/hub"));
}

TEST_F(Resolve, Revisions) {
    add("hub", "models--org--name", kCommit);
    add("hub", "models--org--name", kOther, "refs/pr/1");
    const auto snapshot = [&](const std::string& model) {
        const auto resolved = resolve(model);
        return resolved.ok() ? resolved->directory.filename().string() : resolved.status().message();
    };
    EXPECT_EQ(snapshot("org/name"), kCommit);
    EXPECT_EQ(snapshot("org/name@main"), kCommit);
    EXPECT_EQ(snapshot("org/name@refs/pr/1"), kOther);
    EXPECT_EQ(snapshot("org/name@" + kOther), kOther);
    EXPECT_EQ(resolve("org/name@main")->name, "org/name");
    EXPECT_EQ(snapshot("org/name@v2"), "Revision 'v2' of model 'org/name' is not in the hub cache (" + path("hub") +
                                           "). Get it with: hf download org/name --revision v2");
    directory_.write("hub/models--org--name/refs/main", "../../../etc\n");
    EXPECT_EQ(snapshot("org/name"), path("hub/models--org--name/refs/main") +
                                        ": expected a commit of 40 hexadecimal digits, found \"../../../etc\"");
}

TEST_F(Resolve, WithoutRefs) {
    add("hub", "models--org--name", kCommit, "");
    const auto resolved = resolve("org/name");
    ASSERT_TRUE(resolved.ok()) << resolved.status().message();
    EXPECT_EQ(resolved->directory.filename(), kCommit);
    EXPECT_EQ(resolved->warning,
              path("hub/models--org--name") + " has no refs/main: using its only snapshot, " + kCommit);
    add("hub", "models--org--two", kCommit, "");
    fs::create_directories(path("hub/models--org--two/snapshots/" + kOther));
    EXPECT_EQ(error_of("org/two"), "Model 'org/two' has 2 snapshots in the hub cache (" + path("hub") +
                                       ") and no refs/main: name one as org/two@COMMIT: \"" + kCommit + "\", \"" +
                                       kOther + "\"");
}

TEST_F(Resolve, NotFoundSaysHowToGetIt) {
    EXPECT_EQ(error_of("zai-org/GLM-5-FP8"), "Model 'zai-org/GLM-5-FP8' is neither a directory nor in the hub cache (" +
                                                 path("hub") + "). Get it with: hf download zai-org/GLM-5-FP8");
    for (const char* folder : {"models--zai-org--GLM-5.1-FP8", "models--zai-org--glm-5-fp8",
                               "models--meta--something-else", "datasets--zai-org--GLM-5-FP8"})
        add("hub", folder, kCommit);
    EXPECT_THAT(error_of("zai-org/GLM-5-FP8"),
                testing::EndsWith("Get it with: hf download zai-org/GLM-5-FP8. Cached models with a similar name: "
                                  "zai-org/glm-5-fp8, zai-org/GLM-5.1-FP8"));
    EXPECT_THAT(
        error_of("GLM-5-FP8"),
        testing::StartsWith(
            "Model \"GLM-5-FP8\" is neither a directory nor a repository name (org/name or org/name@revision)"));
    for (const char* model :
         {"../x", "a/../b", "/absolute/absent", "org/name/more", "org/", "@", "org@x/name", "org/name@",
          "org/name@../x", "org/name@/x", "org/na me", "./models/absent", "org/name\n"})
        EXPECT_THAT(error_of(model), HasSubstr("is neither a directory nor a repository name")) << model;
}

TEST_F(Resolve, IncompleteDownloads) {
    add("hub", "models--org--name", kCommit);
    fs::remove(path("hub/models--org--name/snapshots/" + kCommit + "/config.json"));
    directory_.write("hub/models--org--name/blobs/1234.incomplete", "");
    EXPECT_EQ(error_of("org/name"),
              "Model 'org/name' is incomplete: " + path("hub/models--org--name/snapshots/" + kCommit) +
                  " has no config.json, 1 files are not downloaded to the end. Get it with: hf download org/name");

    // A snapshot that lacks shards: the error of verify gives the command.
    const std::string snapshot = "hub/models--org--part/snapshots/" + kCommit;
    directory_.write(snapshot + "/config.json", read_file(GLM5_SOURCE_DIR "/tests/fixtures/tiny-random/config.json"));
    directory_.write(snapshot + "/model.safetensors.index.json",
                     R"({"weight_map": {"lm_head.weight": "model-1.safetensors"}})");
    directory_.write("hub/models--org--part/refs/main", kCommit + "\n");
    const auto resolved = resolve("org/part");
    ASSERT_TRUE(resolved.ok()) << resolved.status().message();
    EXPECT_EQ(cached_repository(resolved->directory), "org/part");
    auto checkpoint = Checkpoint::open(resolved->directory);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_EQ((*checkpoint)->verify().message(), path(snapshot) +
                                                     ": 1 shards are missing (0 are there): \"model-1.safetensors\"; "
                                                     "get them with: hf download org/part");
    EXPECT_EQ(cached_repository("/models/GLM-5"), "");
}

}  // namespace
}  // namespace glm5::load
