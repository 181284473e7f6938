// Calls of one server's Echo.Say by fibers, and by a bare completion queue on one thread beside it:
// what of this process's time each takes. The server is another process.
//
// usage: rpc_bench [COUNT [CONCURRENCY]]
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "client/rpc/client.h"
#include "client/rpc/echo_server.h"
#include "runtime/hub/hub.h"

namespace grove::client::rpc {
namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Prints what `calls` took.
template <typename Calls>
void Measure(const char* name, int count, Calls calls) {
  const absl::Time began = absl::Now();
  const double cpu = CpuSeconds();
  calls();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  printf("%-24s %8.0f calls/s %6.1f us of CPU a call\n", name, count / seconds,
         (CpuSeconds() - cpu) * 1e6 / count);
}

testing::v1::Message Request() {
  testing::v1::Message request;
  request.set_text(std::string(64, 'x'));
  return request;
}

void CallBare(const std::string& address, int count, int concurrency) {
  struct Pending {
    grpc::ClientContext context;
    testing::v1::Message response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<testing::v1::Message>> call;
  };
  const auto stub =
      testing::v1::Echo::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::CompletionQueue queue;
  const testing::v1::Message request = Request();
  int left = count;
  const auto start = [&] {
    --left;
    auto* pending = new Pending;
    pending->call = stub->PrepareAsyncSay(&pending->context, request, &queue);
    pending->call->StartCall();
    pending->call->Finish(&pending->response, &pending->status, pending);
  };
  for (int i = 0; i < concurrency; ++i) start();
  void* tag = nullptr;
  bool ok = false;
  for (int done = 0; done < count && queue.Next(&tag, &ok); ++done) {
    delete static_cast<Pending*>(tag);
    if (left > 0) start();
  }
}

void CallFromFibers(const std::string& address, int count, int concurrency) {
  const std::unique_ptr<Hub> hub = *Hub::Create({});
  hub->Run([&] {
       const auto completions = *Completions::Create();
       const auto channel =
           *Channel::Create(*completions, {.address = address, .calls_max = concurrency});
       Client<testing::v1::Echo> client(*channel);
       const testing::v1::Message request = Request();
       int left = count;
       std::vector<FiberHandle> fibers;
       fibers.reserve(concurrency);
       for (int i = 0; i < concurrency; ++i) {
         fibers.push_back(*Spawn("caller", [&] {
           while (left-- > 0) {
             if (!client.Call(&testing::v1::Echo::Stub::PrepareAsyncSay, request).ok()) abort();
           }
         }));
       }
       for (FiberHandle& fiber : fibers) fiber.Join().IgnoreError();
       printf("%.1f completions a wake\n", static_cast<double>(completions->stats().operations) /
                                               static_cast<double>(completions->stats().batches));
     })
      .IgnoreError();
}

int Main(int count, int concurrency) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return 1;
  const pid_t server = fork();  // before this process uses gRPC
  if (server == 0) {
    const EchoServer echo;
    const std::string line = echo.address() + "\n";
    if (write(pipe_ends[1], line.data(), line.size()) < 0) return 1;
    pause();
  }
  char address[100] = {};
  const ssize_t length = read(pipe_ends[0], address, sizeof(address) - 1);
  if (length <= 0) return 1;
  address[length - 1] = '\0';
  for (int round = 0; round < 3; ++round) {
    Measure("bare completion queue", count, [&] { CallBare(address, count, concurrency); });
    Measure("fibers", count, [&] { CallFromFibers(address, count, concurrency); });
  }
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  return 0;
}

}  // namespace
}  // namespace grove::client::rpc

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 50'000;
  const int concurrency = argc > 2 ? atoi(argv[2]) : 128;
  return grove::client::rpc::Main(count, concurrency);
}
