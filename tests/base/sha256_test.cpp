// The examples of FIPS 180-4 (NIST), and every length around the end of a block against digests of another library.
#include "base/sha256.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace glm5 {
namespace {

std::string hex(const Sha256& digest) {
    std::string text;
    for (const uint8_t byte : digest) text += fmt::format("{:02x}", byte);
    return text;
}

TEST(Sha256, Nist) {
    EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(
        hex(sha256("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
                   "mnopqrstnopqrstu")),
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    EXPECT_EQ(hex(sha256(std::string(1'000'000, 'a'))),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// The digest of the digests of 0 … 199 bytes 'x'; made with Python's hashlib.
TEST(Sha256, EveryLengthOfTheLastBlock) {
    std::string digests;
    for (size_t length = 0; length < 200; ++length) {
        const Sha256 digest = sha256(std::string(length, 'x'));
        digests.append(digest.begin(), digest.end());
    }
    EXPECT_EQ(hex(sha256(digests)), "f5e61141898898cdabae3590cb32e1901b40bdc59952302926213a44c105c129");
}

}  // namespace
}  // namespace glm5
