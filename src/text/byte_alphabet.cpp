// The GPT-2 table: printable Latin-1 characters stand for themselves, the 68 other bytes for U+0100 and following.
#include "text/byte_alphabet.h"

#include <array>

#include "text/utf8.h"

namespace glm5::text {
namespace {

constexpr uint32_t kNumChars = 256 + 68;
constexpr int16_t kNoByte = -1;

constexpr bool stands_for_itself(uint32_t byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<uint32_t, 256> kCharOf = [] {
    std::array<uint32_t, 256> chars{};
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) chars[byte] = stands_for_itself(byte) ? byte : next++;
    return chars;
}();

constexpr std::array<int16_t, kNumChars> kByteOf = [] {
    std::array<int16_t, kNumChars> bytes{};
    for (int16_t& byte : bytes) byte = kNoByte;
    for (int16_t byte = 0; byte < 256; ++byte) bytes[kCharOf[byte]] = byte;
    return bytes;
}();

}  // namespace

uint32_t byte_to_char(unsigned char byte) {
    return kCharOf[byte];
}

std::optional<std::string> name_to_bytes(std::string_view name) {
    if (!is_valid_utf8(name)) return std::nullopt;
    std::string bytes;
    for (size_t offset = 0; offset < name.size();) {
        const DecodedChar decoded = decode_valid_utf8(name, offset);
        if (decoded.code_point >= kNumChars || kByteOf[decoded.code_point] == kNoByte) return std::nullopt;
        bytes.push_back(static_cast<char>(kByteOf[decoded.code_point]));
        offset += static_cast<size_t>(decoded.length);
    }
    return bytes;
}

std::string bytes_to_name(std::string_view bytes) {
    std::string name;
    for (char byte : bytes) append_utf8(name, byte_to_char(static_cast<unsigned char>(byte)));
    return name;
}

}  // namespace glm5::text
