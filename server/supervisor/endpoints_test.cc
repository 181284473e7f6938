#include "server/supervisor/endpoints.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace grove {
namespace {

class EndpointsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // sun_path is short, and TempDir() may be long.
  const std::string root_ = "/tmp/grove_endpoints_test." + std::to_string(getpid());
};

TEST_F(EndpointsTest, TellsThePortThatTheKernelChose) {
  auto endpoints = Endpoints::Bind("127.0.0.1:0", root_, 1);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  EXPECT_TRUE(absl::StartsWith(endpoints->http_address(), "127.0.0.1:"));
  EXPECT_FALSE(absl::EndsWith(endpoints->http_address(), ":0"));
}

TEST_F(EndpointsTest, BindsTwoPrivateSocketsForEachWorker) {
  auto endpoints = Endpoints::Bind("127.0.0.1:0", root_, 2);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  ASSERT_EQ(endpoints->paths().size(), 4u);
  for (const std::string& path : endpoints->paths()) {
    struct stat status;
    ASSERT_EQ(stat(path.c_str(), &status), 0) << path;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << path;
  }
  EXPECT_EQ(endpoints->paths()[3], root_ + "/worker-1.backdoor");
}

TEST_F(EndpointsTest, NamesTheAddressThatIsTaken) {
  auto first = Endpoints::Bind("127.0.0.1:0", root_, 0);
  ASSERT_TRUE(first.ok());
  auto second = Endpoints::Bind(first->http_address(), root_, 0);
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(absl::StartsWith(second.status().message(), "cannot bind " + first->http_address()))
      << second.status();
}

TEST_F(EndpointsTest, KeepOnlyClosesTheOthersSockets) {
  auto endpoints = Endpoints::Bind("127.0.0.1:0", root_, 2);
  ASSERT_TRUE(endpoints.ok());
  endpoints->KeepOnly(1);
  EXPECT_EQ(endpoints->link_fd(0), -1);
  EXPECT_EQ(endpoints->backdoor_fd(0), -1);
  EXPECT_GE(endpoints->link_fd(1), 0);
}

}  // namespace
}  // namespace grove
