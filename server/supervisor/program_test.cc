#include "server/supervisor/program.h"

#include <fcntl.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace grove::supervisor {
namespace {

TEST(ProgramPath, OfANameIsWhereItIsFound) {
  EXPECT_EQ(ProgramPath("sh", "/nowhere:/bin", "/self"), "/bin/sh");
  EXPECT_EQ(ProgramPath("no-such-program", "/bin", "/self"), "/self");
  EXPECT_EQ(ProgramPath("", "/bin", "/self"), "/self");
}

TEST(ProgramPath, OfAPathIsItselfMadeAbsolute) {
  EXPECT_EQ(ProgramPath("/bin/../bin/sh", "", "/self"), "/bin/sh");
  ASSERT_EQ(chdir("/"), 0);
  EXPECT_EQ(ProgramPath("bin/sh", "", "/self"), "/bin/sh");
  EXPECT_EQ(ProgramPath("./no/such", "", "/self"), "/self");
}

TEST(ProgramPath, KeepsASymbolicLink) {
  const std::string link = testing::TempDir() + "/current";
  unlink(link.c_str());
  ASSERT_EQ(symlink("/bin/sh", link.c_str()), 0);
  EXPECT_EQ(ProgramPath(link, "", "/self").substr(link.rfind('/') - 1).find("current") !=
                std::string::npos,
            true);
}

TEST(OpenProgram, IsClosedWithItsOwnerAndCopied) {
  int fd = -1;
  {
    const OpenProgram shell("/bin/sh");
    fd = shell.fd();
    ASSERT_GE(fd, 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    const OpenProgram copy = OpenProgram::Of(fd);
    EXPECT_GE(copy.fd(), 0);
    EXPECT_NE(copy.fd(), fd);
  }
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
  EXPECT_EQ(OpenProgram("/no/such/program").fd(), -1);
}

}  // namespace
}  // namespace grove::supervisor
