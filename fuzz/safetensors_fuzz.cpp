// load: safetensors headers and the shard index. A header that is accepted describes ranges inside the file.
#include "load/safetensors.h"
#include "load/shard_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace glm5;
    if (size < 2) return 0;
    // The first two bytes are the bytes of data behind the header.
    const uint64_t data_bytes = data[0] | data[1] << 8;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const uint64_t file_bytes = 8 + text.size() + data_bytes;
    if (const auto tensors = load::parse_safetensors_header(text, file_bytes); tensors.ok()) {
        uint64_t covered = 8 + text.size();
        for (const load::TensorInfo& tensor : *tensors) {
            GLM5_CHECK(tensor.file_offset == covered, "{}", tensor.name);
            covered += tensor.num_bytes;
        }
        GLM5_CHECK(covered == file_bytes);
    }
    if (const auto index = load::parse_shard_index(text); index.ok())
        for (const auto& [name, file] : index->file_of)
            GLM5_CHECK(index->files.at(file).find('/') == std::string::npos, "{}", name);
    return 0;
}
