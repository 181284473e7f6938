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

TEST(ServiceNotice, GoesToAPath) {
  const std::string path = Path("notify");
  const Manager manager(path);
  NotifyServiceManager("READY=1");
  NotifyServiceManager("STOPPING=1");
  EXPECT_EQ(manager.Next(), "READY=1");
  EXPECT_EQ(manager.Next(), "STOPPING=1");
  EXPECT_EQ(manager.Next(), "");
  unlink(path.c_str());
}

TEST(ServiceNotice, GoesToAnAbstractAddress) {
  const Manager manager("@grove-service-notice-test-" + std::to_string(getpid()));
  NotifyServiceManager("READY=1");
  EXPECT_EQ(manager.Next(), "READY=1");
}

TEST(ServiceNotice, GoesToALongestPathAndToNoLongerOne) {
  const size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  const std::string name = "@" + std::string(longest - 1, 'n');
  const Manager manager(name);
  NotifyServiceManager("READY=1");
  EXPECT_EQ(manager.Next(), "READY=1");
  setenv("NOTIFY_SOCKET", (name + "n").c_str(), 1);
  NotifyServiceManager("READY=1");
  EXPECT_EQ(manager.Next(), "");
}

TEST(ServiceNotice, WithoutAManagerNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  NotifyServiceManager("READY=1");
  for (const std::string& name : {std::string(), std::string("/"), Path("nobody")}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    NotifyServiceManager("READY=1");
  }
  unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace grove::supervisor
