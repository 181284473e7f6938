// What docs/zeromq.md shows.
#include <memory>
#include <string>
#include <utility>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/mutex.h"
#include "zeromq/authenticator.h"
#include "zeromq/context.h"
#include "zeromq/curve.h"
#include "zeromq/monitor.h"
#include "zeromq/socket.h"

namespace grove::zeromq {
namespace {

class ZeromqExample : public HubTest {
 protected:
  std::unique_ptr<Context> context_ = *Context::Create();
};

TEST_F(ZeromqExample, RequestsAndReplies) {
  Run([this] {
    Context& context = *context_;
    // [open]
    absl::StatusOr<std::unique_ptr<Socket>> server = Socket::Open(context, SocketType::kRep);
    if (!server.ok()) return;
    absl::StatusOr<std::string> address = (*server)->Bind("tcp://127.0.0.1:*");
    if (!address.ok()) return;
    EXPECT_EQ(address->rfind("tcp://127.0.0.1:", 0), 0u);  // with the port that was free
    // [/open]
    // [reply]
    auto serving = *Spawn("server", [&socket = **server]() -> absl::Status {
      for (;;) {
        absl::StatusOr<Message> request = socket.Receive();  // parks
        if (!request.ok()) return request.status();
        absl::Status sent = socket.Send(MessageOf("you said", std::move(request->at(0))));
        if (!sent.ok()) return sent;
      }
    });
    // [/reply]
    std::unique_ptr<Socket> client = *Socket::Open(context, SocketType::kReq);
    EXPECT_TRUE(client->Connect(*address).ok());
    // [request]
    Timeout timeout(absl::InfiniteDuration());  // bounds what follows, as everywhere
    if (absl::Status sent = client->Send("hello"); !sent.ok()) return;
    absl::StatusOr<Message> reply = client->Receive();
    if (!reply.ok()) return;  // kDeadlineExceeded, kCancelled: nothing was taken
    EXPECT_EQ((*reply)[0], "you said");
    EXPECT_EQ((*reply)[1].view(), "hello");
    // [/request]
    (*server)->Close();
    EXPECT_TRUE(absl::IsAborted(serving.Join()));
  });
}

TEST_F(ZeromqExample, SharesASocketByAMutex) {
  Run([this] {
    auto pull = *Socket::Open(*context_, SocketType::kPull);
    auto push = *Socket::Open(*context_, SocketType::kPush);
    EXPECT_TRUE(push->Connect(*pull->Bind("tcp://127.0.0.1:*")).ok());
    // [mutex]
    Mutex sending;
    const auto send = [&](std::string text) -> absl::Status {
      MutexLock lock(sending);  // the others wait in line, and not for the peer's room
      if (!lock.ok()) return lock.status();
      return push->Send(Frame(std::move(text)));
    };
    auto one = *Spawn("one", [&] { return send("from one"); });
    auto two = *Spawn("two", [&] { return send("from two"); });
    // [/mutex]
    EXPECT_TRUE(one.Join().ok());
    EXPECT_TRUE(two.Join().ok());
    EXPECT_EQ(pull->Receive()->at(0), "from one");
    EXPECT_EQ(pull->Receive()->at(0), "from two");
  });
}

TEST_F(ZeromqExample, RoutesByIds) {
  Run([this] {
    Context& context = *context_;
    // [router]
    auto router = *Socket::Open(context, SocketType::kRouter);
    auto worker = *Socket::Open(context, SocketType::kDealer, {.routing_id = "worker-7"});
    EXPECT_TRUE(worker->Connect(*router->Bind("tcp://127.0.0.1:*")).ok());
    EXPECT_TRUE(worker->Send("ready").ok());

    absl::StatusOr<Message> ready = router->Receive();  // the peer's id, then what it sent
    EXPECT_EQ((*ready)[0], "worker-7");
    EXPECT_TRUE(router->Send(MessageOf(std::move(ready->at(0)), "a job")).ok());
    EXPECT_TRUE(absl::IsNotFound(router->Send(MessageOf("worker-8", "a job"))));
    // [/router]
    EXPECT_EQ(worker->Receive()->at(0), "a job");
  });
}

TEST_F(ZeromqExample, KeepsSecrets) {
  Run([this] {
    Context& context = *context_;
    // [curve]
    const CurveKeys server_keys = *CurveKeys::Generate();  // once; the public half is handed out
    auto server = *Socket::Open(context, SocketType::kPull,
                                {.curve_server = CurveServer{server_keys.secret_key}});
    auto client = *Socket::Open(
        context, SocketType::kPush,
        {.curve_client = CurveClient{server_keys.public_key, *CurveKeys::Generate()}});
    // [/curve]
    EXPECT_TRUE(client->Connect(*server->Bind("tcp://127.0.0.1:*")).ok());
    EXPECT_TRUE(client->Send("secret").ok());
    EXPECT_EQ(server->Receive()->at(0), "secret");
  });
}

TEST_F(ZeromqExample, KnowsItsClients) {
  Run([this] {
    Context& context = *context_;
    const CurveKeys server_keys = *CurveKeys::Generate();
    const CurveKeys alice = *CurveKeys::Generate();
    // [zap]
    std::unique_ptr<Authenticator> doorman = *Authenticator::Open(
        context, {.keys = {alice.public_key},  // more by Allow(), fewer by Forget()
                  .judge = [](const ClientRequest& client) {
                    return absl::NotFoundError("no " + client.key);  // may ask a database, and park
                  }});
    FiberHandle judging = *Spawn("zap", [&] { return doorman->Run(); });
    auto server = *Socket::Open(context, SocketType::kPull,
                                {.curve_server = CurveServer{.secret_key = server_keys.secret_key,
                                                             .authenticator = doorman.get(),
                                                             .domain = "orders"}});
    // [/zap]
    auto client = *Socket::Open(context, SocketType::kPush,
                                {.curve_client = CurveClient{server_keys.public_key, alice}});
    EXPECT_TRUE(client->Connect(*server->Bind("tcp://127.0.0.1:*")).ok());
    EXPECT_TRUE(client->Send("secret").ok());
    EXPECT_EQ(server->Receive()->at(0).Property("User-Id"), alice.public_key);
    server->Close();
    doorman->Close();
    EXPECT_TRUE(judging.Join().ok());
  });
}

TEST_F(ZeromqExample, WatchesConnectionsAndCloses) {
  Run([this] {
    std::unique_ptr<Context> context = std::move(context_);
    auto pull = *Socket::Open(*context, SocketType::kPull);
    int lost = 0;
    // [monitor]
    std::unique_ptr<Monitor> monitor = *Monitor::Open(*pull);
    auto watching = *Spawn("monitor", [&] {
      for (auto event = monitor->Next(); event.ok(); event = monitor->Next()) {
        if (event->kind == MonitorEvent::Kind::kDisconnected) ++lost;
      }
    });
    // [/monitor]
    auto push = *Socket::Open(*context, SocketType::kPush);
    EXPECT_TRUE(push->Connect(*pull->Bind("tcp://127.0.0.1:*")).ok());
    EXPECT_TRUE(push->Send("m").ok());
    EXPECT_TRUE(pull->Receive().ok());
    // [close]
    push->Close();
    while (lost == 0) Yield();
    pull->Close();
    EXPECT_TRUE(watching.Join().ok());  // the stream of events ends with its socket
    monitor = nullptr;
    EXPECT_TRUE(context->Close().ok());  // waits for what was sent, within the sockets' linger
    // [/close]
  });
}

}  // namespace
}  // namespace grove::zeromq
