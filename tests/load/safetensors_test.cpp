// Safetensors headers, good and hostile: every refusal says which tensor and why.
#include "load/safetensors.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "checkpoint_files.h"

namespace glm5::load {
namespace {

std::string header_error(const std::string& header, uint64_t data_bytes) {
    const auto tensors = parse_safetensors_header(header, 8 + header.size() + data_bytes);
    return tensors.ok() ? "no error" : tensors.status().message();
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
    return fmt::format(R"("{}": {{"dtype": "{}", "shape": {}, "data_offsets": {}}})", name, dtype, shape, offsets);
}

std::string file_error(const std::string& bytes) {
    const TemporaryDirectory directory;
    const auto path = directory.write("model.safetensors", bytes);
    const auto file = File::open(path);
    EXPECT_TRUE(file.ok());
    const auto tensors = read_safetensors_header(*file);
    if (tensors.ok()) return "no error";
    EXPECT_TRUE(tensors.status().message().starts_with(path.string() + ": ")) << tensors.status().message();
    return tensors.status().message().substr(path.string().size() + 2);
}

TEST(Safetensors, ReadsAHeader) {
    const std::string header = "{" + tensor("b", "BF16", "[2, 3]", "[4, 16]") +
                               ", \"__metadata__\": {\"format\": \"pt\"}, " + tensor("a", "F32", "[]", "[0, 4]") +
                               ", " + tensor("c", "F8_E4M3", "[0, 5]", "[16, 16]") + "}   ";
    const auto tensors = parse_safetensors_header(header, 8 + header.size() + 16);
    ASSERT_TRUE(tensors.ok()) << tensors.status().message();
    ASSERT_EQ(tensors->size(), 3u);
    EXPECT_EQ((*tensors)[0].name, "a");
    EXPECT_EQ((*tensors)[0].shape, std::vector<int64_t>());
    EXPECT_EQ((*tensors)[0].num_bytes, 4u);
    EXPECT_EQ((*tensors)[1].name, "b");
    EXPECT_EQ((*tensors)[1].dtype, DType::bf16);
    EXPECT_EQ((*tensors)[1].shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ((*tensors)[1].file_offset, 8 + header.size() + 4);
    EXPECT_EQ((*tensors)[2].num_bytes, 0u);
}

TEST(Safetensors, RefusesBadRanges) {
    const std::string a = tensor("a", "F32", "[2]", "[0, 8]");
    EXPECT_EQ(header_error("{" + a + "," + tensor("b", "F32", "[2]", "[4, 12]") + "}", 12),
              "tensor \"b\": its bytes [4, 12) overlap those of \"a\"");
    EXPECT_EQ(header_error("{" + a + "," + tensor("b", "F32", "[2]", "[0, 8]") + "}", 8),
              "tensor \"b\": its bytes [0, 8) overlap those of \"a\"");
    EXPECT_EQ(header_error("{" + a + "," + tensor("b", "F32", "[2]", "[12, 20]") + "}", 20),
              "tensor \"b\": bytes [8, 12) before it belong to no tensor");
    EXPECT_EQ(header_error("{" + a + "}", 7),
              "the file is truncated: tensor \"a\" ends at byte 8 of the data, the file has 7");
    EXPECT_EQ(header_error("{" + a + "}", 9), "the last 1 bytes of the file belong to no tensor");
    EXPECT_EQ(header_error("{}", 1), "the last 1 bytes of the file belong to no tensor");
    EXPECT_EQ(header_error("{}", 0), "no error");
    for (const char* offsets : {"[8, 0]", "[-8, 0]", "[0]", "[0, 8, 8]", "[0, 8.5]", "\"0\"", "null", "[0, 1e3]",
                                "[0, 99999999999999999999]"})
        EXPECT_EQ(header_error("{" + tensor("a", "F32", "[2]", offsets) + "}", 8),
                  "tensor \"a\": data_offsets are not [begin, end]")
            << offsets;
}

TEST(Safetensors, RefusesShapesThatDoNotFitTheirBytes) {
    EXPECT_EQ(header_error("{" + tensor("a", "BF16", "[2, 2]", "[0, 4]") + "}", 4),
              "tensor \"a\": BF16 [2, 2] takes 8 bytes, data_offsets [0, 4] hold 4");
    // The product is 2^64 + 4 in exact arithmetic, and 4 in 64 bits.
    EXPECT_EQ(header_error("{" + tensor("a", "U8", "[4, 4611686018427387905]", "[0, 4]") + "}", 4),
              "tensor \"a\": U8 [4, 4611686018427387905] takes more than 2^64 bytes, data_offsets [0, 4] hold 4");
    for (const char* shape : {"[-1]", "[1.0]", "2", "null", "[[2]]", "[\"2\"]", "[9223372036854775808]"})
        EXPECT_EQ(header_error("{" + tensor("a", "F32", shape, "[0, 8]") + "}", 8),
                  "tensor \"a\": shape is not a list of sizes")
            << shape;
}

TEST(Safetensors, RefusesBadEntries) {
    EXPECT_EQ(header_error("{" + tensor("a", "F64", "[1]", "[0, 8]") + "}", 8),
              "tensor \"a\": dtype \"F64\" is not supported; supported: F32, BF16, F16, F8_E4M3, U8, I32, I64");
    EXPECT_EQ(header_error("{\"a\": 5}", 0), "tensor \"a\": no dtype");
    EXPECT_EQ(header_error("{\"a\\nb\": {}}", 0), "tensor \"a\\nb\": no dtype");
    EXPECT_EQ(header_error("[]", 0), "header: expected an object, found a JSON array");
    EXPECT_EQ(header_error("{\"a\": {}", 0), "header: line 1, column 9: the text ends inside a value");
    EXPECT_EQ(
        header_error("{" + tensor("a", "U8", "[1]", "[0, 1]") + ", " + tensor("a", "U8", "[1]", "[1, 2]") + "}", 2),
        "header: line 1, column 120: the object that ends here has the key \"a\" twice");
    EXPECT_EQ(header_error(std::string(9, '[') + std::string(9, ']'), 0),
              "header: line 1, column 9: more than 8 arrays and objects inside one another");
    EXPECT_EQ(header_error("{\"\xff\": 1}", 0).substr(0, 23), "header: line 1, column ");
    EXPECT_EQ(header_error(std::string("{\0}", 3), 0), "header: line 1, column 2: syntax error");
    const std::string name(100000, 'x');
    EXPECT_LT(header_error("{\"" + name + "\": 1}", 0).size(), 300u);
}

TEST(Safetensors, RefusesBadFiles) {
    EXPECT_EQ(file_error(""), "0 bytes are no safetensors file");
    EXPECT_EQ(file_error("1234567"), "7 bytes are no safetensors file");
    EXPECT_EQ(file_error(std::string(8, '\xff')), "a header of 18446744073709551615 bytes; at most 100000000 are read");
    EXPECT_EQ(file_error(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10)),
              "a header of 100000001 bytes; at most 100000000 are read");
    EXPECT_EQ(file_error(std::string("\x10\0\0\0\0\0\0\0{}", 10)),
              "the file is truncated: a header of 16 bytes in a file of 10");
    EXPECT_EQ(file_error("<html>not a model</html>"),
              "a header of 8029423821061908540 bytes; at most 100000000 are read");
    EXPECT_EQ(file_error(with_length("{}", "")), "no error");
    const std::string good = safetensors_bytes({{"a", {DType::f32, {2}, "12345678"}}});
    EXPECT_EQ(file_error(good), "no error");
    EXPECT_EQ(file_error(good.substr(0, good.size() - 3)),
              "the file is truncated: tensor \"a\" ends at byte 8 of the data, the file has 5");
}

TEST(File, RefusesWhatIsNoRegularFile) {
    const TemporaryDirectory directory;
    EXPECT_EQ(File::open(directory.path()).status().message(), directory.path().string() + ": not a regular file");
    EXPECT_EQ(File::open(directory.path() / "x").status().message(),
              (directory.path() / "x").string() + ": no such file");
    EXPECT_EQ(File::open(directory.path() / "x").status().code(), StatusCode::not_found);
    const auto fifo = directory.path() / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(File::open(fifo).status().message(), fifo.string() + ": not a regular file");
}

TEST(File, AFileThatShrinksIsAnError) {
    const TemporaryDirectory directory;
    const auto path = directory.write("data", std::string(1000, 'x'));
    const auto file = File::open(path);
    ASSERT_TRUE(file.ok());
    std::filesystem::resize_file(path, 600);
    std::vector<std::byte> bytes(1000);
    const Status status = file->read(0, bytes);
    EXPECT_EQ(status.code(), StatusCode::io_error);
    EXPECT_EQ(status.message(), path.string() + ": ends at byte 600, expected 400 more");
    EXPECT_EQ(read_text(path, 599).status().message(), path.string() + ": 600 bytes; at most 599 are read");
}

}  // namespace
}  // namespace glm5::load
