#include "runtime/listener.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"

namespace grove {
namespace {

TEST(Listener, AStaleUnixPathIsReplacedAndALiveOneRefused) {
  char directory[] = "/tmp/grove_XXXXXX";  // short: sun_path holds 107 bytes
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/s";
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  local.sun_family = AF_UNIX;
  path.copy(local.sun_path, sizeof(local.sun_path) - 1);
  address.length = sizeof(sockaddr_un);
  const int first = *BindListener(address);
  EXPECT_TRUE(absl::IsAlreadyExists(BindListener(address).status()));
  close(first);
  const absl::StatusOr<int> second = BindListener(address);
  ASSERT_TRUE(second.ok()) << second.status();
  close(*second);
  unlink(path.c_str());
  rmdir(directory);
}

}  // namespace
}  // namespace grove
