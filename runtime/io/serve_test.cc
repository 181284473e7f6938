#include "runtime/io/serve.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

class StreamServerTest : public HubTest {
 protected:
  static Listener Listen() {
    return *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
  }
  static Socket ConnectTo(const Listener& listener) {
    return *Socket::Connect(SocketAddress::OfLocal(listener.fd()));
  }
  // The bytes until the server closes the connection.
  static std::string Ask(const Listener& listener, char question) {
    Socket client = ConnectTo(listener);
    EXPECT_TRUE(client.Write({&question, 1}).ok());
    char answer[8];
    const auto got = client.Read(answer);
    return std::string(answer, got.ok() ? *got : 0);
  }
  // '=' is answered; 't' throws, 'e' fails, 's' stops the server, 'w' waits for ever.
  static absl::Status Answer(Socket& connection) {
    char question[1];
    if (absl::Status read = connection.ReadFull(question); !read.ok()) return read;
    switch (question[0]) {
      case 't':
        throw std::runtime_error("thrown by the handler");
      case 'e':
        return absl::InternalError("returned by the handler");
      case 's':
        return StopServe();
      case 'w':
        return Sleep(absl::InfiniteDuration());
    }
    return connection.Write("answer");
  }
};

TEST_F(StreamServerTest, AFailingHandlerEndsItsConnectionOnlyAndIsReported) {
  std::vector<std::string> errors;
  Run([&] {
    Listener listener = Listen();
    StreamServer server({.on_error = [&](const SocketAddress& peer, const absl::Status& error) {
      EXPECT_EQ(peer.ToString().substr(0, 10), "127.0.0.1:");
      errors.push_back(error.ToString());
    }});
    auto serving = *Spawn("serving", [&] { return server.Serve(listener, &Answer); });
    EXPECT_EQ(Ask(listener, 't'), "");
    EXPECT_EQ(Ask(listener, 'e'), "");
    EXPECT_EQ(Ask(listener, '='), "answer");
    EXPECT_EQ(Ask(listener, 's'), "");
    EXPECT_TRUE(serving.Join().ok());
  });
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_NE(errors[0].find("thrown by the handler"), std::string::npos);
  EXPECT_NE(errors[1].find("returned by the handler"), std::string::npos);
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 0u);
}

TEST_F(StreamServerTest, StopLetsHandlersFinishAndLeavesTheListenerOpen) {
  Run([&] {
    Listener listener = Listen();
    StreamServer server({});
    auto serving = *Spawn("serving", [&] { return server.Serve(listener, &Answer); });
    Socket client = ConnectTo(listener);
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(server.connections(), 1);
    server.Stop();
    Yield();
    EXPECT_FALSE(serving.ended());
    EXPECT_TRUE(client.Write("=").ok());
    EXPECT_TRUE(serving.Join().ok());
    EXPECT_GE(listener.fd(), 0);
  });
}

TEST_F(StreamServerTest, HoldsConcurrencyAndServesTheOthersLater) {
  Run([&] {
    Listener listener = Listen();
    StreamServer server({.concurrency = 1});
    auto serving = *Spawn("serving", [&] { return server.Serve(listener, &Answer); });
    Socket first = ConnectTo(listener);
    Socket second = ConnectTo(listener);
    EXPECT_TRUE(second.Write("=").ok());
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(server.connections(), 1);
    char answer[6];
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(second.ReadFull(answer)));
    }
    first.Close();
    EXPECT_TRUE(second.ReadFull(answer).ok());
    server.Stop();
    EXPECT_TRUE(serving.Join().ok());
  });
}

TEST_F(StreamServerTest, CancelEndsTheHandlersBeforeServeReturns) {
  Run([&] {
    Listener listener = Listen();
    StreamServer server({});
    auto serving = *Spawn("serving", [&] { return server.Serve(listener, &Answer); });
    Socket client = ConnectTo(listener);
    EXPECT_TRUE(client.Write("w").ok());
    (void)Sleep(absl::Seconds(1));
    serving.Cancel();
    EXPECT_TRUE(absl::IsCancelled(serving.Join()));
    EXPECT_EQ(server.connections(), 0);
  });
}

TEST_F(StreamServerTest, AClosedListenerEndsItAndABrokenOneIsAnError) {
  Run([&] {
    Listener listener = Listen();
    StreamServer server({});
    auto serving = *Spawn("serving", [&] { return server.Serve(listener, &Answer); });
    Yield();
    listener.Close();
    EXPECT_TRUE(serving.Join().ok());
    Listener not_listening = *Listener::Adopt(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_TRUE(absl::IsInvalidArgument(server.Serve(not_listening, &Answer)));
  });
}

TEST_F(StreamServerTest, BacksOffWhenDescriptorsRunOut) {
  std::vector<int64_t> waits;
  Run([&] {
    Listener listener = Listen();
    Socket client = ConnectTo(listener);
    rlimit before;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = dup(0);
    close(next);
    const rlimit none_left{static_cast<rlim_t>(next), before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    StreamServer server({.on_accept_error = [&](const absl::Status& error, absl::Duration wait) {
      EXPECT_TRUE(absl::IsResourceExhausted(error));
      waits.push_back(absl::ToInt64Milliseconds(wait));
      if (waits.size() == 9) setrlimit(RLIMIT_NOFILE, &before);
    }});
    auto serving = *Spawn("serving", [&] { return server.Serve(listener, &Answer); });
    EXPECT_TRUE(client.Write("s").ok());
    EXPECT_TRUE(serving.Join().ok());
  });
  EXPECT_EQ(waits, (std::vector<int64_t>{10, 20, 40, 80, 160, 320, 640, 1000, 1000}));
}

TEST_F(StreamServerTest, ServeInOneCallServesUntilAHandlerEndsIt) {
  Run([&] {
    Listener listener = Listen();
    auto serving = *Spawn("serving", [&] { return Serve(listener, &Answer); });
    EXPECT_EQ(Ask(listener, '='), "answer");
    EXPECT_EQ(Ask(listener, 's'), "");
    EXPECT_TRUE(serving.Join().ok());
    EXPECT_GE(listener.fd(), 0);  // stays the caller's
  });
}

TEST_F(StreamServerTest, ServeOnAnAddressGivesItBackAndNamesItInItsErrors) {
  char directory[] = "/tmp/grove_XXXXXX";  // short: sun_path holds 107 bytes
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/s";
  Run([&] {
    const std::string address = "unix:" + path;
    auto serving = *Spawn("serving", [&] { return Serve(address, &Answer); });
    Yield();
    const absl::Status taken = Serve(address, &Answer);
    EXPECT_TRUE(absl::IsAlreadyExists(taken)) << taken;
    EXPECT_NE(taken.message().find(path), std::string_view::npos) << taken;
    Socket client = *Socket::Connect(*SocketAddress::Parse(address));
    EXPECT_TRUE(client.Write("s").ok());
    EXPECT_TRUE(serving.Join().ok());
    EXPECT_TRUE(absl::IsInvalidArgument(Serve("nowhere", &Answer)));
  });
  unlink(path.c_str());
  rmdir(directory);
}

}  // namespace
}  // namespace grove
