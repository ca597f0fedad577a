// Checkpoints made for one test: safetensors files from parts, in a directory that goes away.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "json/parse.h"
#include "json/write.h"

namespace glm5::load {

class TemporaryDirectory {
public:
    TemporaryDirectory() {
        static std::atomic<int> counter{0};
        path_ = std::filesystem::temp_directory_path() / fmt::format("glm5_load_test_{}_{}", ::getpid(), counter++);
        std::filesystem::create_directories(path_);
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path write(const std::string& name, const std::string& bytes) const {
        std::filesystem::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name, std::ios::binary) << bytes;
        return path_ / name;
    }

private:
    std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_TRUE(file) << path;
    return text.str();
}

inline std::string with_length(const std::string& header, const std::string& data) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
    return bytes + header + data;
}

struct TestTensor {
    DType dtype = DType::bf16;
    std::vector<int64_t> shape;
    std::string bytes;
};
using TestTensors = std::map<std::string, TestTensor>;

inline std::string safetensors_bytes(const TestTensors& tensors) {
    json::Object header;
    std::string data;
    for (const auto& [name, tensor] : tensors) {
        json::Array shape;
        for (int64_t size : tensor.shape) shape.emplace_back(size);
        header.append(name,
                      json::Value::object(
                          {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", std::move(shape)},
                           {"data_offsets", json::Value::array({data.size(), data.size() + tensor.bytes.size()})}}));
        data += tensor.bytes;
    }
    return with_length(json::write(json::Value(std::move(header))), data);
}

// The tensors of a safetensors file, read by this test's own code.
inline TestTensors read_tensors(const std::filesystem::path& path) {
    const std::string bytes = read_file(path);
    uint64_t header_bytes = 0;
    for (int i = 0; i < 8; ++i) header_bytes |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    const auto header = json::parse(std::string_view(bytes).substr(8, header_bytes));
    TestTensors tensors;
    for (const auto& [name, value] : header->as_object()) {
        if (name == "__metadata__") continue;
        TestTensor& tensor = tensors[name];
        for (DType dtype : {DType::f32, DType::bf16, DType::f8_e4m3})
            if (dtype_name(dtype) == value.find("dtype")->as_string()) tensor.dtype = dtype;
        for (const json::Value& size : value.find("shape")->as_array()) tensor.shape.push_back(*size.to_int64());
        const auto& offsets = value.find("data_offsets")->as_array();
        const int64_t begin = *offsets[0].to_int64(), end = *offsets[1].to_int64();
        tensor.bytes = bytes.substr(8 + header_bytes + begin, end - begin);
    }
    return tensors;
}

}  // namespace glm5::load
