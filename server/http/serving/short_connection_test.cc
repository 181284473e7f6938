// What a connection for a single request asks of the kernel: no call too many. The program's own
// versions of the calls stand in front of the C library's, count, and pass on.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>
#include <map>
#include <optional>
#include <string>

#include "runtime/io/listener.h"
#include "server/http/serving/server_fixture.h"

namespace {

using Calls = std::map<std::string, int>;

// By name; "send" tells of MSG_MORE, "epoll_ctl" of what it does.
Calls* g_calls = nullptr;

template <typename... Args>
long Pass(const char* name, long number, Args... args) {
  if (g_calls != nullptr) ++(*g_calls)[name];
  return syscall(number, args...);
}

}  // namespace

extern "C" {
int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return static_cast<int>(Pass("accept4", SYS_accept4, fd, address, length, flags));
}
int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  return static_cast<int>(Pass("getpeername", SYS_getpeername, fd, address, length));
}
int setsockopt(int fd, int level, int name, const void* value, socklen_t length) noexcept {
  return static_cast<int>(Pass("setsockopt", SYS_setsockopt, fd, level, name, value, length));
}
int fcntl(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  const long argument = va_arg(rest, long);
  va_end(rest);
  return static_cast<int>(Pass("fcntl", SYS_fcntl, fd, command, argument));
}
int epoll_ctl(int poller, int what, int fd, epoll_event* event) noexcept {
  const char* const name = what == EPOLL_CTL_ADD   ? "epoll_ctl add"
                           : what == EPOLL_CTL_DEL ? "epoll_ctl del"
                                                   : "epoll_ctl mod";
  return static_cast<int>(Pass(name, SYS_epoll_ctl, poller, what, fd, event));
}
ssize_t recv(int fd, void* buffer, size_t bytes, int flags) {
  return Pass("recv", SYS_recvfrom, fd, buffer, bytes, flags, nullptr, nullptr);
}
ssize_t send(int fd, const void* buffer, size_t bytes, int flags) {
  const char* const name = (flags & MSG_MORE) != 0 ? "send more" : "send";
  return Pass(name, SYS_sendto, fd, buffer, bytes, flags, nullptr, 0);
}
int shutdown(int fd, int how) noexcept {
  return static_cast<int>(Pass("shutdown", SYS_shutdown, fd, how));
}
int close(int fd) {
  return static_cast<int>(Pass("close", SYS_close, fd));
}
}

namespace grove::http {
namespace {

// Clients past the counted calls, each of whose steps the server sees at once.
class RawClient {
 public:
  explicit RawClient(const SocketAddress& server)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&server.storage), server.length), 0);
  }
  ~RawClient() { syscall(SYS_close, fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void Send(std::string_view bytes) {
    EXPECT_EQ(write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  // Up to the end of the stream, which must have been sent.
  std::string ReadAll() {
    std::string all;
    char piece[1024];
    for (ssize_t got; (got = read(fd_, piece, sizeof(piece))) > 0;) all.append(piece, got);
    return all;
  }

 private:
  const int fd_;
};

class ShortConnectionTest : public ServerFixture {
 protected:
  static constexpr char kRequest[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

  // The server's calls for one connection: what a second one adds to those for the first.
  Calls CallsFor(const std::function<void(RawClient&)>& talk) {
    Handle("GET", "/",
           [](Request&, Response& response) { return response.Send(200, "text/plain", "hello"); });
    Calls calls;
    Run([&] {
      Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
      const SocketAddress address = listener.LocalAddress();
      FiberHandle serving = *Spawn("server", [&] { return server_->Serve(std::move(listener)); });
      Settle();
      Calls both[2];
      for (Calls& counted : both) {
        RawClient client(address);
        g_calls = &counted;
        talk(client);
        do {
          Settle();
        } while (stats_.open > 0);
        g_calls = nullptr;
        EXPECT_TRUE(client.ReadAll().ends_with("hello"));
      }
      EXPECT_EQ(both[0], both[1]);
      calls = both[1];
      server_->Drain();
      EXPECT_TRUE(serving.Join().ok());
    });
    return calls;
  }
  // Until the server can do no more (invented time passes only then).
  static void Settle() { EXPECT_TRUE(Sleep(absl::Milliseconds(1)).ok()); }
};

// The listener's own: it is in the poller while the server waits for a connection.
TEST_F(ShortConnectionTest, OneWhoseRequestCameWithItIsTakenReadAnsweredAndEnded) {
  const Calls calls = CallsFor([](RawClient& client) { client.Send(kRequest); });
  const Calls expected = {{"accept4", 2},       {"close", 1}, {"epoll_ctl add", 1},
                          {"epoll_ctl del", 1}, {"recv", 1},  {"send more", 1},
                          {"shutdown", 1}};
  EXPECT_EQ(calls, expected);
}

TEST_F(ShortConnectionTest, OneWhoseRequestComesLaterIsPolledForItAndForgottenByItsClose) {
  const Calls calls = CallsFor([](RawClient& client) {
    Settle();
    client.Send(kRequest);
  });
  const Calls expected = {{"accept4", 2},       {"close", 1}, {"epoll_ctl add", 2},
                          {"epoll_ctl del", 1}, {"recv", 2},  {"send more", 1},
                          {"shutdown", 1}};
  EXPECT_EQ(calls, expected);
}

TEST_F(ShortConnectionTest, BytesThatComeBehindTheRequestDoNotCostTheClientItsAnswer) {
  std::optional<RawClient> client;
  Handle("GET", "/", [&](Request&, Response& response) {
    client->Send("\r\n");  // stay unread
    return response.Send(200, "text/plain", "hello");
  });
  Run([&] {
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    client.emplace(listener.LocalAddress());
    FiberHandle serving = *Spawn("server", [&] { return server_->Serve(std::move(listener)); });
    client->Send(kRequest);
    Settle();
    EXPECT_EQ(stats_.open, 0);
    EXPECT_TRUE(client->ReadAll().ends_with("hello"));
    server_->Drain();
    EXPECT_TRUE(serving.Join().ok());
  });
}

}  // namespace
}  // namespace grove::http
