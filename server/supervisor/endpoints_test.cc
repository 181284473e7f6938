#include "server/supervisor/endpoints.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "runtime/io/socket.h"

namespace grove::supervisor {
namespace {

class EndpointsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // Listeners as Resolve() leaves them; the first is http.listen's.
  static config::v1::Http At(const std::vector<std::string>& addresses) {
    config::v1::Http http;
    for (const std::string& address : addresses) http.add_listeners()->set_address(address);
    http.mutable_listeners(0)->set_name("http");
    return http;
  }
  static std::vector<int> HttpFds(const Endpoints& endpoints, int worker) {
    std::vector<int> fds;
    for (const process::HttpSocket& each : endpoints.http_sockets(worker)) fds.push_back(each.fd);
    return fds;
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat status;
    EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777;
  }
  // TCP_DEFER_ACCEPT of it, in seconds.
  static int DeferralOf(int fd) {
    int seconds = -1;
    socklen_t size = sizeof(seconds);
    EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &size), 0);
    return seconds;
  }
  // A socket at a descriptor that nothing else has, as a service manager hands it over.
  InheritedSockets Inherit(const std::string& address, const std::string& name) {
    auto bound = Endpoints::Bind(At({address}), root_, 0);
    EXPECT_TRUE(bound.ok()) << bound.status();
    EXPECT_EQ(dup2(HttpFds(*bound, 0)[0], 700), 700);
    auto inherited = InheritedSockets::Adopt(700, 1, name);
    EXPECT_TRUE(inherited.ok()) << inherited.status();
    return *std::move(inherited);
  }

  // sun_path is short, and TempDir() may be long.
  const std::string root_ = "/tmp/grove_endpoints_test." + std::to_string(getpid());
};

TEST_F(EndpointsTest, TellsThePortThatTheKernelChose) {
  auto endpoints = Endpoints::Bind(At({"127.0.0.1:0"}), root_, 1);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  EXPECT_TRUE(absl::StartsWith(endpoints->http_addresses()[0], "127.0.0.1:"));
  EXPECT_FALSE(absl::EndsWith(endpoints->http_addresses()[0], ":0"));
}

TEST_F(EndpointsTest, BindsTwoPrivateSocketsForEachWorker) {
  auto endpoints = Endpoints::Bind(At({"127.0.0.1:0"}), root_, 2);
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
  auto first = Endpoints::Bind(At({"127.0.0.1:0"}), root_, 0);
  ASSERT_TRUE(first.ok());
  auto second = Endpoints::Bind(At(first->http_addresses()), root_, 0);
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(
      absl::StartsWith(second.status().message(), "cannot bind " + first->http_addresses()[0]))
      << second.status();
}

TEST_F(EndpointsTest, KeepOnlyClosesTheOthersSockets) {
  auto endpoints = Endpoints::Bind(At({"127.0.0.1:0"}), root_, 2);
  ASSERT_TRUE(endpoints.ok());
  endpoints->KeepOnly(1);
  EXPECT_EQ(endpoints->link_fd(0), -1);
  EXPECT_EQ(endpoints->backdoor_fd(0), -1);
  EXPECT_GE(endpoints->link_fd(1), 0);
}

TEST_F(EndpointsTest, BindsAnewWhatHasLostItsName) {
  auto endpoints = Endpoints::Bind(At({"127.0.0.1:0"}), root_, 3);
  ASSERT_TRUE(endpoints.ok());
  EXPECT_EQ(*endpoints->Restore(), std::vector<int>());
  std::filesystem::remove(root_ + "/worker-0.link");
  std::filesystem::remove(root_ + "/worker-2.backdoor");
  EXPECT_EQ(*endpoints->Restore(), (std::vector<int>{0, 2}));
  for (const std::string& path : endpoints->paths()) {
    EXPECT_TRUE(std::filesystem::is_socket(path)) << path;
  }
  EXPECT_EQ(*endpoints->Restore(), std::vector<int>());
  EXPECT_EQ(endpoints->paths().size(), 6u);
}

TEST_F(EndpointsTest, AnHttpListenerThatHasLostItsNameConcernsAllWorkers) {
  const std::string path = root_ + "/http.sock";
  config::v1::Http http = At({"127.0.0.1:0", "unix:" + path});
  http.mutable_listeners(1)->set_unix_mode("0620");
  auto endpoints = Endpoints::Bind(http, root_, 2);
  ASSERT_TRUE(endpoints.ok());
  std::filesystem::remove(path);
  EXPECT_EQ(*endpoints->Restore(), (std::vector<int>{0, 1}));
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0620u);
}

TEST_F(EndpointsTest, WhatIsNoSocketOfOursIsNotRemoved) {
  auto endpoints = Endpoints::Bind(At({"127.0.0.1:0"}), root_, 1);
  ASSERT_TRUE(endpoints.ok());
  std::filesystem::remove(root_ + "/worker-0.link");
  std::filesystem::create_directory(root_ + "/worker-0.link");
  EXPECT_FALSE(endpoints->Restore().ok());
  EXPECT_TRUE(std::filesystem::is_directory(root_ + "/worker-0.link"));
}

TEST_F(EndpointsTest, BindsEveryListener) {
  const std::string path = root_ + "/http.sock";
  config::v1::Http http = At({"127.0.0.1:0", "[::1]:0", "unix:" + path});
  http.mutable_listeners(2)->set_unix_mode("0620");
  auto endpoints = Endpoints::Bind(http, root_, 0);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  ASSERT_EQ(HttpFds(*endpoints, 0).size(), 3u);
  EXPECT_TRUE(absl::StartsWith(endpoints->http_addresses()[1], "[::1]:"));
  EXPECT_EQ(endpoints->http_addresses()[2], "unix:" + path);
  EXPECT_EQ(endpoints->paths(), std::vector<std::string>{path});
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0620u);
}

TEST_F(EndpointsTest, BindsASocketForEachWorkerWhereTheConfigSaysSo) {
  config::v1::Http http = At({"127.0.0.1:0", "127.0.0.1:0", "[::1]:0"});
  http.mutable_listeners(1)->set_reuse_port(true);
  http.mutable_listeners(2)->set_reuse_port(true);
  auto endpoints = Endpoints::Bind(http, root_, 3);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  const std::vector<int> first = HttpFds(*endpoints, 0);
  const std::vector<int> last = HttpFds(*endpoints, 2);
  EXPECT_EQ(first[0], last[0]);
  for (const int listener : {1, 2}) {
    EXPECT_NE(first[listener], last[listener]);
    for (const int fd : {first[listener], last[listener]}) {
      EXPECT_EQ(SocketAddress::OfLocal(fd).ToString(), endpoints->http_addresses()[listener]);
    }
  }
  // Its address is shared by its sockets alone.
  auto again = Endpoints::Bind(At({endpoints->http_addresses()[1]}), root_, 0);
  EXPECT_FALSE(again.ok());
}

TEST_F(EndpointsTest, AWorkerKeepsItsOwnSocketOfThoseForEach) {
  config::v1::Http http = At({"127.0.0.1:0", "127.0.0.1:0"});
  http.mutable_listeners(1)->set_reuse_port(true);
  auto endpoints = Endpoints::Bind(http, root_, 2);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  endpoints->KeepOnly(1);
  EXPECT_GE(HttpFds(*endpoints, 1)[0], 0);
  EXPECT_GE(HttpFds(*endpoints, 1)[1], 0);
  EXPECT_EQ(HttpFds(*endpoints, 0)[1], -1);
  endpoints->CloseHttp();
  EXPECT_EQ(HttpFds(*endpoints, 1), std::vector<int>({-1, -1}));
}

TEST_F(EndpointsTest, ASlotIsBoundWhenItIsUsedAndLeavesNothing) {
  config::v1::Http http = At({"127.0.0.1:0", "127.0.0.1:0"});
  http.mutable_listeners(1)->set_reuse_port(true);
  auto endpoints = Endpoints::Bind(http, root_, 1);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  ASSERT_TRUE(endpoints->BindSlot(2).ok());
  const int fd = HttpFds(*endpoints, 2)[1];
  EXPECT_EQ(SocketAddress::OfLocal(fd).ToString(), endpoints->http_addresses()[1]);
  ASSERT_TRUE(endpoints->BindSlot(2).ok());
  EXPECT_EQ(HttpFds(*endpoints, 2)[1], fd) << "it has it already";
  EXPECT_EQ(endpoints->paths().size(), 4u);
  endpoints->ReleaseSlot(2);
  EXPECT_FALSE(std::filesystem::exists(root_ + "/worker-2.link"));
  EXPECT_EQ(endpoints->paths().size(), 2u);
  EXPECT_EQ(*endpoints->Restore(), std::vector<int>());
  ASSERT_TRUE(endpoints->BindSlot(2).ok());
  EXPECT_GE(HttpFds(*endpoints, 2)[1], 0);
}

TEST_F(EndpointsTest, AStandInHasEverybodysSockets) {
  config::v1::Http http = At({"127.0.0.1:0", "127.0.0.1:0"});
  http.mutable_listeners(1)->set_reuse_port(true);
  auto endpoints = Endpoints::Bind(http, root_, 3);
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  endpoints->CloseOwnHttp(1);
  endpoints->KeepForStandIn();
  EXPECT_EQ(endpoints->link_fd(0), -1);
  EXPECT_EQ(endpoints->all_http_sockets(),
            (std::vector<process::HttpSocket>{{HttpFds(*endpoints, 0)[0], 0},
                                              {HttpFds(*endpoints, 0)[1], 1},
                                              {HttpFds(*endpoints, 2)[1], 1}}));
}

TEST_F(EndpointsTest, AnInheritedSocketIsNotOneForEachWorker) {
  config::v1::Http http = At({"127.0.0.1:1"});
  http.mutable_listeners(0)->set_reuse_port(true);
  auto endpoints = Endpoints::Bind(http, root_, 2, Inherit("127.0.0.1:0", "http"));
  EXPECT_TRUE(absl::IsInvalidArgument(endpoints.status())) << endpoints.status();
  EXPECT_NE(endpoints.status().message().find("http.listen.reuse_port"), std::string::npos)
      << endpoints.status();
}

TEST_F(EndpointsTest, NamesTheKeyOfAListenerThatCannotBeBound) {
  auto endpoints = Endpoints::Bind(At({"127.0.0.1:0", "unix:/none/a"}), root_, 0);
  ASSERT_FALSE(endpoints.ok());
  EXPECT_TRUE(absl::EndsWith(endpoints.status().message(), "(http.listeners[0])"))
      << endpoints.status();
}

TEST_F(EndpointsTest, TakesInheritedSockets) {
  auto endpoints = Endpoints::Bind(At({"127.0.0.1:1"}), root_, 0, Inherit("127.0.0.1:0", "http"));
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  EXPECT_EQ(HttpFds(*endpoints, 0), std::vector<int>{700});
  EXPECT_NE(endpoints->http_addresses()[0], "127.0.0.1:1");
}

TEST_F(EndpointsTest, RemovesNoPathOfAnInheritedSocket) {
  const std::string path = "unix:" + root_ + "/inherited.sock";
  auto endpoints = Endpoints::Bind(At({path}), root_, 0, Inherit(path, ""));
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  EXPECT_TRUE(endpoints->paths().empty());
}

TEST_F(EndpointsTest, RefusesInheritedSocketsThatNobodyServes) {
  auto endpoints = Endpoints::Bind(At({"127.0.0.1:0"}), root_, 0, Inherit("127.0.0.1:0", "other"));
  EXPECT_TRUE(absl::IsInvalidArgument(endpoints.status())) << endpoints.status();
}

TEST_F(EndpointsTest, AnInheritedSocketBeyondThisMachineNeedsConsent) {
  auto refused = Endpoints::Bind(At({"127.0.0.1:1"}), root_, 0, Inherit("0.0.0.0:0", "http"));
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
  config::v1::Http http = At({"127.0.0.1:1"});
  http.set_insecure(true);
  auto accepted = Endpoints::Bind(http, root_, 0, Inherit("0.0.0.0:0", "http"));
  EXPECT_TRUE(accepted.ok()) << accepted.status();
}

TEST_F(EndpointsTest, AnotherConfigKeepsWhatItHasAndDropsTheRest) {
  config::v1::Http http = At({"127.0.0.1:0", "unix:" + root_ + "/a", "unix:" + root_ + "/b"});
  auto old = Endpoints::Bind(http, root_, 1);
  ASSERT_TRUE(old.ok()) << old.status();
  http = At({"127.0.0.1:0", "unix:" + root_ + "/b", "unix:" + root_ + "/c"});
  http.mutable_listeners(1)->set_name("renamed");
  http.mutable_listeners(1)->set_unix_mode("0600");
  internal::v1::SupervisorHandover record;
  record.set_workers(1);
  old->Describe(record);
  auto next = Endpoints::Adopt(http, root_, record);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->http_addresses()[0], old->http_addresses()[0]);
  struct stat b;
  ASSERT_EQ(stat((root_ + "/b").c_str(), &b), 0);
  EXPECT_EQ(b.st_mode & 0777, 0600u);
  internal::v1::SupervisorHandover kept;
  next->Describe(kept);
  old->RemoveNamesBut(kept);
  EXPECT_FALSE(std::filesystem::exists(root_ + "/a"));
  EXPECT_TRUE(std::filesystem::exists(root_ + "/b"));
  EXPECT_TRUE(std::filesystem::exists(root_ + "/c"));
  *old = *std::move(next);
  EXPECT_EQ(HttpFds(*old, 0).size(), 3u);
}

TEST_F(EndpointsTest, AnotherConfigThatCannotBeBoundChangesNothing) {
  config::v1::Http http = At({"127.0.0.1:0", "unix:" + root_ + "/a"});
  http.mutable_listeners(1)->set_unix_mode("0600");
  auto old = Endpoints::Bind(http, root_, 1);
  ASSERT_TRUE(old.ok()) << old.status();
  internal::v1::SupervisorHandover record;
  record.set_workers(1);
  old->Describe(record);
  http = At({"127.0.0.1:0", "unix:" + root_ + "/a", "unix:" + root_ + "/b", "unix:/none/c"});
  http.mutable_listeners(0)->set_accept_silent(true);
  http.mutable_listeners(1)->set_unix_mode("0666");
  auto next = Endpoints::Adopt(http, root_, record);
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(ModeOf(root_ + "/a"), 0600u);
  EXPECT_GT(DeferralOf(HttpFds(*old, 0)[0]), 0);
  EXPECT_FALSE(std::filesystem::exists(root_ + "/b")) << "what was bound for it is left";
  http.mutable_listeners()->DeleteSubrange(2, 2);
  next = Endpoints::Adopt(http, root_, record);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(ModeOf(root_ + "/a"), 0666u);
  EXPECT_EQ(DeferralOf(HttpFds(*old, 0)[0]), 0);
  // And back.
  http.mutable_listeners(0)->set_accept_silent(false);
  http.mutable_listeners(1)->set_unix_mode("");
  const mode_t before = umask(0022);
  next = Endpoints::Adopt(http, root_, record);
  umask(before);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(ModeOf(root_ + "/a"), 0755u);
  EXPECT_GT(DeferralOf(HttpFds(*old, 0)[0]), 0);
}

TEST_F(EndpointsTest, AListenerWhoseNameIsGoneCanBeTakenOver) {
  config::v1::Http http = At({"127.0.0.1:0", "unix:" + root_ + "/a"});
  auto old = Endpoints::Bind(http, root_, 1);
  ASSERT_TRUE(old.ok()) << old.status();
  internal::v1::SupervisorHandover record;
  old->Describe(record);
  std::filesystem::remove(root_ + "/a");
  http.mutable_listeners(1)->set_unix_mode("0600");
  auto next = Endpoints::Adopt(http, root_, record);
  ASSERT_TRUE(next.ok()) << next.status();
  ASSERT_TRUE(next->Restore().ok());
  EXPECT_EQ(ModeOf(root_ + "/a"), 0600u);
}

}  // namespace
}  // namespace grove::supervisor
