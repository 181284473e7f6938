#include "runtime/io/datagram.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

class DatagramTest : public HubTest {
 protected:
  static SocketAddress Loopback() { return *SocketAddress::Parse("127.0.0.1:0"); }
  static SocketAddress UnixPath(const std::string& path) {
    return *SocketAddress::Parse("unix:" + path);
  }
};

TEST_F(DatagramTest, ParksTheReceiverAndTellsTheSender) {
  Run([] {
    DatagramSocket server = *DatagramSocket::Bind(Loopback());
    DatagramSocket client = *DatagramSocket::Connect(server.LocalAddress());
    auto echo = *Spawn("echo", [&] {
      char buffer[16];
      for (int i = 0; i < 2; ++i) {
        const Datagram got = *server.ReceiveFrom(buffer);
        EXPECT_EQ(got.from.ToString(), client.LocalAddress().ToString());
        EXPECT_TRUE(server.SendTo({buffer, got.size}, got.from).ok());
      }
    });
    Yield();
    EXPECT_EQ(echo->waiting_for().kind, WaitFor::Kind::kRead);
    char buffer[16];
    EXPECT_TRUE(client.Send("hello").ok());
    EXPECT_EQ(client.ReceiveFrom(buffer)->size, 5u);
    EXPECT_TRUE(client.Send("").ok());
    EXPECT_EQ(client.ReceiveFrom(buffer)->size, 0u);
    EXPECT_TRUE(echo.Join().ok());
  });
}

TEST_F(DatagramTest, KeepsBoundariesAndTellsOfACutMessage) {
  Run([] {
    DatagramSocket server = *DatagramSocket::Bind(Loopback());
    DatagramSocket client = *DatagramSocket::Connect(server.LocalAddress());
    EXPECT_TRUE(client.Send("12345").ok());
    EXPECT_TRUE(client.Send("1234").ok());
    char buffer[4];
    const Datagram cut = *server.ReceiveFrom(buffer);
    EXPECT_EQ(cut.size, 4u);
    EXPECT_EQ(cut.full_size, 5u);
    EXPECT_TRUE(cut.truncated());
    EXPECT_FALSE(server.ReceiveFrom(buffer)->truncated());
  });
}

TEST_F(DatagramTest, ATimeoutEndsAReceiveAndCloseWakesIt) {
  Run([] {
    DatagramSocket server = *DatagramSocket::Bind(Loopback());
    char buffer[4];
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(server.ReceiveFrom(buffer).status()));
    }
    auto receiver = *Spawn(
        "receiver", [&] { EXPECT_TRUE(absl::IsAborted(server.ReceiveFrom(buffer).status())); });
    Yield();
    server.Close();
    EXPECT_TRUE(receiver.Join().ok());
  });
}

TEST_F(DatagramTest, NamesWhatIsWrongWithASend) {
  Run([] {
    DatagramSocket server = *DatagramSocket::Bind(Loopback());
    EXPECT_TRUE(absl::IsInvalidArgument(server.Send("to nobody")));
    EXPECT_TRUE(
        absl::IsInvalidArgument(server.SendTo(std::string(70'000, 'x'), server.LocalAddress())));
    EXPECT_TRUE(absl::IsAlreadyExists(DatagramSocket::Bind(server.LocalAddress()).status()));
  });
}

TEST_F(DatagramTest, AConnectedSocketHearsThatNobodyIsThere) {
  Run([] {
    DatagramSocket gone = *DatagramSocket::Bind(Loopback());
    DatagramSocket client = *DatagramSocket::Connect(gone.LocalAddress());
    gone.Close();
    EXPECT_TRUE(client.Send("x").ok());
    char buffer[4];
    EXPECT_TRUE(absl::IsUnavailable(client.ReceiveFrom(buffer).status()));
  });
}

TEST_F(DatagramTest, AFullUnixReceiverIsAnErrorUnconnectedAndAWaitConnected) {
  char directory[] = "/tmp/grove_XXXXXX";  // short: sun_path holds 107 bytes
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/d";
  Run([&] {
    DatagramSocket server = *DatagramSocket::Bind(UnixPath(path));
    DatagramSocket other = *DatagramSocket::Connect(UnixPath(path));
    DatagramSocket client = *DatagramSocket::Connect(UnixPath(path));
    int queued = 0;
    absl::Status status;
    while ((status = other.SendTo("x", UnixPath(path))).ok()) ++queued;
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    auto sender = *Spawn("sender", [&] { EXPECT_TRUE(client.Send("last").ok()); });
    Yield();
    EXPECT_EQ(sender->waiting_for().kind, WaitFor::Kind::kWrite);
    char buffer[8];
    for (; queued > 0; --queued) EXPECT_EQ(server.ReceiveFrom(buffer)->size, 1u);
    EXPECT_EQ(server.ReceiveFrom(buffer)->size, 4u);
    EXPECT_TRUE(sender.Join().ok());
  });
  unlink(path.c_str());
  rmdir(directory);
}

}  // namespace
}  // namespace grove
