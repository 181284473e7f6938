// What docs/runtime.md shows of I/O.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "runtime/dns/dial_host.h"
#include "runtime/dns/resolver.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/datagram.h"
#include "runtime/io/dial.h"
#include "runtime/io/foreign_descriptor.h"
#include "runtime/io/listener.h"
#include "runtime/io/pipe.h"
#include "runtime/io/send_file.h"
#include "runtime/io/signals.h"
#include "runtime/io/standard_input.h"
#include "runtime/io/subprocess.h"
#include "runtime/offload/offload.h"
#include "runtime/sync/event.h"
#include "runtime/sync/select_descriptor.h"

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

TEST_F(IoExample, WaitsForBytesOrAnEvent) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    Event stop;
    std::string said;
    // [select]
    auto listener = *Spawn("listener", [&] {
      SelectReadable bytes(pipe.reader.fd());
      SelectEvent stopped(stop);
      Selector selector({&bytes, &stopped});
      for (auto at = selector.Wait(); at.ok() && *at == 0; at = selector.Wait()) {
        char buffer[4];  // what does not fit is ready at the next Wait()
        auto got = bytes.status().ok() ? pipe.reader.Read(buffer) : bytes.status();
        if (!got.ok() || *got == 0) return;  // it was closed, on this side or the other
        said.append(buffer, *got);
      }
    });
    // [/select]
    EXPECT_TRUE(pipe.writer.Write("in pieces").ok());
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(said, "in pieces");
    stop.Set();
    EXPECT_TRUE(listener.Join().ok());
  });
}

TEST_F(IoExample, ReadsStandardInput) {
  Run([] {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    ASSERT_EQ(write(ends[1], "first\nsecond\n", 13), 13);
    close(ends[1]);
    const int stdin_fd = ends[0];
    std::vector<std::string> lines;
    // [stdin]
    auto input = StandardInput::Open(stdin_fd);  // without an argument: descriptor 0
    if (!input.ok()) return;
    BufferedReader reader(*input);
    for (auto line = reader.ReadLine(); line.ok(); line = reader.ReadLine()) lines.push_back(*line);
    // [/stdin]
    EXPECT_EQ(lines, (std::vector<std::string>{"first", "second"}));
    close(stdin_fd);
  });
}

// A library with a loop of its own: a counter that the loop adds up as it is told.
struct ForeignLoop {
  int set = epoll_create1(EPOLL_CLOEXEC);
  int counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  uint64_t sum = 0;

  ForeignLoop() {
    epoll_event event{.events = EPOLLIN, .data = {}};
    epoll_ctl(set, EPOLL_CTL_ADD, counter, &event);
  }
  ~ForeignLoop() {
    close(set);
    close(counter);
  }
  int descriptor() const { return set; }
  // What is there to do, without a wait.
  void DoWhatIsThere() {
    epoll_event event;
    uint64_t count = 0;
    while (epoll_wait(set, &event, 1, 0) == 1 && eventfd_read(counter, &count) == 0) sum += count;
  }
};

TEST_F(IoExample, TurnsAForeignLoop) {
  Run([] {
    ForeignLoop loop;
    // [foreign]
    auto turns = *Spawn("foreign loop", [&]() -> absl::Status {
      absl::StatusOr<ForeignDescriptor> waited = ForeignDescriptor::Register(loop.descriptor());
      if (!waited.ok()) return waited.status();
      for (;;) {
        if (absl::Status ready = waited->AwaitReadable(); !ready.ok()) return ready;
        loop.DoWhatIsThere();
      }
    });
    // [/foreign]
    for (int i = 0; i < 2; ++i) {
      (void)Sleep(absl::Seconds(1));
      EXPECT_EQ(eventfd_write(loop.counter, 21), 0);
    }
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(loop.sum, 42u);
    turns.Cancel();
    EXPECT_TRUE(absl::IsCancelled(turns.Join()));
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
