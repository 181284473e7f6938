// A client of Redis beside servers of a test's own: one of canned answers, and the distribution's.
#ifndef GROVE_DATABASE_REDIS_REDIS_FIXTURE_H_
#define GROVE_DATABASE_REDIS_REDIS_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "database/redis/client.h"
#include "database/redis/reply_parser.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/io/subprocess.h"
#include "runtime/sync/event.h"

namespace grove::redis {

// A folder of short path, since a UNIX socket's has 107 bytes; removed with it.
class TestFolder {
 public:
  TestFolder() {
    char path[] = "/tmp/grove-redis-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    path_ = path;
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// A server that does with each connection what `serve` says, numbered from 0, once it has been
// greeted.
class FakeRedis {
 public:
  // One connection of it.
  class Peer {
   public:
    explicit Peer(Socket& socket) : socket_(socket) {}
    // The words of the next command, a blank between them; empty at the end.
    std::string Next() {
      for (;;) {
        absl::StatusOr<std::optional<Value>> value = parser_.Next();
        if (!value.ok()) return "";
        if (value->has_value()) {
          std::string words;
          for (const Value& word : (*value)->elements()) {
            words += (words.empty() ? "" : " ") + std::string(word.text());
          }
          return words;
        }
        char piece[4096];
        absl::StatusOr<size_t> got = socket_.Read(piece);
        if (!got.ok() || *got == 0) return "";
        ++reads;
        parser_.Feed({piece, *got});
      }
    }
    void Say(std::string_view bytes) { socket_.Write(bytes).IgnoreError(); }
    void Hang() { Event().Wait().IgnoreError(); }
    int reads = 0;

   private:
    Socket& socket_;
    ReplyParser parser_;
  };

  explicit FakeRedis(std::function<void(Peer&, int)> serve)
      : listener_(
            *Listener::Adopt(*BindListener(*SocketAddress::Parse("unix:" + folder_.File("fake"))))),
        serve_(std::move(serve)) {
    EXPECT_TRUE(group_.Spawn("fake-redis", [this] { Accept(); }).ok());
  }
  ~FakeRedis() {
    group_.Cancel();
    group_.Join().IgnoreError();
  }
  ServerOptions Options() const { return {.unix_socket = folder_.File("fake")}; }
  int connections() const { return connections_; }

 private:
  void Accept() {
    for (;;) {
      absl::StatusOr<Socket> socket = listener_.Accept();
      if (!socket.ok()) return;
      const int number = connections_++;
      auto held = std::make_shared<Socket>(*std::move(socket));
      EXPECT_TRUE(group_
                      .Spawn("fake-redis",
                             [this, held, number] {
                               Peer peer(*held);
                               if (peer.Next().empty()) return;
                               peer.Say("%1\r\n+proto\r\n:3\r\n");
                               serve_(peer, number);
                             })
                      .ok());
    }
  }

  TestFolder folder_;
  Listener listener_;
  std::function<void(Peer&, int)> serve_;
  int connections_ = 0;
  FiberGroup group_;
};

// The distribution's redis-server on a UNIX socket, with no file of its own.
class RedisServer {
 public:
  static bool Exists() { return std::filesystem::exists("/usr/bin/redis-server"); }

  explicit RedisServer(std::vector<std::string> more = {}) : more_(std::move(more)) { Start(); }

  ServerOptions Options() const { return {.unix_socket = socket()}; }
  std::string socket() const { return folder_.File("redis.sock"); }
  const TestFolder& folder() const { return folder_; }

  // **Park.**
  void Start() {
    std::vector<std::string> command = {
        "/usr/bin/redis-server", "--port", "0", "--unixsocket", socket(), "--save", "",
        "--daemonize",           "no"};
    command.insert(command.end(), more_.begin(), more_.end());
    absl::StatusOr<Subprocess> started = Subprocess::Start(command);
    ASSERT_TRUE(started.ok()) << started.status();
    process_.emplace(*std::move(started));
    BufferedReader lines(process_->out());
    for (;;) {
      absl::StatusOr<std::string> line = lines.ReadLine();
      ASSERT_TRUE(line.ok()) << "redis-server ended before it was ready";
      if (line->find("eady to accept connections") != std::string::npos) return;
    }
  }
  void Kill() {
    EXPECT_TRUE(process_->Signal(SIGKILL).ok());
    EXPECT_TRUE(process_->Wait().ok());
    process_.reset();
  }

 private:
  const std::vector<std::string> more_;
  TestFolder folder_;
  std::optional<Subprocess> process_;
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_REDIS_FIXTURE_H_
