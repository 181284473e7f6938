// Counts with a thousand fibers in one Redis key: redis_counter SOCKET.
#include <cstdio>
#include <memory>

#include "database/redis/client.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

using namespace grove;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::unique_ptr<Hub> hub = *Hub::Create();
  const absl::Status status = hub->Run([&]() -> absl::Status {
    auto client = redis::Client::Create({.server = {.unix_socket = argv[1]}});
    if (!client.ok()) return client.status();
    Timeout timeout(absl::Seconds(10));
    FiberGroup group(FiberGroup::OnFailure::kCancelRest);
    for (int i = 0; i < 1000; ++i) {
      // What they ask in one turn leaves in one write.
      absl::Status spawned =
          group.Spawn("count",
                      [&] {
                        return (*client)->Run({"INCR", "visits"}).status();
                      })
              .status();
      if (!spawned.ok()) return spawned;
    }
    if (absl::Status counted = group.Join(); !counted.ok()) return counted;
    absl::StatusOr<redis::Value> visits = (*client)->Run({"GET", "visits"});
    if (!visits.ok()) return visits.status();
    std::printf("%s visits, in %d writes\n", visits->String().value_or("no").c_str(),
                static_cast<int>((*client)->stats().pipeline.writes));
    (*client)->Close();
    return absl::OkStatus();
  });
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
