#include "server/config/reference.h"

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ExpandReferencesTest : public ::testing::Test {
 protected:
  ExpandReferencesTest() {
    setenv("GROVE_SET", "value", 1);
    setenv("GROVE_EMPTY", "", 1);
    setenv("GROVE_NESTED", "${GROVE_SET}", 1);
    unsetenv("GROVE_UNSET");
  }

  std::string Expand(const std::string& text) {
    const absl::StatusOr<Expanded> expanded = ExpandReferences(text, ::testing::TempDir());
    return expanded.ok() ? expanded->value : "error: " + std::string(expanded.status().message());
  }

  void File(const std::string& name, const std::string& text) {
    std::ofstream(::testing::TempDir() + "/" + name, std::ios::trunc) << text;
  }
};

TEST_F(ExpandReferencesTest, LeavesOtherTextAlone) {
  for (const char* text : {"", "a", "$", "$a", "a$", "{}", "$ {A}", "a{b}$"}) {
    EXPECT_EQ(Expand(text), text);
    EXPECT_FALSE(ExpandReferences(text, "/")->has_references);
  }
}

TEST_F(ExpandReferencesTest, TakesVariablesAsShellsDo) {
  EXPECT_EQ(Expand("${GROVE_SET}"), "value");
  EXPECT_EQ(Expand("a-${GROVE_SET}/${GROVE_SET}b"), "a-value/valueb");
  EXPECT_EQ(Expand("x${GROVE_EMPTY}y"), "xy");
  EXPECT_EQ(Expand("${GROVE_EMPTY:-d}"), "d");
  EXPECT_EQ(Expand("${GROVE_UNSET:-d:-e}"), "d:-e");
  EXPECT_EQ(Expand("${GROVE_UNSET:-}"), "");
  EXPECT_EQ(Expand("${GROVE_SET:-d}"), "value");
  EXPECT_TRUE(ExpandReferences("${GROVE_EMPTY}", "/")->has_references);
}

TEST_F(ExpandReferencesTest, DoesNotExpandAgain) {
  EXPECT_EQ(Expand("${GROVE_NESTED}"), "${GROVE_SET}");
}

TEST_F(ExpandReferencesTest, TakesAnEscape) {
  EXPECT_EQ(Expand("$${GROVE_SET}"), "${GROVE_SET}");
  EXPECT_EQ(Expand("a$${"), "a${");
  EXPECT_EQ(Expand("$$${GROVE_SET}"), "$${GROVE_SET}");
  EXPECT_EQ(Expand("$${a}${GROVE_SET}"), "${a}value");
  EXPECT_FALSE(ExpandReferences("$${GROVE_SET}", "/")->has_references);
}

TEST_F(ExpandReferencesTest, TakesAFileWithoutItsLastLineEnd) {
  File("one", "secret\n");
  File("two", "a\r\n");
  File("three", "\n\n");
  EXPECT_EQ(Expand("${file:one}!"), "secret!");
  EXPECT_EQ(Expand("${file:" + ::testing::TempDir() + "/two}"), "a");
  EXPECT_EQ(Expand("${file:three}"), "\n");
}

TEST_F(ExpandReferencesTest, SaysWhatIsWrong) {
  EXPECT_THAT(Expand("${GROVE_UNSET}"),
              HasSubstr("'${GROVE_UNSET}': the environment has no variable GROVE_UNSET; set it, or "
                        "write ${GROVE_UNSET:-default}"));
  EXPECT_THAT(Expand("a${b"), HasSubstr("'${' has no '}' behind it"));
  EXPECT_THAT(Expand("${}"), HasSubstr("want ${NAME}"));
  EXPECT_THAT(Expand("${1A}"), HasSubstr("want ${NAME}"));
  EXPECT_THAT(Expand("${a-b}"), HasSubstr("want ${NAME}"));
  EXPECT_THAT(Expand("${A:-${B}}"), HasSubstr("cannot stand within another"));
  EXPECT_THAT(Expand("${file:}"), HasSubstr("want a path"));
  EXPECT_THAT(Expand("${file:nowhere}"), HasSubstr("nowhere: No such file"));
  EXPECT_THAT(Expand("${file:/}"), HasSubstr("no regular file"));
}

TEST_F(ExpandReferencesTest, BoundsFilesAndValues) {
  File("most", std::string(kReferencedBytesMax, 'x'));
  File("more", std::string(kReferencedBytesMax + 1, 'x'));
  EXPECT_EQ(Expand("${file:most}").size(), kReferencedBytesMax);
  EXPECT_THAT(Expand("${file:more}"), HasSubstr("at most 65536 bytes"));
  EXPECT_THAT(Expand("${file:most}${GROVE_SET}"), HasSubstr("comes to more than 65536"));
  EXPECT_THAT(Expand("${file:most}${GROVE_SET}"), Not(HasSubstr("xxx")));
}

}  // namespace
}  // namespace grove::config
