#include "server/supervisor/service_notice.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace grove::supervisor {
namespace {

// A service manager's end: a datagram socket at `name`, as NOTIFY_SOCKET writes it.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address),
                   offsetof(sockaddr_un, sun_path) + name.size()),
              0)
        << name << ": " << strerror(errno);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() {
    close(fd_);
    unsetenv("NOTIFY_SOCKET");
  }

  // What it was told next; empty if nothing. A datagram is there once it has been sent.
  std::string Next() const {
    char text[256];
    const ssize_t got = recv(fd_, text, sizeof(text), 0);
    return got < 0 ? "" : std::string(text, static_cast<size_t>(got));
  }

 private:
  const int fd_;
};

// In /tmp: the test's own folder may have a longer name than an address holds.
std::string Path(const std::string& name) {
  std::string path = "/tmp/grove-service-notice-" + std::to_string(getpid()) + "-" + name;
  unlink(path.c_str());
  return path;
}

const std::string kMainPid = "MAINPID=" + std::to_string(getpid());

// Whoever set up this test may be a service itself.
class ServiceNoticeTest : public testing::Test {
 protected:
  ServiceNoticeTest() { Unset(); }
  ~ServiceNoticeTest() override { Unset(); }
  static void Unset() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }
  static MonotonicNanos At(int seconds) { return absl::ToInt64Nanoseconds(absl::Seconds(seconds)); }

  const std::string name_ = "@grove-service-notice-test-" + std::to_string(getpid());
};

TEST_F(ServiceNoticeTest, GoesToAPath) {
  const std::string path = Path("notify");
  const Manager manager(path);
  ServiceNotice notice = ServiceNotice::TakeFromEnvironment();
  notice.Serving("2 workers");
  notice.Stopping("told\nto");
  notice.Say("3 workers");
  EXPECT_EQ(manager.Next(), "READY=1\n" + kMainPid + "\nSTATUS=2 workers");
  EXPECT_EQ(manager.Next(), "STOPPING=1\nSTATUS=told to");
  EXPECT_EQ(manager.Next(), "STATUS=3 workers");
  EXPECT_EQ(manager.Next(), "");
  unlink(path.c_str());
}

TEST_F(ServiceNoticeTest, GoesToAnAbstractAddress) {
  const Manager manager(name_);
  ServiceNotice::TakeFromEnvironment().Say("on");
  EXPECT_EQ(manager.Next(), "STATUS=on");
}

TEST_F(ServiceNoticeTest, GoesToALongestPathAndToNoLongerOne) {
  const size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  const std::string name = "@" + std::string(longest - 1, 'n');
  const Manager manager(name);
  ServiceNotice::TakeFromEnvironment().Say("on");
  EXPECT_EQ(manager.Next(), "STATUS=on");
  setenv("NOTIFY_SOCKET", (name + "n").c_str(), 1);
  ServiceNotice::TakeFromEnvironment().Say("on");
  EXPECT_EQ(manager.Next(), "");
}

TEST_F(ServiceNoticeTest, WithoutAManagerNothingHappens) {
  for (const std::string& name : {std::string(), std::string("/"), Path("nobody")}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    ServiceNotice notice = ServiceNotice::TakeFromEnvironment();
    notice.Serving("");
    notice.Pass(0);
  }
  EXPECT_EQ(ServiceNotice::TakeFromEnvironment().due(), kNever);
}

TEST_F(ServiceNoticeTest, AReloadTellsItsTimeAndLastsUntilTheDaemonServes) {
  const Manager manager(name_);
  ServiceNotice notice = ServiceNotice::TakeFromEnvironment();
  notice.Serving("");
  manager.Next();
  notice.Reloading("replacing", 1'234'567);
  EXPECT_EQ(manager.Next(), "RELOADING=1\nMONOTONIC_USEC=1234\nSTATUS=replacing");
  EXPECT_EQ(notice.due(), 1'234'567);
  notice.Serving("");
  EXPECT_EQ(notice.due(), kNever);
}

TEST_F(ServiceNoticeTest, AsksForMoreTimeUntilItServesAndWhileItStops) {
  const Manager manager(name_);
  ServiceNotice notice = ServiceNotice::TakeFromEnvironment();
  notice.Pass(At(100));
  EXPECT_EQ(manager.Next(), "EXTEND_TIMEOUT_USEC=15000000");
  EXPECT_EQ(notice.due(), At(105));
  notice.Pass(At(105) - 1);
  EXPECT_EQ(manager.Next(), "");
  notice.Serving("");
  manager.Next();
  notice.Pass(At(105));
  EXPECT_EQ(manager.Next(), "");
  notice.Stopping("");
  manager.Next();
  notice.Pass(At(106));
  EXPECT_EQ(manager.Next(), "EXTEND_TIMEOUT_USEC=15000000");
}

TEST_F(ServiceNoticeTest, KeepsTheWatchdogQuietAtHalfItsTime) {
  const Manager manager(name_);
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  ServiceNotice notice = ServiceNotice::TakeFromEnvironment();
  notice.Serving("");
  manager.Next();
  notice.Pass(At(100));
  EXPECT_EQ(manager.Next(), "WATCHDOG=1");
  EXPECT_EQ(notice.due(), At(115));
  notice.Pass(At(115) - 1);
  EXPECT_EQ(manager.Next(), "");
  notice.Pass(At(115));
  EXPECT_EQ(manager.Next(), "WATCHDOG=1");
}

TEST_F(ServiceNoticeTest, AWatchdogOfAnotherProcessIsNotFed) {
  const Manager manager(name_);
  setenv("WATCHDOG_USEC", "30000000", 1);
  for (const char* pid : {"1", "x"}) {
    setenv("NOTIFY_SOCKET", name_.c_str(), 1);
    setenv("WATCHDOG_PID", pid, 1);
    ServiceNotice notice = ServiceNotice::TakeFromEnvironment();
    notice.Serving("");
    EXPECT_EQ(notice.due(), kNever) << pid;
  }
}

TEST_F(ServiceNoticeTest, ChildrenDoNotSeeTheVariablesAndTheNextProgramDoes) {
  const Manager manager(name_);
  setenv("WATCHDOG_USEC", "7", 1);
  const ServiceNotice notice = ServiceNotice::TakeFromEnvironment();
  EXPECT_EQ(getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(getenv("WATCHDOG_USEC"), nullptr);
  notice.PutIntoEnvironment();
  EXPECT_STREQ(getenv("NOTIFY_SOCKET"), name_.c_str());
  EXPECT_STREQ(getenv("WATCHDOG_USEC"), "7");
  EXPECT_EQ(getenv("WATCHDOG_PID"), nullptr);
}

}  // namespace
}  // namespace grove::supervisor
