// What docs/databases_other.md shows of Redis.
#include <memory>
#include <string>
#include <vector>

#include "database/redis/client.h"
#include "database/redis/error_reply.h"
#include "database/redis/redis_fixture.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::redis {
namespace {

class RedisExample : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::Exists()) GTEST_SKIP() << "there is no redis-server (package redis-server)";
  }
  template <typename F>
  void Run(F&& body) {
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      RedisServer server;
      std::unique_ptr<Client> client = *Client::Create({.server = server.Options()});
      body(*client);
      client->Close();
    });
  }
};

TEST_F(RedisExample, Asks) {
  Run([](Client& client) {
    // [run]
    Timeout timeout(absl::Seconds(10));  // of both
    if (absl::StatusOr<Value> set = client.Run({"SET", "page", "text", "EX", 60}); !set.ok())
      return;
    absl::StatusOr<Value> page = client.Run({"GET", "page"});
    if (!page.ok()) return;                              // no answer was had, or an error reply
    EXPECT_EQ(page->String().value_or("none"), "text");  // kNotFound: there is no such key

    absl::Status wrong = client.Run({"LPUSH", "page", "x"}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(wrong));
    EXPECT_EQ(ErrorWord(wrong), "WRONGTYPE");
    // [/run]
  });
}

TEST_F(RedisExample, Together) {
  Run([](Client& client) {
    // [together]
    const std::vector<Command> commands = {Command({"INCR", "a"}), Command({"LLEN", "a"})};
    absl::StatusOr<std::vector<Value>> replies = client.RunAll(commands);  // in one write
    if (!replies.ok()) return;
    EXPECT_EQ(*(*replies)[0].Integer(), 1);
    EXPECT_TRUE((*replies)[1].error());

    const std::vector<Command> transfer = {Command({"DECRBY", "from", 5}),
                                           Command({"INCRBY", "to", 5})};
    EXPECT_TRUE(client.Transact(transfer).ok());  // MULTI, both, EXEC

    const Script limit("local n = redis.call('INCR', KEYS[1]) return n <= tonumber(ARGV[1])");
    const std::vector<std::string> keys = {"calls"};
    const std::vector<std::string> arguments = {"100"};
    EXPECT_EQ(*client.Eval(limit, keys, arguments)->Integer(), 1);
    // [/together]
  });
}

TEST_F(RedisExample, OwnConnections) {
  Run([](Client& client) {
    EXPECT_TRUE(client.Run({"RPUSH", "jobs", "first"}).ok());
    // [own]
    absl::StatusOr<Client::Lease> connection = client.Take();
    if (!connection.ok()) return;
    absl::StatusOr<Value> job = (*connection)->Run({"BLPOP", "jobs", 0});  // blocks it alone
    EXPECT_EQ(*job->elements()[1].String(), "first");

    const std::vector<std::string> watched = {"balance"};
    for (;;) {
      if (!(*connection)->Watch(watched).ok()) return;
      absl::StatusOr<Value> balance = (*connection)->Run({"GET", "balance"});
      if (!balance.ok()) return;
      const int64_t next = balance->Integer().value_or(0) + 10;
      const std::vector<Command> set = {Command({"SET", "balance", next})};
      if (!absl::IsAborted((*connection)->Transact(set).status())) break;  // else it has changed
    }
    // [/own]
  });
}

TEST_F(RedisExample, Subscribes) {
  Run([](Client& client) {
    // [subscribe]
    absl::StatusOr<std::unique_ptr<Subscription>> news =
        client.Subscribe({.channels = {"news"}, .patterns = {"user.*"}});
    if (!news.ok()) return;
    EXPECT_TRUE(client.Run({"PUBLISH", "user.17", "hello"}).ok());
    absl::StatusOr<Message> message = (*news)->Next();
    if (!message.ok()) return;
    if (message->kind == Message::Kind::kReconnected) return;  // some may be lost: look again
    EXPECT_EQ(message->channel, "user.17");
    EXPECT_EQ(message->payload, "hello");
    // [/subscribe]
  });
}

TEST_F(RedisExample, HasOptions) {
  // [options]
  ClientOptions options;
  options.server.host = "redis.example.org";
  options.server.user = "app";
  options.server.password = "secret";
  options.server.tls.emplace();  // the system's authorities, and the host's name
  options.server.reply.bytes_max = 1 << 20;
  options.pipeline.depth_max = 1000;
  options.connections_max = 4;
  // [/options]
  EXPECT_TRUE(Client::Create(options).ok());
}

}  // namespace
}  // namespace grove::redis
