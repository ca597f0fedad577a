#include "model/activation_dump.h"

#include <fmt/ranges.h>

#include <bit>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/log.h"

namespace glm5::model {
namespace {

namespace fs = std::filesystem;

// The name of the first tensor that Decoder::forward shows in a step.
constexpr std::string_view kFirstOfStep = "token_ids";

std::string step_directory(const std::string& directory, int64_t step) {
    return fmt::format("{}/step-{:06}", directory, step);
}

// A safetensors file with one tensor: header length, JSON header padded with blanks to 8 bytes, data.
std::string safetensors_header(std::string_view name, const ops::Tensor& tensor) {
    const std::vector<int64_t> shape(tensor.shape.begin(), tensor.shape.begin() + tensor.rank);
    std::string header = fmt::format(R"({{"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}}}})", name,
                                     dtype_name(tensor.dtype), fmt::join(shape, ","), tensor.bytes());
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const uint64_t length = header.size();
    static_assert(std::endian::native == std::endian::little);
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header;
}

}  // namespace

Result<std::unique_ptr<ActivationDump>> ActivationDump::open(ops::Backend& backend, const std::string& directory) {
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) return io_error("{}: cannot make the directory: {}", directory, error.message());
    if (fs::exists(step_directory(directory, 0)))
        return invalid_argument("{}: holds activations already; name an empty directory", directory);
    return std::unique_ptr<ActivationDump>(new ActivationDump(backend, directory));
}

ActivationObserver ActivationDump::observer() {
    return [this](std::string_view name, const ops::Tensor& tensor) {
        if (failed_) return;
        if (const Status status = write(name, tensor); !status.ok()) {
            log_error("{}; no further activations are written", status.message());
            failed_ = true;
        }
    };
}

Status ActivationDump::write(std::string_view name, const ops::Tensor& tensor) {
    if (name == kFirstOfStep) {
        std::error_code error;
        fs::create_directory(step_directory(directory_, num_steps_), error);
        if (error) return io_error("{}: {}", step_directory(directory_, num_steps_), error.message());
        ++num_steps_;
    }
    GLM5_CHECK(num_steps_ > 0, "{}", name);

    std::vector<char> data(tensor.bytes());
    backend_.copy_to_host(data.data(), tensor, tensor.bytes());
    const std::string path = fmt::format("{}/{}.safetensors", step_directory(directory_, num_steps_ - 1), name);
    const std::string header = safetensors_header(name, tensor);
    std::ofstream file(path, std::ios::binary);
    file.write(header.data(), static_cast<std::streamsize>(header.size()));
    file.write(data.data(), static_cast<std::streamsize>(data.size()));
    file.close();
    if (!file) return io_error("{}: cannot write", path);
    return {};
}

}  // namespace glm5::model
