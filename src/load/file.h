// File: a regular file open for reading at any offset, and whole small files as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/status.h"

namespace glm5::load {

// Reads from several threads do not disturb one another.
class File {
public:
    // Errors name the path.
    static Result<File> open(const std::filesystem::path& path);

    ~File();
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;

    const std::filesystem::path& path() const { return path_; }
    // When it was opened.
    uint64_t num_bytes() const { return num_bytes_; }

    // Fills `out` with the bytes from `offset` on; a file that has become shorter is an error.
    Status read(uint64_t offset, std::span<std::byte> out) const;

private:
    File() = default;

    std::filesystem::path path_;
    int descriptor_ = -1;
    uint64_t num_bytes_ = 0;
};

// The text of a file of at most `max_bytes`.
Result<std::string> read_text(const std::filesystem::path& path, uint64_t max_bytes);

}  // namespace glm5::load
