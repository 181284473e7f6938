// What docs/grpc_client.md shows of the calls.
#include <string>

#include "client/rpc/client.h"
#include "client/rpc/echo_server.h"
#include "client/status_details.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::client::rpc {
namespace {

using grove::testing::v1::Echo;
using grove::testing::v1::Message;

class RpcExample : public ::testing::Test {
 protected:
  template <typename F>
  void Run(F&& body) {
    EchoServer server;
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      const std::string& address = server.address();
      // [channel]
      // In the process that calls, after its last fork; one of each for the hub.
      absl::StatusOr<std::unique_ptr<Completions>> completions = Completions::Create();
      if (!completions.ok()) return;
      absl::StatusOr<std::unique_ptr<Channel>> channel =
          Channel::Create(**completions, {
                                             .address = address,
                                             .credentials = grpc::InsecureChannelCredentials(),
                                             .metadata = {{"authorization", "Bearer example"}},
                                             .calls_max = 100,
                                         });
      if (!channel.ok()) return;
      Client<Echo> client(**channel);
      // [/channel]
      body(client, **channel);
    });
  }
};

TEST_F(RpcExample, Calls) {
  Run([](Client<Echo>& client, Channel&) {
    Message request;
    request.set_text("hello");
    // [call]
    Timeout timeout(absl::Seconds(5));  // also the deadline that the server is told
    absl::StatusOr<Message> answer = client.Call(&Echo::Stub::PrepareAsyncSay, request);
    if (!answer.ok()) {
      const auto info = ErrorInfoOf(answer.status());
      std::printf("%s\n", info ? info->reason().c_str() : answer.status().ToString().c_str());
      return;
    }
    EXPECT_EQ(answer->text(), "hello");
    // [/call]
  });
}

TEST_F(RpcExample, Reads) {
  Run([](Client<Echo>& client, Channel&) {
    Message request;
    request.set_count(3);
    int messages = 0;
    // [read]
    auto stream = client.Open(&Echo::Stub::PrepareAsyncRepeat, request);
    if (!stream.ok()) return;
    for (;;) {
      Timeout timeout(absl::Seconds(30));  // between two messages
      absl::StatusOr<std::optional<Message>> message = stream->Read();
      if (!message.ok()) return;         // the server's error, or the time is up
      if (!message->has_value()) break;  // the end, and all is well
      ++messages;
    }
    // [/read]
    EXPECT_EQ(messages, 3);
  });
}

TEST_F(RpcExample, Talks) {
  Run([](Client<Echo>& client, Channel& channel) {
    int answers = 0;
    // [talk]
    auto stream = client.Open(&Echo::Stub::PrepareAsyncTalk);
    if (!stream.ok()) return;
    absl::StatusOr<FiberHandle> writer = Spawn("writer", [&]() -> absl::Status {
      for (int i = 0; i < 100; ++i) {
        Message message;
        message.set_count(i);
        if (absl::Status written = stream->Write(message); !written.ok()) return written;
      }
      return stream->WritesDone();
    });
    if (!writer.ok()) return;
    for (;;) {
      absl::StatusOr<std::optional<Message>> answer = stream->Read();
      if (!answer.ok() || !answer->has_value()) break;
      ++answers;
    }
    writer->AwaitEnd();
    // [/talk]
    EXPECT_EQ(answers, 100);
    // [stats]
    const Channel::Stats stats = channel.stats();
    EXPECT_EQ(stats.open, 0);  // calls and streams now; beside those that wait
    EXPECT_EQ(stats.succeeded, 1u);
    // [/stats]
  });
}

}  // namespace
}  // namespace grove::client::rpc
