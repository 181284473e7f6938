#include "database/redis/dialer.h"

#include <string>
#include <vector>

#include "database/redis/error_reply.h"
#include "database/redis/redis_fixture.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/stream.h"

namespace grove::redis {
namespace {

constexpr std::string_view kGreeting = "%1\r\n+proto\r\n:3\r\n";

class DialerTest : public HubTest {
 protected:
  // What comes of dialling a server that answers the greeting by `said`.
  absl::Status Dialled(std::string said, ServerOptions options = {}) {
    absl::Status status;
    Run([&] {
      TestFolder folder;
      const std::string path = folder.File("server");
      Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("unix:" + path)));
      FiberHandle server = *Spawn("server", [&]() -> absl::Status {
        absl::StatusOr<Socket> socket = listener.Accept();
        if (!socket.ok()) return socket.status();
        if (absl::Status sent = socket->Write(said); !sent.ok()) return sent;
        char piece[1000];
        for (absl::StatusOr<size_t> got = socket->Read(piece); got.ok() && *got > 0;
             got = socket->Read(piece)) {
          heard_.append(piece, *got);
        }
        return absl::OkStatus();
      });
      options.unix_socket = path;
      status = (*Dialer::Create(options))->Dial().status();
      EXPECT_TRUE(server.Join().ok());
    });
    return status;
  }

  std::string heard_;
};

TEST_F(DialerTest, GreetsInOneWriteWithWhoItIs) {
  EXPECT_TRUE(Dialled(absl::StrCat(std::string(kGreeting), "+OK\r\n"),
                      {.user = "u", .password = "p", .database = 2, .client_name = "me"})
                  .ok());
  std::string wanted;
  Command({"HELLO", 3, "AUTH", "u", "p", "SETNAME", "me"}).AppendTo(wanted);
  Command({"SELECT", 2}).AppendTo(wanted);
  EXPECT_EQ(heard_, wanted);
}

TEST_F(DialerTest, TheServersRefusalIsToldWithItsWord) {
  const absl::Status wrong = Dialled("-WRONGPASS invalid username-password pair\r\n");
  EXPECT_TRUE(absl::IsUnauthenticated(wrong)) << wrong;
  EXPECT_EQ(ErrorWord(wrong), "WRONGPASS");
  const absl::Status range = Dialled(
      absl::StrCat(std::string(kGreeting), "-ERR DB index is out of range\r\n"), {.database = 99});
  EXPECT_TRUE(absl::IsInvalidArgument(range)) << range;
}

TEST_F(DialerTest, AServerThatIsTooOldIsNamedSo) {
  const absl::Status old = Dialled("-ERR unknown command `HELLO`, with args beginning with:\r\n");
  EXPECT_TRUE(absl::IsFailedPrecondition(old)) << old;
  EXPECT_NE(old.message().find("Redis 6"), std::string::npos) << old;
}

TEST_F(DialerTest, OneThatIsSilentOrNoRedisIsUnavailable) {
  const MonotonicNanos began = hub_->now();
  const absl::Status silent = Dialled("");
  EXPECT_TRUE(absl::IsUnavailable(silent)) << silent;
  EXPECT_EQ(absl::Nanoseconds(hub_->now() - began), absl::Seconds(5));
  EXPECT_TRUE(absl::IsUnavailable(Dialled("SSH-2.0-OpenSSH_9.2\r\n")));
}

TEST_F(DialerTest, SpeaksTlsToTheServerThatItKnows) {
  TestAuthority authority("redis");
  const TlsServerContext context = *TlsServerContext::Create(
      {.certificates = {authority.Issue("redis", {.names = "DNS:localhost"})}});
  Run([&] {
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    FiberHandle server = *Spawn("server", [&] {
      for (int i = 0; i < 2; ++i) {
        absl::StatusOr<TlsStream> stream = TlsStream::Accept(*listener.Accept(), context);
        EXPECT_EQ(stream.ok(), i == 0);
        if (!stream.ok()) continue;
        EXPECT_TRUE(stream->Write(kGreeting).ok());
        char piece[1000];
        (void)stream->Read(piece);
      }
    });
    ServerOptions options = {.host = "localhost",
                             .port = listener.LocalAddress().port(),
                             .tls = TlsClientOptions{.ca_file = authority.ca_file()}};
    const absl::Status known = (*Dialer::Create(options))->Dial().status();
    EXPECT_TRUE(known.ok()) << known;
    options.tls->ca_file = "";
    const absl::Status unknown = (*Dialer::Create(options))->Dial().status();
    EXPECT_TRUE(absl::IsUnauthenticated(unknown)) << unknown;
    EXPECT_TRUE(server.Join().ok());
  });
}

TEST(ServerOptionsTest, WrongOnesAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.server = {.host = ""}}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.server = {.user = "u"}}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.server = {.database = -1}}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.server = {.client_name = "a b"}}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.connections_max = 0}).status()));
}

}  // namespace
}  // namespace grove::redis
