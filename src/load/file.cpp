// File: open, fstat, pread.
#include "load/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "load/text.h"

namespace glm5::load {

Result<File> File::open(const std::filesystem::path& path) {
    File file;
    file.path_ = path;
    // O_NONBLOCK: a FIFO in the directory is refused below, not waited for.
    file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file.descriptor_ < 0) {
        const int error_number = errno;
        if (error_number == ENOENT) return not_found("{}: no such file", path.string());
        return io_error("{}: {}", path.string(), error_text(error_number));
    }
    struct stat info {};
    if (::fstat(file.descriptor_, &info) != 0) return io_error("{}: {}", path.string(), error_text(errno));
    if (!S_ISREG(info.st_mode)) return invalid_argument("{}: not a regular file", path.string());
    file.num_bytes_ = static_cast<uint64_t>(info.st_size);
    return file;
}

File::~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept {
    *this = std::move(other);
}

File& File::operator=(File&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(num_bytes_, other.num_bytes_);
    return *this;
}

Status File::read(uint64_t offset, std::span<std::byte> out) const {
    constexpr size_t kMostAtOnce = size_t{1} << 30;  // pread stops short of 2 GiB
    while (!out.empty()) {
        const ssize_t got =
            ::pread(descriptor_, out.data(), std::min(out.size(), kMostAtOnce), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("{}: {}", path_.string(), error_text(errno));
        if (got == 0) return io_error("{}: ends at byte {}, expected {} more", path_.string(), offset, out.size());
        offset += static_cast<uint64_t>(got);
        out = out.subspan(static_cast<size_t>(got));
    }
    return {};
}

Result<std::string> read_text(const std::filesystem::path& path, uint64_t max_bytes) {
    GLM5_ASSIGN_OR_RETURN(const File file, File::open(path));
    if (file.num_bytes() > max_bytes)
        return invalid_argument("{}: {} bytes; at most {} are read", path.string(), file.num_bytes(), max_bytes);
    std::string text(file.num_bytes(), '\0');
    GLM5_RETURN_IF_ERROR(file.read(0, std::as_writable_bytes(std::span(text))));
    return text;
}

}  // namespace glm5::load
