#include "server/config/secret.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::config {
namespace {

using ::testing::HasSubstr;

std::string File(const std::string& text, mode_t mode) {
  std::string path = ::testing::TempDir() + "/secret";
  std::ofstream(path, std::ios::trunc) << text;
  EXPECT_EQ(chmod(path.c_str(), mode), 0);
  return path;
}

std::string ErrorOf(const std::string& text) {
  return std::string(ReadSecretFile(File(text, 0600)).status().message());
}

TEST(ReadSecretFile, ReadsTheFirstLineAlone) {
  const std::string secret = "0123456789abcdef";
  for (const char* rest : {"", "\n", "\r\n", "\nsecond line\n"}) {
    EXPECT_EQ(*ReadSecretFile(File(secret + rest, 0600)), secret);
  }
}

TEST(ReadSecretFile, TakesSixteenBytesOrMore) {
  EXPECT_EQ(ErrorOf(std::string(16, 'x') + "\n"), "");
  EXPECT_THAT(ErrorOf(std::string(15, 'x') + "\nmore of it here"), HasSubstr("has 15 bytes"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("has 0 bytes"));
  EXPECT_EQ(ErrorOf(std::string(kSecretBytesMax, 'x') + "\r\n"), "");
  EXPECT_THAT(ErrorOf(std::string(kSecretBytesMax + 1, 'x')), HasSubstr("too many bytes"));
  EXPECT_THAT(ErrorOf(std::string(3 * kSecretBytesMax, 'x')), HasSubstr("too many bytes"));
}

TEST(ReadSecretFile, TakesWhatAHeaderCarriesAlone) {
  EXPECT_THAT(ErrorOf("0123456789 abcdef"), HasSubstr("printable ASCII"));
  EXPECT_THAT(ErrorOf("0123456789abcdef\xc3\xa4"), HasSubstr("printable ASCII"));
}

TEST(ReadFieldFile, TakesBlanksWithinTheValue) {
  EXPECT_EQ(*ReadFieldFile(File("Bearer 0123456789abcdef\n", 0600)), "Bearer 0123456789abcdef");
  for (const char* bad : {" 0123456789abcdef", "0123456789abcdef ", "0123456789\tabcdef"}) {
    EXPECT_THAT(std::string(ReadFieldFile(File(bad, 0600)).status().message()),
                HasSubstr("without blanks at its ends"))
        << bad;
  }
  EXPECT_FALSE(ReadFieldFile(File("Bearer 0123456789abcdef", 0644)).ok());
}

TEST(ReadSecretFile, RefusesAFileThatOthersMayReadOrWrite) {
  for (const mode_t mode : {0600, 0400, 0440, 0640, 0660}) {
    EXPECT_TRUE(ReadSecretFile(File("0123456789abcdef", mode)).ok()) << mode;
  }
  for (const mode_t mode : {0644, 0604, 0602, 0666}) {
    const auto secret = ReadSecretFile(File("0123456789abcdef", mode));
    EXPECT_EQ(secret.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(secret.status().message()), HasSubstr("others may read or write it"));
  }
}

TEST(ReadSecretFile, RefusesWhatIsNoFile) {
  EXPECT_EQ(ReadSecretFile("/nonexistent").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ReadSecretFile("/").status().message()), HasSubstr("no regular file"));
}

TEST(CheckPrivateFile, DiffersFromAReadableOneByItsMode) {
  const std::string path = File("x", 0644);
  EXPECT_TRUE(CheckReadableFile(path).ok());
  EXPECT_FALSE(CheckPrivateFile(path).ok());
  EXPECT_TRUE(CheckPrivateFile(File("x", 0640)).ok());
}

}  // namespace
}  // namespace grove::config
