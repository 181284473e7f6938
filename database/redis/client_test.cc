// Against the distribution's redis-server.
#include "database/redis/client.h"

#include <string>
#include <vector>

#include "database/redis/error_reply.h"
#include "database/redis/redis_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::redis {
namespace {

// On the real clock: the server is another process.
void With(std::vector<std::string> arguments, const std::function<void(RedisServer&)>& body) {
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    RedisServer server(std::move(arguments));
    body(server);
  });
  EXPECT_EQ(hub->Stats().fibers_live, 0u);
  EXPECT_EQ(hub->Stats().descriptors, 0u);
}

class RedisClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::Exists()) GTEST_SKIP() << "there is no redis-server (package redis-server)";
  }
  static void WithClient(const std::function<void(RedisServer&, Client&)>& body) {
    With({}, [&](RedisServer& server) {
      std::unique_ptr<Client> client = *Client::Create({.server = server.Options()});
      body(server, *client);
      client->Close();
    });
  }
};

TEST_F(RedisClientTest, AnswersWithTheServersTypes) {
  WithClient([](RedisServer&, Client& client) {
    EXPECT_EQ(*client.Run({"SET", "k", "v"})->String(), "OK");
    EXPECT_EQ(*client.Run({"GET", "k"})->String(), "v");
    EXPECT_TRUE(client.Run({"GET", "none"})->null());
    EXPECT_EQ(*client.Run({"INCRBY", "n", 5})->Integer(), 5);
    EXPECT_TRUE(client.Run({"HSET", "h", "a", 1, "b", 2}).ok());
    const absl::StatusOr<Value> map = client.Run({"HGETALL", "h"});
    EXPECT_EQ(map->kind(), Value::Kind::kMap) << "RESP3";
    EXPECT_EQ(*map->Find("b")->Integer(), 2);
    EXPECT_TRUE(client.Run({"ZADD", "z", 1.5, "m"}).ok());
    EXPECT_EQ(client.Run({"ZSCORE", "z", "m"})->kind(), Value::Kind::kDouble);
    EXPECT_TRUE(client.Run({"SADD", "s", "m"}).ok());
    EXPECT_EQ(client.Run({"SMEMBERS", "s"})->kind(), Value::Kind::kSet);
    const absl::Status wrong = client.Run({"LPUSH", "k", "x"}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(wrong));
    EXPECT_EQ(ErrorWord(wrong), "WRONGTYPE");
    const std::string large(3'000'000, 'x');
    EXPECT_TRUE(client.Run({"SET", "large", large}).ok());
    EXPECT_EQ(*client.Run({"GET", "large"})->String(), large);
  });
}

TEST_F(RedisClientTest, ManyFibersShareOneConnection) {
  WithClient([](RedisServer&, Client& client) {
    FiberGroup group;
    for (int i = 0; i < 200; ++i) {
      EXPECT_TRUE(group
                      .Spawn("counts",
                             [&]() -> absl::Status {
                               for (int j = 0; j < 20; ++j) {
                                 const auto reply = client.Run({"INCR", "n"});
                                 if (!reply.ok()) return reply.status();
                               }
                               return absl::OkStatus();
                             })
                      .ok());
    }
    EXPECT_TRUE(group.Join().ok());
    EXPECT_EQ(*client.Run({"GET", "n"})->Integer(), 4000);
    EXPECT_EQ(client.stats().wire.connects, 1u);
    EXPECT_LT(client.stats().pipeline.writes, 2000u);
  });
}

TEST_F(RedisClientTest, BatchesTransactionsAndScripts) {
  WithClient([](RedisServer&, Client& client) {
    const std::vector<Command> batch = {Command({"SET", "a", 1}), Command({"LPUSH", "a", "x"}),
                                        Command({"GET", "a"})};
    absl::StatusOr<std::vector<Value>> all = client.RunAll(batch);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE((*all)[1].error());
    EXPECT_EQ(*(*all)[2].Integer(), 1);
    const std::vector<Command> both = {Command({"INCR", "a"}), Command({"INCR", "a"})};
    EXPECT_EQ(*client.Transact(both)->at(1).Integer(), 3);
    const std::vector<Command> refused = {Command({"INCR", "a"}), Command({"NOSUCH"})};
    EXPECT_TRUE(absl::IsInvalidArgument(client.Transact(refused).status()));
    EXPECT_EQ(*client.Run({"GET", "a"})->Integer(), 3) << "none of it was done";

    const Script add("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    const std::vector<std::string> keys = {"a"};
    const std::vector<std::string> arguments = {"10"};
    EXPECT_EQ(*client.Eval(add, keys, arguments)->Integer(), 13);
    EXPECT_EQ(*client.Eval(add, keys, arguments)->Integer(), 23);
    EXPECT_EQ(client.stats().scripts_loaded, 1u);
    EXPECT_TRUE(client.Run({"SCRIPT", "FLUSH"}).ok());
    EXPECT_EQ(*client.Eval(add, keys, arguments)->Integer(), 33);
  });
}

TEST_F(RedisClientTest, ABlockingCommandHasItsOwnConnectionWhichACancellationCloses) {
  WithClient([](RedisServer&, Client& client) {
    FiberHandle pops = *Spawn("pops", [&]() -> absl::Status {
      absl::StatusOr<Client::Lease> connection = client.Take();
      if (!connection.ok()) return connection.status();
      return (*connection)->Run({"BLPOP", "list", 0}).status();
    });
    // Until the server says that it blocks, or does so no longer.
    const auto await_blocked = [&](bool blocked) {
      for (;;) {
        const std::string list = *client.Run({"CLIENT", "LIST"})->String();
        if ((list.find("cmd=blpop") != std::string::npos) == blocked) return;
        ASSERT_TRUE(Sleep(absl::Milliseconds(1)).ok());
      }
    };
    await_blocked(true);
    pops.Cancel();
    EXPECT_TRUE(absl::IsCancelled(pops.Join()));
    await_blocked(false);
    EXPECT_EQ(client.stats().connections_lent, 0);
    EXPECT_TRUE(client.Run({"RPUSH", "list", "x"}).ok());
    absl::StatusOr<Client::Lease> connection = client.Take();
    EXPECT_EQ((*connection)->Run({"BLPOP", "list", 1})->Strings()->at(1), "x");
  });
}

TEST_F(RedisClientTest, AWatchedKeyThatChangesAbortsTheTransaction) {
  WithClient([](RedisServer&, Client& client) {
    const std::vector<std::string> keys = {"a"};
    const std::vector<Command> set = {Command({"SET", "a", "mine"})};
    {
      absl::StatusOr<Client::Lease> connection = client.Take();
      EXPECT_TRUE((*connection)->Watch(keys).ok());
      EXPECT_TRUE(client.Run({"SET", "a", "theirs"}).ok());
      EXPECT_TRUE(absl::IsAborted((*connection)->Transact(set).status()));
      EXPECT_TRUE((*connection)->Watch(keys).ok());
      EXPECT_TRUE((*connection)->Transact(set).ok());
      EXPECT_TRUE((*connection)->Watch(keys).ok());  // and it is given back so
    }
    EXPECT_TRUE(client.Run({"SET", "a", "theirs"}).ok());
    absl::StatusOr<Client::Lease> connection = client.Take();
    EXPECT_TRUE((*connection)->Transact(set).ok()) << "a watch is not handed on";
    EXPECT_EQ(client.stats().connections_lent, 1);
  });
}

TEST_F(RedisClientTest, OutlivesItsServersDeath) {
  WithClient([](RedisServer& server, Client& client) {
    EXPECT_TRUE(client.Run({"SET", "k", "v"}).ok());
    {
      absl::StatusOr<Client::Lease> connection = client.Take();
      EXPECT_TRUE(connection.ok());
    }
    absl::StatusOr<std::unique_ptr<Subscription>> news = client.Subscribe({.channels = {"news"}});
    ASSERT_TRUE(news.ok()) << news.status();
    EXPECT_EQ(*client.Run({"PUBLISH", "news", "one"})->Integer(), 1);
    EXPECT_EQ((*news)->Next()->payload, "one");
    server.Kill();
    const absl::Status down = client.Run({"GET", "k"}).status();
    EXPECT_TRUE(absl::IsUnavailable(down)) << down;
    server.Start();
    absl::Status up = absl::UnavailableError("not asked yet");
    while (absl::IsUnavailable(up)) {
      ASSERT_TRUE(Sleep(absl::Milliseconds(1)).ok());
      up = client.Run({"GET", "k"}).status();
    }
    EXPECT_TRUE(up.ok()) << up;
    EXPECT_EQ((*news)->Next()->kind, Message::Kind::kReconnected);
    EXPECT_TRUE(client.Run({"PUBLISH", "news", "two"}).ok());
    EXPECT_EQ((*news)->Next()->payload, "two");
    absl::StatusOr<Client::Lease> connection = client.Take();
    ASSERT_TRUE(connection.ok()) << "the pool drops what has died: " << connection.status();
    EXPECT_TRUE((*connection)->Run({"PING"}).ok());
  });
}

TEST_F(RedisClientTest, LogsInAndSelectsItsDatabase) {
  With({"--requirepass", "secret"}, [](RedisServer& server) {
    ServerOptions options = server.Options();
    options.database = 3;
    std::unique_ptr<Client> stranger = *Client::Create({.server = options});
    EXPECT_TRUE(absl::IsUnauthenticated(stranger->Run({"GET", "k"}).status()));
    options.password = "wrong";
    std::unique_ptr<Client> liar = *Client::Create({.server = options});
    EXPECT_TRUE(absl::IsUnauthenticated(liar->Run({"GET", "k"}).status()));
    options.password = "secret";
    std::unique_ptr<Client> client = *Client::Create({.server = options});
    EXPECT_TRUE(client->Run({"SET", "k", "v"}).ok());
    const std::string info = *client->Run({"CLIENT", "INFO"})->String();
    EXPECT_NE(info.find(" db=3 "), std::string::npos) << info;
    EXPECT_NE(info.find(" name=grove "), std::string::npos) << info;
    EXPECT_NE(info.find(" resp=3"), std::string::npos) << info;
    for (Client* each : {stranger.get(), liar.get(), client.get()}) each->Close();
  });
}

}  // namespace
}  // namespace grove::redis
