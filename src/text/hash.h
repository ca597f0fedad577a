// The hash of the tokenizer's tables: fast on the few bytes of a pre-token. A table draws its seed when it is made, so
// that no file can be written to collide.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>

namespace glm5::text {

inline uint64_t random_seed() {
    std::random_device device;
    return static_cast<uint64_t>(device()) << 32 | device();
}

// The two halves of the 128-bit product, folded.
inline uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hash_u64(uint64_t value, uint64_t seed) {
    return mix(value ^ seed, 0x9E3779B97F4A7C15u);
}

inline uint64_t hash_bytes(std::string_view bytes, uint64_t seed) {
    const auto load = [](const char* from, auto word) {
        std::memcpy(&word, from, sizeof word);
        return static_cast<uint64_t>(word);
    };
    const char* data = bytes.data();
    size_t length = bytes.size();
    uint64_t state = seed ^ length * 0xD6E8FEB86659FD93u;
    for (; length > 16; length -= 8, data += 8) state = mix(state ^ load(data, uint64_t{}), 0xA0761D6478BD642Fu);
    uint64_t low = 0, high = 0;  // the last bytes, read as two words that may overlap
    if (length >= 8) {
        low = load(data, uint64_t{});
        high = load(data + length - 8, uint64_t{});
    } else if (length >= 4) {
        low = load(data, uint32_t{});
        high = load(data + length - 4, uint32_t{});
    } else if (length > 0) {
        low = load(data, uint8_t{});
        high = load(data + length / 2, uint8_t{}) << 8 | load(data + length - 1, uint8_t{});
    }
    return mix(low ^ 0xE7037ED1A0B428DBu, high ^ state);
}

}  // namespace glm5::text
