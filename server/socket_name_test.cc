#include "server/socket_name.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "gtest/gtest.h"

namespace grove {
namespace {

class SocketNameTest : public testing::Test {
 protected:
  SocketNameTest() {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/s";
  }
  ~SocketNameTest() override { std::filesystem::remove_all(folder_); }

  void Bind(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    close(fd);
  }

  std::string folder_ = "/tmp/grove_name.XXXXXX";
  std::string path_;
};

TEST_F(SocketNameTest, StandsUntilItIsRemoved) {
  Bind(path_);
  const SocketName name = SocketName::Of(path_);
  EXPECT_TRUE(name.Stands());
  name.Remove();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(name.Stands());
}

TEST_F(SocketNameTest, AnotherSocketInItsPlaceIsNotItAndStays) {
  Bind(path_);
  const SocketName name = SocketName::Of(path_);
  Bind(path_ + "2");
  std::filesystem::rename(path_ + "2", path_);
  EXPECT_FALSE(name.Stands());
  name.Remove();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketNameTest, AFileIsNoSocket) {
  close(open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_EQ(SocketName::Of(path_).inode, 0u);
  SocketName::Of(path_).Remove();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketNameTest, ASocketWithoutANameAlwaysStands) {
  EXPECT_TRUE(SocketName().Stands());
  SocketName().Remove();
}

}  // namespace
}  // namespace grove
