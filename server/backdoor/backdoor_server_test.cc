#include "server/backdoor/backdoor_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/socket.h"

namespace grove::backdoor {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class BackdoorServerTest : public HubTest {
 protected:
  BackdoorServerTest()
      : HubTest({.stack_bytes = 256 * 1024}),
        path_("/tmp/grove-backdoor-server-" + std::to_string(getpid())) {}

  // Calls `body` while sessions are admitted at `path_`.
  template <typename F>
  void Serve(BackdoorServerOptions options, F body) {
    Run([&] {
      BackdoorServer backdoor(std::move(options));
      auto serving = Spawn("serving", [&] { return backdoor.Serve("unix:" + path_); });
      Yield();
      body(backdoor);
      serving->Cancel();
      EXPECT_EQ(serving->Join().code(), absl::StatusCode::kCancelled);
      EXPECT_EQ(backdoor.sessions(), 0);
    });
  }

  Socket Connect() { return *Socket::ConnectUnix(path_); }
  // What comes up to and including `end`.
  static std::string ReadTo(Socket& socket, const std::string& end) {
    BufferedReader reader(socket);
    return reader.ReadUntil(end, 1000).value_or("nothing");
  }
  static std::string Ask(Socket& socket, const std::string& line) {
    EXPECT_TRUE(socket.Write(line + "\n").ok());
    return ReadTo(socket, "> ");
  }

  const std::string path_;
};

TEST_F(BackdoorServerTest, GreetsWhoeverIsAdmittedAndAnswers) {
  Serve({}, [&](BackdoorServer&) {
    Socket client = Connect();
    EXPECT_THAT(ReadTo(client, "> "), StartsWith("grove, pid " + std::to_string(getpid()) + "."));
    EXPECT_EQ(Ask(client, "1 + 1"), "2\n> ");
  });
}

TEST_F(BackdoorServerTest, ASessionThatEndsMakesRoomForOneThatWasRefused) {
  int told = 0;
  BackdoorServerOptions options{.sessions_max = 1, .on_sessions = [&](int n) { told = n; }};
  Serve(std::move(options), [&](BackdoorServer&) {
    Socket first = Connect();
    EXPECT_THAT(ReadTo(first, "> "), HasSubstr("help()"));
    EXPECT_EQ(told, 1);
    Socket refused = Connect();
    EXPECT_EQ(ReadTo(refused, "\n"), "refused: 1 sessions are open (backdoor.sessions_max)\n");
    ASSERT_TRUE(first.Write("quit()\n").ok());
    char byte;
    EXPECT_EQ(first.Read({&byte, 1}).value_or(1), 0u);  // its end
    EXPECT_EQ(told, 0);
    Socket second = Connect();
    EXPECT_THAT(ReadTo(second, "> "), HasSubstr("help()"));
  });
}

TEST_F(BackdoorServerTest, TellsWhatTheProgramAdds) {
  BackdoorServerOptions options;
  options.environment.application = [] { return BackdoorTable{{{"name", std::string("orders")}}}; };
  options.environment.ask_application = [](const std::string& name, std::string_view argument) {
    return absl::StatusOr<std::string>(name + " of " + std::string(argument));
  };
  Serve(std::move(options), [&](BackdoorServer&) {
    Socket client = Connect();
    ReadTo(client, "> ");
    EXPECT_EQ(Ask(client, "app()[1].name"), "orders\n> ");
    EXPECT_EQ(Ask(client, "app('orders', 'today')"), "orders of today\n> ");
  });
}

TEST_F(BackdoorServerTest, ItsSocketIsForItsUserAlone) {
  Serve({}, [&](BackdoorServer&) {
    struct stat found {};
    ASSERT_EQ(stat(path_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600);
  });
}

TEST_F(BackdoorServerTest, ServesOnLoopbackAndNoAddressBeyond) {
  Run([&] {
    BackdoorServer backdoor({});
    Listener listener = *Listener::Listen("127.0.0.1:0");
    auto serving = Spawn("serving", [&] { return backdoor.Serve(listener); });
    Socket client = *Socket::Connect(listener.LocalAddress());
    EXPECT_THAT(ReadTo(client, "> "), HasSubstr("help()"));
    serving->Cancel();
    (void)serving->Join();
    const absl::Status refused = backdoor.Serve("0.0.0.0:0");
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("not 0.0.0.0:"));
  });
}

// The stack of Lua's nested calls is a fiber's.
TEST(BackdoorServer, OnAHubOfSmallStacksIsRefused) {
  auto hub = Hub::Create({.stack_bytes = 64 * 1024});
  ASSERT_TRUE(hub.ok());
  RunOn(**hub, [] {
    const absl::Status refused = BackdoorServer({}).Serve("127.0.0.1:0");
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("HubOptions::stack_bytes"));
  });
}

}  // namespace
}  // namespace grove::backdoor
