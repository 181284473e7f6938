// What docs/runtime.md shows of I/O.
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "runtime/dns/dial_host.h"
#include "runtime/dns/resolver.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/datagram.h"
#include "runtime/io/dial.h"
#include "runtime/io/listener.h"
#include "runtime/io/pipe.h"
#include "runtime/io/send_file.h"
#include "runtime/io/signals.h"
#include "runtime/io/subprocess.h"
#include "runtime/offload/offload.h"

namespace grove {
namespace {

using IoExample = HubTest;

TEST_F(IoExample, Connections) {
  Run([] {
    Listener listener =
        *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0"), {.backlog = 16}));
    const SocketAddress server = listener.LocalAddress();
    // [dial]
    // The first of several that answers (RFC 8305), each from an address of one's own.
    std::vector<SocketAddress> addresses = {server, *SocketAddress::Parse("[::1]:9")};
    absl::StatusOr<Socket> socket =
        DialAny(addresses, {.connect = {.bind = *SocketAddress::Parse("127.0.0.1:0")}});
    if (!socket.ok()) return;  // names each address with its error
    (void)socket->Write("hello");
    (void)socket->ShutdownWrite();
    // [/dial]
    Socket accepted = *listener.Accept();
    char buffer[16];
    EXPECT_EQ(*accepted.Read(buffer), 5u);
    // [dns]
    absl::StatusOr<std::unique_ptr<Resolver>> resolver = Resolver::Create();
    if (!resolver.ok()) return;
    auto found = (*resolver)->Resolve("localhost", 80);  // also "10.0.0.1", "example.org"
    EXPECT_TRUE(found.ok() && !found->empty());
    // [/dns]
    const auto port = ntohs(reinterpret_cast<const sockaddr_in&>(server.storage).sin_port);
    EXPECT_TRUE(DialHost(**resolver, "127.0.0.1", port).ok());
  });
}

TEST_F(IoExample, SendsAFile) {
  Run([] {
    const int file = memfd_create("file", MFD_CLOEXEC);
    ASSERT_EQ(write(file, "0123456789", 10), 10);
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    Socket client = *Socket::Connect(listener.LocalAddress());
    Socket socket = *listener.Accept();
    // [sendfile]
    EXPECT_TRUE(SendFile(socket, file, 3, 4).ok());  // 4 bytes from byte 3 on
    // [/sendfile]
    char got[4];
    EXPECT_TRUE(client.ReadFull(got).ok());
    EXPECT_EQ(std::string(got, 4), "3456");
    close(file);
  });
}

TEST_F(IoExample, Datagrams) {
  Run([] {
    // [datagram]
    auto server = *DatagramSocket::Bind(*SocketAddress::Parse("127.0.0.1:0"));
    auto client = *DatagramSocket::Connect(server.LocalAddress());
    EXPECT_TRUE(client.Send("ping").ok());
    char buffer[1500];
    absl::StatusOr<Datagram> message = server.ReceiveFrom(buffer);
    if (message.ok()) (void)server.SendTo("pong", message->from);
    // [/datagram]
    EXPECT_EQ(client.ReceiveFrom(buffer)->size, 4u);
  });
}

TEST_F(IoExample, Pipes) {
  Run([] {
    // [pipe]
    Pipe pipe = *Pipe::Create();
    auto writer = *Spawn("writer", [&] {
      (void)pipe.writer.Write("through the kernel");
      pipe.writer.Close();
    });
    char text[7];
    EXPECT_TRUE(pipe.reader.ReadFull(text).ok());
    // [/pipe]
    EXPECT_TRUE(writer.Join().ok());
  });
}

TEST_F(IoExample, Subprocesses) {
  Run([] {
    // [subprocess]
    auto sort = Subprocess::Start({"sort"}, {.in = SubprocessOptions::Stream::kPipe});
    if (!sort.ok()) return;
    auto output = sort->Communicate("b\na\n", {.output_bytes_max = 4096});  // or a .timeout, too
    if (!output.ok()) return;  // kResourceExhausted: too much output; it has been ended
    EXPECT_EQ(output->out, "a\nb\n");
    EXPECT_TRUE(output->status.ok());
    // [/subprocess]
  });
}

TEST_F(IoExample, Signals) {
  Run([] {
    // [signals]
    auto signals = SignalSet::Create({SIGTERM, SIGHUP});  // before any thread is started
    if (!signals.ok()) return;
    auto watcher = *Spawn("signals", [&] {
      auto got = signals->Await();
      EXPECT_EQ(got->number, SIGTERM);
    });
    // [/signals]
    kill(getpid(), SIGTERM);
    EXPECT_TRUE(watcher.Join().ok());
  });
}

TEST_F(IoExample, Offloads) {
  Run([] {
    // [offload]
    OffloadPool threads({.threads = 2, .queue_max = 100});
    char name[64] = "";
    absl::Status ran = threads.Run([&] { (void)gethostname(name, sizeof(name) - 1); });
    EXPECT_TRUE(ran.ok());  // kResourceExhausted: the queue is full; what it throws is thrown here
    // [/offload]
  });
}

}  // namespace
}  // namespace grove
