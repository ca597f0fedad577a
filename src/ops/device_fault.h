// DeviceFault: what a backend throws when its device fails: out of memory, a kernel that faulted, an ECC error. The one
// exception that crosses ops/. Whoever drives a backend catches it; the backend is of no use after it.
#pragma once

#include <stdexcept>

namespace glm5::ops {

class DeviceFault : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace glm5::ops
