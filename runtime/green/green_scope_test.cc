#include "runtime/green/green_scope.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/green/green_report.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"

namespace grove {
namespace {

constexpr size_t kMegabyte = 1 << 20;

// Every peer here is a fiber of the same thread: what blocked it would never be answered.
class GreenScopeTest : public HubTest {
 protected:
  GreenScopeTest() : HubTest({.stack_bytes = 512 * 1024}) { ResetGreenReport(); }

  // The counts of all calls of `function` from libraries whose name has `library` in it.
  static uint64_t Counted(std::string_view function, GreenOutcome outcome,
                          const std::string& library = "") {
    uint64_t count = 0;
    for (const GreenCall& call : GreenReport()) {
      if (call.function != function) continue;
      if (call.library.find(library) != std::string::npos) count += call.count(outcome);
    }
    return count;
  }
  // Blocking ends of a connection.
  struct Pair {
    int one = -1;
    int other = -1;
    Pair() {
      int ends[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
      one = ends[0];
      other = ends[1];
    }
    ~Pair() {
      close(one);
      close(other);
    }
  };
  // A server that answers each `asked` bytes of a connection with `answer`.
  static FiberHandle Serve(Listener& listener, size_t asked, const std::string& answer) {
    return *Spawn("server", [&listener, asked, answer] {
      for (;;) {
        absl::StatusOr<Socket> socket = listener.Accept();
        if (!socket.ok()) return;
        std::vector<char> buffer(asked);
        size_t had = 0;
        for (;;) {
          absl::StatusOr<size_t> got = socket->Read(buffer);
          if (!got.ok() || *got == 0) break;
          had += *got;
          if (had < asked) continue;
          had = 0;
          if (answer.empty() || !socket->Write(answer).ok()) continue;
        }
      }
    });
  }
  static absl::StatusOr<Listener> Listen() {
    return Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
  }

  OffloadPool pool_{{.threads = 2}};
};

TEST_F(GreenScopeTest, HiredisWaitsForItsAnswersWithoutTheThread) {
  Run([&] {
    Listener listener = *Listen();
    FiberHandle server = Serve(listener, 14, "+PONG\r\n");  // "*1\r\n$4\r\nPING\r\n"
    std::vector<FiberHandle> clients;
    clients.reserve(10);
    for (int i = 0; i < 10; ++i) {
      clients.push_back(*Spawn("client", [&] {
        // [hiredis]
        const GreenScope green({.offload = &pool_});
        redisContext* redis = redisConnect("127.0.0.1", listener.LocalAddress().port());
        // [/hiredis]
        ASSERT_NE(redis, nullptr);
        ASSERT_EQ(redis->err, 0) << redis->errstr;
        for (int j = 0; j < 5; ++j) {
          auto* reply = static_cast<redisReply*>(redisCommand(redis, "PING"));
          ASSERT_NE(reply, nullptr) << redis->errstr;
          EXPECT_STREQ(reply->str, "PONG");
          freeReplyObject(reply);
        }
        redisFree(redis);
      }));
    }
    for (FiberHandle& client : clients) EXPECT_TRUE(client.Join().ok());
    EXPECT_EQ(Counted("read", GreenOutcome::kParked, "libhiredis"), 50u) << GreenReportText();
    EXPECT_EQ(Counted("read", GreenOutcome::kEscaped), 0u);
    listener.Close();
    server.AwaitEnd();
  });
}

TEST_F(GreenScopeTest, ATimeoutAndACancelEndWhatALibraryWaitsFor) {
  Run([&] {
    Listener listener = *Listen();
    FiberHandle server = Serve(listener, 14, "");
    const auto ask = [&listener](int& error) {
      const GreenScope green;
      redisContext* redis = redisConnect("127.0.0.1", listener.LocalAddress().port());
      EXPECT_EQ(redisCommand(redis, "PING"), nullptr);
      error = redis->err == REDIS_ERR_IO ? errno : -1;
      redisFree(redis);
    };
    int error = 0;
    FiberHandle bounded = *Spawn("bounded", [&] {
      Timeout timeout(absl::Seconds(5));
      ask(error);
      EXPECT_TRUE(timeout.fired());
    });
    EXPECT_TRUE(bounded.Join().ok());
    EXPECT_EQ(error, ETIMEDOUT);
    FiberHandle cancelled = *Spawn("cancelled", [&] { ask(error); });
    while (cancelled->waiting_for().kind != WaitFor::Kind::kRead) Yield();
    cancelled.Cancel();
    cancelled.AwaitEnd();
    EXPECT_EQ(error, ECANCELED);
    listener.Close();
    server.AwaitEnd();
  });
}

size_t Append(char* bytes, size_t size, size_t count, void* to) {
  static_cast<std::string*>(to)->append(bytes, size * count);
  return size * count;
}

TEST_F(GreenScopeTest, CurlEasyFetchesBesideOthers) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  Run([&] {
    Listener listener = *Listen();
    const std::string url = absl::StrCat("http://127.0.0.1:", listener.LocalAddress().port(), "/");
    FiberHandle server =
        Serve(listener, 1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    std::vector<FiberHandle> clients;
    clients.reserve(10);
    for (int i = 0; i < 5; ++i) {
      clients.push_back(*Spawn("client", [&] {
        const GreenScope green({.offload = &pool_});
        std::string body;
        CURL* curl = curl_easy_init();
        curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
        const CURLcode code = curl_easy_perform(curl);
        EXPECT_EQ(code, CURLE_OK) << curl_easy_strerror(code);
        EXPECT_EQ(body, "ok");
        curl_easy_cleanup(curl);
      }));
    }
    for (FiberHandle& client : clients) EXPECT_TRUE(client.Join().ok());
    EXPECT_GT(Counted("poll", GreenOutcome::kParked, "libcurl"), 0u) << GreenReportText();
    EXPECT_EQ(Counted("poll", GreenOutcome::kEscaped), 0u);
    EXPECT_EQ(Counted("poll", GreenOutcome::kRefused), 0u);
    listener.Close();
    server.AwaitEnd();
  });
}

TEST_F(GreenScopeTest, BlockingWritesWriteAllAndReadsWait) {
  using Writing = std::function<ssize_t(int fd, const std::string& bytes)>;
  const std::vector<Writing> ways = {
      [](int fd, const std::string& bytes) { return write(fd, bytes.data(), bytes.size()); },
      [](int fd, const std::string& bytes) { return send(fd, bytes.data(), bytes.size(), 0); },
      [](int fd, const std::string& bytes) {
        return sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
      },
      [](int fd, const std::string& bytes) {
        auto* const data = const_cast<char*>(bytes.data());
        const iovec pieces[] = {{data, 10}, {data + 10, bytes.size() - 10}};
        return writev(fd, pieces, 2);
      }};
  Run([&] {
    for (const Writing& way : ways) {
      const Pair pair;
      const std::string sent(kMegabyte, 'x');
      FiberHandle writer = *Spawn("writer", [&] {
        const GreenScope green;
        EXPECT_EQ(way(pair.one, sent), static_cast<ssize_t>(sent.size()));
      });
      const GreenScope green;
      std::string got(kMegabyte, ' ');
      EXPECT_EQ(recv(pair.other, got.data(), got.size(), MSG_WAITALL),
                static_cast<ssize_t>(got.size()));
      EXPECT_EQ(got, sent);
      EXPECT_TRUE(writer.Join().ok());
    }
  });
}

TEST_F(GreenScopeTest, PipesAreReadAndWritten) {
  Run([&] {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    FiberHandle writer = *Spawn("writer", [&] {
      const GreenScope green;
      const std::string bytes(kMegabyte, 'x');
      EXPECT_EQ(write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
      close(ends[1]);
    });
    const GreenScope green;
    size_t got = 0;
    char buffer[1000];
    iovec pieces[] = {{buffer, 500}, {buffer + 500, 500}};
    for (;;) {
      const ssize_t count =
          got % 2 == 0 ? read(ends[0], buffer, sizeof(buffer) - 1) : readv(ends[0], pieces, 2);
      ASSERT_GE(count, 0);
      if (count == 0) break;
      got += static_cast<size_t>(count);
    }
    EXPECT_EQ(got, kMegabyte);
    EXPECT_TRUE(writer.Join().ok());
    close(ends[0]);
  });
}

TEST_F(GreenScopeTest, ConnectAndAcceptMeet) {
  Run([&] {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof(address);
    ASSERT_EQ(bind(listener, name, length), 0);
    ASSERT_EQ(listen(listener, 1), 0);
    ASSERT_EQ(getsockname(listener, name, &length), 0);
    FiberHandle server = *Spawn("server", [&] {
      const GreenScope green;
      const int fd = accept(listener, nullptr, nullptr);
      ASSERT_GE(fd, 0);
      EXPECT_EQ(write(fd, "hello", 5), 5);
      close(fd);
    });
    const GreenScope green;
    Yield();  // it waits
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(fd, name, length), 0);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0) << "its flags are the library's";
    char buffer[10];
    EXPECT_EQ(recv(fd, buffer, sizeof(buffer), MSG_WAITALL), 5);
    EXPECT_TRUE(server.Join().ok());
    EXPECT_EQ(Counted("accept", GreenOutcome::kParked), 1u);
    close(fd);
    close(listener);
    const int refused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(refused, name, length), -1);
    EXPECT_EQ(errno, ECONNREFUSED);
    close(refused);
  });
}

TEST_F(GreenScopeTest, PollSelectAndEpollWaitForAnyOfThem) {
  Run([&] {
    const Pair idle;
    const Pair pair;
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.fd = pair.other}};
    ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pair.other, &event), 0);
    const GreenScope green;
    const auto soon = [&] {
      return *Spawn("writer", [&] { EXPECT_EQ(write(pair.one, "x", 1), 1); });
    };
    const auto take = [&] {
      char byte;
      EXPECT_EQ(recv(pair.other, &byte, 1, MSG_DONTWAIT), 1);
    };

    pollfd fds[] = {{idle.other, POLLIN, 0}, {-1, POLLIN, 0}, {pair.other, POLLIN, 0}};
    EXPECT_EQ(poll(fds, 3, 50), 0);
    FiberHandle writer = soon();
    EXPECT_EQ(poll(fds, 3, -1), 1);
    EXPECT_EQ(fds[2].revents, POLLIN);
    take();
    writer.AwaitEnd();

    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(idle.other, &readable);
    FD_SET(pair.other, &readable);
    timeval brief{.tv_sec = 100, .tv_usec = 0};
    fd_set copy = readable;
    EXPECT_EQ(select(pair.other + 1, &copy, nullptr, nullptr, &brief), 0);
    EXPECT_FALSE(FD_ISSET(pair.other, &copy));
    writer = soon();
    EXPECT_EQ(select(pair.other + 1, &readable, nullptr, nullptr, nullptr), 1);
    EXPECT_TRUE(FD_ISSET(pair.other, &readable));
    EXPECT_FALSE(FD_ISSET(idle.other, &readable));
    take();
    writer.AwaitEnd();

    EXPECT_EQ(epoll_wait(epoll, &event, 1, 50), 0);
    writer = soon();
    EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    EXPECT_EQ(event.data.fd, pair.other);
    take();
    writer.AwaitEnd();
    close(epoll);

    // The same twice, for different events.
    pollfd twice[] = {{pair.other, POLLPRI, 0}, {pair.other, POLLIN, 0}};
    writer = soon();
    EXPECT_EQ(poll(twice, 2, -1), 1);
    writer.AwaitEnd();
  });
}

TEST_F(GreenScopeTest, SleepsParkForTheHubsTime) {
  Run([&] {
    std::vector<int> order;
    std::vector<FiberHandle> fibers;
    for (int hours : {3, 1, 2}) {
      fibers.push_back(*Spawn("sleeper", [&order, hours] {
        const GreenScope green;
        EXPECT_EQ(sleep(3600 * hours), 0u);
        order.push_back(hours);
      }));
    }
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
    const GreenScope green;
    const timespec hour{.tv_sec = 3600, .tv_nsec = 0};
    EXPECT_EQ(nanosleep(&hour, nullptr), 0);
    EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, nullptr), 0);
    EXPECT_EQ(usleep(3'600'000'000u), 0);
    FiberHandle cut = *Spawn("cut", [&] {
      const GreenScope inner;
      Timeout timeout(absl::Seconds(1000));
      timespec left{};
      EXPECT_EQ(nanosleep(&hour, &left), -1);
      EXPECT_EQ(errno, EINTR);
      EXPECT_EQ(left.tv_sec, 2600);
    });
    EXPECT_TRUE(cut.Join().ok());
  });
}

TEST_F(GreenScopeTest, FilesAndNamesGoToTheOffloadPoolOrAreCountedAsEscaped) {
  Run([&] {
    const int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    char buffer[100];
    {
      const GreenScope green({.offload = &pool_});
      EXPECT_GT(read(file, buffer, sizeof(buffer)), 0);
      addrinfo hints{};
      hints.ai_flags = AI_NUMERICHOST;
      addrinfo* found = nullptr;
      EXPECT_EQ(getaddrinfo("127.0.0.1", "80", &hints, &found), 0);
      freeaddrinfo(found);
    }
    EXPECT_EQ(Counted("read", GreenOutcome::kOffloaded), 1u);
    EXPECT_EQ(Counted("getaddrinfo", GreenOutcome::kOffloaded), 1u);
    {
      const GreenScope green;
      EXPECT_EQ(lseek(file, 0, SEEK_SET), 0);
      EXPECT_GT(read(file, buffer, sizeof(buffer)), 0);
    }
    EXPECT_EQ(Counted("read", GreenOutcome::kEscaped), 1u);
    EXPECT_NE(GreenReportText().find("read"), std::string::npos);
    close(file);
  });
}

TEST_F(GreenScopeTest, AFiberThatHoldsALockBlocksAndIsCounted) {
  Run([&] {
    const Pair pair;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    const GreenScope green({.offload = &pool_});
    pthread_mutex_lock(&mutex);
    pollfd wanted{pair.one, POLLIN, 0};
    EXPECT_EQ(poll(&wanted, 1, 1), 0);
    EXPECT_EQ(Counted("poll", GreenOutcome::kRefused), 1u);
    EXPECT_EQ(Counted("poll", GreenOutcome::kParked), 0u);
    pthread_mutex_unlock(&mutex);
    EXPECT_EQ(poll(&wanted, 1, 1), 0);
    EXPECT_EQ(Counted("poll", GreenOutcome::kParked), 1u);
    ASSERT_FALSE(GreenReport().empty());
    EXPECT_GT(GreenReport()[0].blocked, absl::ZeroDuration()) << "the worst first";
  });
}

TEST_F(GreenScopeTest, WhatALibraryMadeNonBlockingStaysSo) {
  Run([&] {
    const Pair pair;
    fcntl(pair.one, F_SETFL, O_NONBLOCK);
    const GreenScope green;
    char byte;
    EXPECT_EQ(read(pair.one, &byte, 1), -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(recv(pair.other, &byte, 1, MSG_DONTWAIT), -1);
    EXPECT_EQ(errno, EAGAIN);
    const timeval brief{.tv_sec = 30, .tv_usec = 0};
    ASSERT_EQ(setsockopt(pair.other, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof(brief)), 0);
    EXPECT_EQ(recv(pair.other, &byte, 1, 0), -1);
    EXPECT_EQ(errno, EAGAIN) << "as socket(7) says of SO_RCVTIMEO";
  });
}

TEST_F(GreenScopeTest, OutsideOfAScopeAllIsLibcs) {
  Run([&] {
    const Pair pair;
    EXPECT_EQ(write(pair.one, "x", 1), 1);
    char byte;
    EXPECT_EQ(read(pair.other, &byte, 1), 1);
    { const GreenScope green; }
    EXPECT_EQ(usleep(1), 0);
    // A scope is its fiber's alone.
    const GreenScope green;
    FiberHandle other = *Spawn("other", [] { EXPECT_EQ(GreenScope::OfRunning(), nullptr); });
    EXPECT_TRUE(other.Join().ok());
    EXPECT_NE(GreenScope::OfRunning(), nullptr);
  });
  EXPECT_EQ(GreenReport().size(), 0u) << GreenReportText();
  EXPECT_EQ(GreenReportText(), "no greened calls yet\n");
}

}  // namespace
}  // namespace grove
