#include "server/http/embedded/embedded_server.h"

#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/sync/event.h"

namespace grove::http {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// On invented time: the drain's half minute takes none.
class EmbeddedServerTest : public HubTest {
 protected:
  EmbeddedServerTest() : HubTest({.stack_bytes = 256 * 1024}) {}

  // Serves on a fiber, as long as `body` runs or until it has cancelled that.
  void Serve(const std::function<void(FiberHandle& serving)>& body) {
    Run([&] {
      Listener listener = *Listener::Listen("127.0.0.1:0");
      address_ = listener.LocalAddress();
      Router router;
      ASSERT_TRUE(router.Add("GET", "/", handler_).ok());
      EmbeddedServer server(std::move(router), std::move(options_));
      server_ = &server;
      auto serving = Spawn("serving", [&] { return server.Serve(std::move(listener)); });
      body(*serving);
      server.Stop();
      ended_ = serving->Join();
    });
  }
  Socket Connect() { return *Socket::Connect(address_); }
  static std::string Ask(Socket& socket, std::string_view bytes = kGet) {
    EXPECT_TRUE(socket.Write(bytes).ok());
    return ReadSome(socket);
  }
  // "" at the end of the stream.
  static std::string ReadSome(Socket& socket) {
    std::string bytes(4096, '\0');
    bytes.resize(socket.Read(bytes).value_or(0));
    return bytes;
  }

  EmbeddedOptions options_;
  Handler handler_ = [](Request&, Response& response) {
    return response.Send(200, "text/plain", "hello\n");
  };
  SocketAddress address_;
  EmbeddedServer* server_ = nullptr;
  absl::Status ended_ = absl::UnknownError("it has not ended");
};

TEST_F(EmbeddedServerTest, AnswersUntilItIsStopped) {
  Serve([&](FiberHandle& serving) {
    Socket client = Connect();
    EXPECT_THAT(Ask(client), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("hello\n")));
    EXPECT_THAT(Ask(client, "GET /else HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 404"));
    EXPECT_EQ(server_->stats().requests, 2);
    EXPECT_FALSE(serving.ended());
    server_->Stop();
    EXPECT_EQ(ReadSome(client), "");
  });
  EXPECT_TRUE(ended_.ok()) << ended_;
}

TEST_F(EmbeddedServerTest, AHandlerMayStopIt) {
  handler_ = [&](Request&, Response& response) {
    server_->Stop();
    return response.Send(200, "", "bye");
  };
  Serve([&](FiberHandle& serving) {
    Socket client = Connect();
    EXPECT_THAT(Ask(client), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("bye")));
    EXPECT_TRUE(serving.Join().ok());
  });
}

TEST_F(EmbeddedServerTest, ACancelledCallerLetsTheRequestUnderWayEndAndTakesNoMore) {
  Event begun;
  Event go;
  handler_ = [&](Request&, Response& response) {
    begun.Set();
    absl::Status waited = go.Wait();
    return waited.ok() ? response.Send(200, "", "whole") : waited;
  };
  Serve([&](FiberHandle& serving) {
    Socket client = Connect();
    ASSERT_TRUE(client.Write(kGet).ok());
    ASSERT_TRUE(begun.Wait().ok());
    serving.Cancel();
    Yield();
    Yield();
    EXPECT_FALSE(Socket::Connect(address_).ok());
    EXPECT_FALSE(serving.ended());
    go.Set();
    EXPECT_THAT(ReadSome(client), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("whole")));
    ended_ = serving.Join();
  });
  EXPECT_TRUE(ended_.ok()) << ended_;
}

TEST_F(EmbeddedServerTest, WhatOutlastsTheDrainIsCutOffAndCounted) {
  Event begun;
  Event never;
  absl::Status handled;
  handler_ = [&](Request&, Response&) {
    begun.Set();
    return handled = never.Wait();
  };
  options_.drain_timeout = absl::Seconds(7);
  Serve([&](FiberHandle& serving) {
    Socket client = Connect();
    ASSERT_TRUE(client.Write(kGet).ok());
    ASSERT_TRUE(begun.Wait().ok());
    const MonotonicNanos cancelled_at = Hub::Current()->now();
    serving.Cancel();
    ended_ = serving.Join();
    EXPECT_EQ(absl::Nanoseconds(Hub::Current()->now() - cancelled_at), absl::Seconds(7));
  });
  EXPECT_EQ(ended_, absl::AbortedError("1 connections were cut off at the drain time-out, 7s"));
  EXPECT_EQ(handled.code(), absl::StatusCode::kCancelled);
}

TEST_F(EmbeddedServerTest, ATimeoutAroundItEndsItInOrder) {
  Run([&] {
    Timeout timeout(absl::Seconds(1));
    ended_ = http::Serve("127.0.0.1:0", Router());
  });
  EXPECT_EQ(ended_.code(), absl::StatusCode::kDeadlineExceeded);
}

// The hub cancels all fibers then, also the one that waits for the drain.
TEST_F(EmbeddedServerTest, TheEndOfTheHubEndsItAtOnce) {
  Event never;
  Event begun;
  Router router;
  ASSERT_TRUE(router
                  .Add("GET", "/",
                       [&](Request&, Response&) {
                         begun.Set();
                         return never.Wait();
                       })
                  .ok());
  Run([&] {
    Listener listener = *Listener::Listen("127.0.0.1:0");
    address_ = listener.LocalAddress();
    ASSERT_TRUE(Spawn("serving", [&, listener = std::move(listener)]() mutable {
                  ended_ = http::Serve(std::move(listener), std::move(router));
                }).ok());
    Socket client = Connect();
    ASSERT_TRUE(client.Write(kGet).ok());
    ASSERT_TRUE(begun.Wait().ok());
  });
  EXPECT_TRUE(ended_.ok()) << ended_;
}

TEST_F(EmbeddedServerTest, WritesALineForEachRequest) {
  const std::string path = testing::TempDir() + "embedded_" + std::to_string(getpid());
  options_.access_log = {.file = path, .format = "%(method)s %(path)s %(status_code)s"};
  Serve([&](FiberHandle&) {
    Socket client = Connect();
    Ask(client);
  });
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "GET / 200\n");
  unlink(path.c_str());
}

TEST_F(EmbeddedServerTest, AnAccessLogThatCannotBeWrittenIsAnError) {
  options_.access_log.file = "/nowhere/access.log";
  Serve([](FiberHandle& serving) { (void)serving.Join(); });
  EXPECT_THAT(std::string(ended_.message()), StartsWith("access_log.file: "));
}

TEST_F(EmbeddedServerTest, AHandlersFailureGoesToTheLogUnlessSomebodyTakesIt) {
  handler_ = [](Request&, Response&) { return absl::InternalError("no ink"); };
  const auto ask = [&] {
    testing::internal::CaptureStderr();
    Serve([&](FiberHandle&) {
      Socket client = Connect();
      EXPECT_THAT(Ask(client), StartsWith("HTTP/1.1 500 "));
    });
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(ask(),
              AllOf(HasSubstr("\"a handler failed\" method=GET path=/"), HasSubstr("no ink")));
  std::string taken;
  options_ = {};
  options_.server.on_failure = [&](const Request&, const absl::Status& status) {
    taken = std::string(status.message());
  };
  EXPECT_THAT(ask(), Not(HasSubstr("failed")));
  EXPECT_EQ(taken, "no ink");
}

TEST_F(EmbeddedServerTest, AnAddressThatIsTakenIsAnErrorThatNamesIt) {
  Run([&] {
    Listener other = *Listener::Listen("127.0.0.1:0");
    const std::string address = other.LocalAddress().ToString();
    EXPECT_THAT(std::string(http::Serve(address, Router()).message()), HasSubstr(address));
  });
}

}  // namespace
}  // namespace grove::http
