// INCR over a UNIX socket: fibers that share a connection beside hiredis, in the same run.
//
// usage: redis_bench SOCKET [COUNT]
// Prints operations/s and microseconds of this process's CPU for each: hiredis one at a time and
// with 50 in a pipeline of its own making, then 1, 50 and 1000 fibers that each ask one at a time.
#include <hiredis/hiredis.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "database/redis/client.h"
#include "runtime/hub/hub.h"

namespace grove::redis {
namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Measure(const char* what, int count, const std::function<bool()>& run) {
  const absl::Time began = absl::Now();
  const double cpu = CpuSeconds();
  const bool good = run();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  printf("%-24s %9.0f/s %7.2f us CPU%s\n", what, count / seconds,
         (CpuSeconds() - cpu) * 1e6 / count, good ? "" : "  FAILED");
}

bool Hiredis(redisContext* context, int count, int depth) {
  for (int done = 0; done < count; done += depth) {
    for (int i = 0; i < depth; ++i) redisAppendCommand(context, "INCR %s", "bench");
    for (int i = 0; i < depth; ++i) {
      void* reply = nullptr;
      if (redisGetReply(context, &reply) != REDIS_OK) return false;
      freeReplyObject(reply);
    }
  }
  return true;
}

bool Fibers(Client& client, int count, int fibers) {
  int left = count;
  bool good = true;
  std::vector<FiberHandle> handles;
  handles.reserve(fibers);
  for (int i = 0; i < fibers; ++i) {
    handles.push_back(*Spawn("bench", [&] {
      while (left-- > 0) good = client.Run({"INCR", "bench"}).ok() && good;
    }));
  }
  for (FiberHandle& handle : handles) handle.Join().IgnoreError();
  return good;
}

int Main(const char* socket, int count) {
  redisContext* context = redisConnectUnix(socket);
  if (context == nullptr || context->err != 0) {
    fprintf(stderr, "%s: no Redis answers\n", socket);
    return 1;
  }
  std::unique_ptr<Hub> hub = *Hub::Create();
  const absl::Status status = hub->Run([&] {
    std::unique_ptr<Client> client = *Client::Create({.server = {.unix_socket = socket}});
    for (int round = 0; round < 2; ++round) {
      Measure("hiredis, one by one", count, [&] { return Hiredis(context, count, 1); });
      Measure("fibers: 1", count, [&] { return Fibers(*client, count, 1); });
      Measure("hiredis, 50 together", count, [&] { return Hiredis(context, count, 50); });
      Measure("fibers: 50", count, [&] { return Fibers(*client, count, 50); });
      Measure("fibers: 1000", count, [&] { return Fibers(*client, count, 1000); });
    }
    client->Close();
  });
  redisFree(context);
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace grove::redis

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: redis_bench SOCKET [COUNT]\n");
    return 2;
  }
  return grove::redis::Main(argv[1], argc > 2 ? atoi(argv[2]) : 200'000);
}
