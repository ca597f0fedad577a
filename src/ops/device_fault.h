// DeviceFault: what a backend throws when its device fails: out of memory, a kernel that faulted, an ECC error. The one
// exception that crosses ops/. Whoever drives a backend catches it; the backend is of no use after it.
#pragma once

#include <stdexcept>
#include <string>

namespace glm5::ops {

class DeviceFault : public std::runtime_error {
public:
    enum class Kind { other, out_of_memory };
    explicit DeviceFault(const std::string& message, Kind kind = Kind::other)
        : std::runtime_error(message), kind_(kind) {}

    Kind kind() const { return kind_; }

private:
    Kind kind_;
};

}  // namespace glm5::ops
