// Reads every #include of src/, include/ and apps/ against the table of folders and what each may use
// (ARCHITECTURE.md, Folders), and a few libraries against the only folder that may name them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const fs::path kRoot = GLM5_SOURCE_DIR;

// Folder → the folders it may include besides itself; the table has folders that are not there yet. "types" is
// include/glm5/types.h, "engine.h" include/glm5/engine.h.
const std::map<std::string, Names>& allowed_edges() {
    static const std::map<std::string, Names> edges = {
        {"base", {}},
        {"types", {}},
        {"engine.h", {"base", "types"}},
        {"json", {"base"}},
        {"config", {"base", "json"}},
        {"text", {"base", "json"}},
        {"chat", {"base", "json"}},
        {"cli", {"base", "json"}},
        {"layout", {"base"}},
        {"cache", {"base", "config"}},
        {"ops", {"base"}},
        {"backend/cpu", {"base", "ops"}},
        {"backend/cuda", {"base", "ops"}},
        {"backend", {"base", "ops", "backend/cpu", "backend/cuda"}},
        {"parallel", {"base", "ops", "layout"}},
        {"load", {"base", "json", "ops", "layout", "config"}},
        {"schedule", {"base", "types", "cache"}},
        {"batch", {"base", "types", "ops", "cache", "schedule"}},
        {"sample", {"base", "types", "ops", "cache", "schedule"}},
        {"speculate", {"base", "types", "ops", "cache", "schedule"}},
        {"model", {"base", "config", "ops", "load", "layout"}},
        {"plan", {"base", "config", "layout", "cache"}},
        {"engine", {"base", "types", "engine.h", "json", "config", "text", "chat", "cli", "layout", "cache", "ops",
                    "parallel", "load", "schedule", "batch", "sample", "speculate", "model", "plan"}},
        {"http", {"base"}},
        {"loadgen", {"base", "json", "text", "http"}},
        {"api", {"base", "json", "types", "chat", "text", "http", "engine.h"}},
    };
    return edges;
}

// The folder of the table that a path (relative to src/, include/ or the root) belongs to; empty when it is not ours.
std::string folder_of(const std::string& path) {
    if (path == "glm5/types.h") return "types";
    if (path == "glm5/engine.h") return "engine.h";
    for (const char* nested : {"backend/cpu", "backend/cuda"})
        if (path.starts_with(std::string(nested) + "/")) return nested;
    const std::string first = path.substr(0, path.find('/'));
    return path.find('/') != std::string::npos && allowed_edges().contains(first) ? first : "";
}

struct Include {
    std::string file;    // relative to the root
    std::string folder;  // of the file
    std::string target;  // as written
};

std::vector<Include> read_includes() {
    static const std::regex pattern(R"(^\s*#\s*include\s*[<"]([^">]+)[">])");
    std::vector<Include> includes;
    for (const char* top : {"src", "include"}) {
        for (const auto& entry : fs::recursive_directory_iterator(kRoot / top)) {
            const std::string extension = entry.path().extension();
            if (!Names{".h", ".cpp", ".cu", ".cuh", ".inc"}.contains(extension)) continue;
            const std::string relative = fs::relative(entry.path(), kRoot / top);
            std::ifstream file(entry.path());
            for (std::string line; std::getline(file, line);) {
                std::smatch match;
                if (std::regex_search(line, match, pattern))
                    includes.push_back({std::string(top) + "/" + relative, folder_of(relative), match[1]});
            }
        }
    }
    return includes;
}

TEST(IncludeEdges, EverySourceFileBelongsToAFolderOfTheTable) {
    const auto includes = read_includes();
    ASSERT_GT(includes.size(), 100u);
    for (const Include& include : includes) EXPECT_NE(include.folder, "") << include.file;
}

TEST(IncludeEdges, FoldersUseOnlyWhatTheTableAllows) {
    for (const Include& include : read_includes()) {
        const std::string target = folder_of(include.target);
        if (target.empty() || target == include.folder) continue;
        EXPECT_TRUE(allowed_edges().at(include.folder).contains(target))
            << include.file << " includes " << include.target << ": " << include.folder << " may not use " << target;
    }
}

TEST(IncludeEdges, ForeignLibrariesStayInTheirFolder) {
    const std::vector<std::pair<std::regex, Names>> owners = {
        {std::regex("^boost/json"), {"json"}},
        {std::regex("^boost/(beast|asio)"), {"http", "loadgen"}},
        {std::regex("^CLI/"), {"cli"}},
        {std::regex("^pcre2"), {"text"}},
        {std::regex("^(cuda|cublas|cutlass|cute)"), {"backend/cuda"}},
        {std::regex("^nccl"), {"parallel"}},
        {std::regex("^(imm|x86)intrin"), {"backend/cpu"}},
    };
    for (const Include& include : read_includes())
        for (const auto& [pattern, folders] : owners)
            EXPECT_TRUE(!std::regex_search(include.target, pattern) || folders.contains(include.folder))
                << include.file << " includes " << include.target;
}

}  // namespace
