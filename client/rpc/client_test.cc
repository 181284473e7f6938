#include "client/rpc/client.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "client/rpc/echo_server.h"
#include "client/status_details.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::rpc {
namespace {

using grove::testing::v1::Echo;
using grove::testing::v1::Message;

class RpcClientTest : public HubTest {
 protected:
  // Runs `body` with a client of a channel with `options`.
  template <typename Body>
  void WithClient(ChannelOptions options, Body body) {
    if (options.address.empty()) options.address = server_.address();
    Run([&] {
      absl::StatusOr<std::unique_ptr<Completions>> completions = Completions::Create();
      ASSERT_TRUE(completions.ok()) << completions.status();
      absl::StatusOr<std::unique_ptr<Channel>> channel =
          Channel::Create(**completions, std::move(options));
      ASSERT_TRUE(channel.ok()) << channel.status();
      Client<Echo> client(**channel);
      body(client, **channel);
    });
  }
  template <typename Body>
  void WithClient(Body body) {
    WithClient({}, [&](Client<Echo>& client, Channel&) { body(client); });
  }
  static Message Text(const std::string& text) {
    Message message;
    message.set_text(text);
    return message;
  }
  static Message Failing(absl::StatusCode code) {
    Message message = Text("as asked");
    message.set_code(static_cast<int>(code));
    return message;
  }
  static Message Hanging() {
    Message message;
    message.set_hang(true);
    return message;
  }
  // Other threads act meanwhile: the hub's time is invented, theirs is not.
  template <typename Condition>
  static void Until(Condition condition) {
    while (!condition()) Yield();
  }

  EchoServer server_;
};

constexpr auto kSay = &Echo::Stub::PrepareAsyncSay;
constexpr auto kRepeat = &Echo::Stub::PrepareAsyncRepeat;
constexpr auto kJoin = &Echo::Stub::PrepareAsyncJoin;
constexpr auto kTalk = &Echo::Stub::PrepareAsyncTalk;

TEST_F(RpcClientTest, ACallIsAnswered) {
  WithClient({.metadata = {{"authorization", "Bearer of the channel"}}},
             [&](Client<Echo>& client, Channel& channel) {
               const absl::StatusOr<Message> answer = client.Call(kSay, Text("hello"));
               ASSERT_TRUE(answer.ok()) << answer.status();
               EXPECT_EQ(answer->text(), "hello");
               EXPECT_EQ(server_.last_authorization(), "Bearer of the channel");
               EXPECT_FALSE(server_.last_had_deadline());
               EXPECT_EQ(channel.stats().succeeded, 1u);
               EXPECT_EQ(channel.stats().open, 0);
             });
}

TEST_F(RpcClientTest, ManyFibersShareTheChannelAndTheWakes) {
  WithClient({}, [&](Client<Echo>& client, Channel& channel) {
    std::vector<FiberHandle> fibers;
    fibers.reserve(200);
    for (int i = 0; i < 200; ++i) {
      fibers.push_back(*Spawn("caller", [&client, i] {
        const absl::StatusOr<Message> answer = client.Call(kSay, Text(absl::StrCat(i)));
        ASSERT_TRUE(answer.ok()) << answer.status();
        EXPECT_EQ(answer->text(), absl::StrCat(i));
      }));
    }
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
    EXPECT_EQ(channel.stats().succeeded, 200u);
    EXPECT_EQ(channel.completions().stats().operations, 200u);
    EXPECT_LE(channel.completions().stats().batches, 200u);
  });
}

TEST_F(RpcClientTest, AnErrorHasTheServersCodeTextAndDetails) {
  WithClient([&](Client<Echo>& client) {
    const auto answer = client.Call(kSay, Failing(absl::StatusCode::kFailedPrecondition));
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(answer.status().message(), "as asked");
    const auto info = ErrorInfoOf(answer.status());
    ASSERT_TRUE(info.has_value());
    EXPECT_EQ(info->reason(), "ASKED_TO");
  });
}

TEST_F(RpcClientTest, AServerThatIsNotThereIsUnavailable) {
  WithClient({.address = "127.0.0.1:1"}, [&](Client<Echo>& client, Channel& channel) {
    EXPECT_EQ(client.Call(kSay, Text("x")).status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(client.Open(kTalk).status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(channel.stats().failed, 2u);
    EXPECT_EQ(channel.stats().open, 0);
  });
}

TEST_F(RpcClientTest, ATimeoutIsToldToTheServerAndCancelsTheCall) {
  WithClient({}, [&](Client<Echo>& client, Channel& channel) {
    Timeout timeout(absl::Seconds(60));  // passes at once: the hub's time is invented
    const absl::Status status = client.Call(kSay, Hanging()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(timeout.fired());
    EXPECT_TRUE(timeout.Caused(status));
    EXPECT_EQ(channel.stats().abandoned, 1u);
    EXPECT_EQ(channel.stats().open, 0);
  });
}

TEST_F(RpcClientTest, TheFibersDeadlineReachesTheServer) {
  WithClient([&](Client<Echo>& client) {
    // Nothing but the answer can end the park: the scope's timer would be rung at once.
    FiberHandle busy = *Spawn("busy", [] {
      for (;;) {
        if (Hub::CurrentOrDie().interruption() != Wake::kReady) return;
        Yield();
      }
    });
    Timeout timeout(absl::Seconds(3600));
    EXPECT_TRUE(client.Call(kSay, Text("x")).ok());
    EXPECT_TRUE(server_.last_had_deadline());
    busy.Cancel();
    busy.AwaitEnd();
  });
}

TEST_F(RpcClientTest, CallOptionsBoundACallAlone) {
  WithClient([&](Client<Echo>& client) {
    const absl::Status status =
        client.Call(kSay, Hanging(), {.timeout = absl::Milliseconds(20)}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  });
  // The server hears of it.
  while (server_.cancelled() < server_.hanging()) std::this_thread::yield();
}

TEST_F(RpcClientTest, ACancelledFiberCancelsItsCall) {
  WithClient({}, [&](Client<Echo>& client, Channel& channel) {
    absl::Status status;
    FiberHandle fiber = *Spawn("caller", [&] { status = client.Call(kSay, Hanging()).status(); });
    Until([&] { return server_.hanging() == 1; });
    fiber.Cancel();
    fiber.AwaitEnd();
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(channel.stats().abandoned, 1u);
    // One that is cancelled already asks nothing.
    EXPECT_EQ(channel.stats().started, 1u);
    Until([&] { return server_.cancelled() == 1; });
  });
}

TEST_F(RpcClientTest, ThoseBeyondTheBoundWaitAndThoseBeyondThatAreRefused) {
  WithClient({.calls_max = 1, .waiting_max = 1}, [&](Client<Echo>& client, Channel& channel) {
    FiberHandle first = *Spawn("first", [&] { (void)client.Call(kSay, Hanging()); });
    Until([&] { return server_.hanging() == 1; });
    absl::Status second_status = absl::UnknownError("none");
    FiberHandle second =
        *Spawn("second", [&] { second_status = client.Call(kSay, Text("2")).status(); });
    Until([&] { return channel.stats().waiting == 1; });
    EXPECT_EQ(client.Call(kSay, Text("3")).status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(channel.stats().refused, 1u);
    first.Cancel();
    EXPECT_TRUE(second.Join().ok());
    EXPECT_TRUE(second_status.ok()) << second_status;
    first.AwaitEnd();
  });
}

TEST_F(RpcClientTest, MetadataThatGrpcWouldDieOfIsRefused) {
  WithClient([&](Client<Echo>& client) {
    for (const Metadata& metadata : std::vector<Metadata>{
             {{"Upper", "x"}}, {{"", "x"}}, {{"grpc-timeout", "1S"}}, {{"key", "line\nbreak"}}}) {
      EXPECT_EQ(client.Call(kSay, Text("x"), {.metadata = metadata}).status().code(),
                absl::StatusCode::kInvalidArgument);
    }
    EXPECT_TRUE(client.Call(kSay, Text("x"), {.metadata = {{"key-bin", "line\nbreak"}}}).ok());
  });
}

TEST_F(RpcClientTest, AReadStreamEndsWithNoneOrWithTheServersError) {
  WithClient([&](Client<Echo>& client) {
    Message request = Text("x");
    request.set_count(3);
    auto stream = client.Open(kRepeat, request);
    ASSERT_TRUE(stream.ok()) << stream.status();
    for (int i = 0; i < 3; ++i) {
      const auto message = stream->Read();
      ASSERT_TRUE(message.ok() && message->has_value());
      EXPECT_EQ((*message)->count(), i);
    }
    EXPECT_EQ(*stream->Read(), std::nullopt);
    EXPECT_EQ(*stream->Read(), std::nullopt);

    request.set_code(static_cast<int>(absl::StatusCode::kAborted));
    auto failing = client.Open(kRepeat, request);
    ASSERT_TRUE(failing.ok());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(failing->Read().ok());
    EXPECT_EQ(failing->Read().status().code(), absl::StatusCode::kAborted);
    EXPECT_EQ(failing->Read().status().code(), absl::StatusCode::kAborted);
  });
}

TEST_F(RpcClientTest, AReadThatATimeoutEndedIsTakenUpByTheNext) {
  WithClient([&](Client<Echo>& client) {
    auto stream = client.Open(kTalk);
    ASSERT_TRUE(stream.ok());
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_EQ(stream->Read().status().code(), absl::StatusCode::kDeadlineExceeded);
    }
    ASSERT_TRUE(stream->Write(Text("one")).ok());
    ASSERT_TRUE(stream->Write(Text("two")).ok());
    EXPECT_EQ((*stream->Read())->text(), "one");
    EXPECT_EQ((*stream->Read())->text(), "two");
    EXPECT_TRUE(stream->WritesDone().ok());
    EXPECT_EQ(*stream->Read(), std::nullopt);
  });
}

TEST_F(RpcClientTest, AWriteStreamIsAnsweredOnceAllIsSaid) {
  WithClient([&](Client<Echo>& client) {
    auto stream = client.Open(kJoin);
    ASSERT_TRUE(stream.ok());
    for (const char* text : {"a", "b", "c"}) ASSERT_TRUE(stream->Write(Text(text)).ok());
    const absl::StatusOr<Message> answer = stream->Finish();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->text(), "abc");
    EXPECT_EQ(answer->count(), 3);
  });
}

TEST_F(RpcClientTest, AServerThatEndsAWriteStreamEarlyIsHeard) {
  WithClient([&](Client<Echo>& client) {
    auto stream = client.Open(kJoin);
    ASSERT_TRUE(stream.ok());
    absl::Status written = stream->Write(Failing(absl::StatusCode::kOutOfRange));
    while (written.ok()) written = stream->Write(Text("more"));
    EXPECT_EQ(written.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(stream->Finish().status().code(), absl::StatusCode::kOutOfRange);
  });
}

TEST_F(RpcClientTest, OneFiberReadsWhileAnotherWrites) {
  WithClient({}, [&](Client<Echo>& client, Channel& channel) {
    constexpr int kMessages = 500;
    auto stream = client.Open(kTalk);
    ASSERT_TRUE(stream.ok());
    FiberHandle writer = *Spawn("writer", [&] {
      for (int i = 0; i < kMessages; ++i) {
        Message message;
        message.set_count(i);
        ASSERT_TRUE(stream->Write(message).ok());
      }
      EXPECT_TRUE(stream->WritesDone().ok());
    });
    for (int i = 0; i < kMessages; ++i) {
      const auto message = stream->Read();
      ASSERT_TRUE(message.ok() && message->has_value()) << message.status();
      ASSERT_EQ((*message)->count(), i);
    }
    EXPECT_EQ(*stream->Read(), std::nullopt);
    EXPECT_TRUE(writer.Join().ok());
    EXPECT_EQ(channel.stats().open, 0);
  });
}

TEST_F(RpcClientTest, BothSidesHearOfAnEndAndOfACancel) {
  WithClient([&](Client<Echo>& client) {
    auto ended = client.Open(kTalk);
    ASSERT_TRUE(ended.ok());
    Message last;
    last.set_count(-1);
    absl::Status written = ended->Write(last);
    while (written.ok()) written = ended->Write(Text("more"));
    EXPECT_EQ(written.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(*ended->Read(), std::nullopt);

    auto cancelled = client.Open(kTalk);
    ASSERT_TRUE(cancelled.ok());
    FiberHandle reader = *Spawn("reader", [&] {
      EXPECT_EQ(cancelled->Read().status().code(), absl::StatusCode::kCancelled);
    });
    Yield();
    cancelled->Cancel();
    EXPECT_TRUE(reader.Join().ok());
    absl::Status after = cancelled->Write(Text("x"));
    EXPECT_EQ(after.code(), absl::StatusCode::kCancelled);
  });
}

TEST_F(RpcClientTest, AStreamThatIsDroppedIsCancelledAtTheServer) {
  WithClient({.calls_max = 1}, [&](Client<Echo>& client, Channel& channel) {
    {
      auto stream = client.Open(kRepeat, Hanging());
      ASSERT_TRUE(stream.ok());
      Until([&] { return server_.hanging() == 1; });
      Timeout timeout(absl::Seconds(1));
      EXPECT_FALSE(stream->Read().ok());  // goes on in gRPC when the stream is gone
    }
    EXPECT_EQ(channel.stats().open, 0);
    EXPECT_EQ(channel.stats().abandoned, 1u);
    Until([&] { return server_.cancelled() == 1; });
    EXPECT_TRUE(client.Call(kSay, Text("there is room again")).ok());
  });
}

TEST_F(RpcClientTest, AStreamMayBeMoved) {
  WithClient([&](Client<Echo>& client) {
    auto opened = client.Open(kTalk);
    ASSERT_TRUE(opened.ok());
    ASSERT_TRUE(opened->Write(Text("x")).ok());
    BidiStream<Message, Message> moved = *std::move(opened);
    EXPECT_EQ((*moved.Read())->text(), "x");
  });
}

}  // namespace
}  // namespace grove::client::rpc
