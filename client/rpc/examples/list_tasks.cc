// Asks several Grove daemons at once for what runs, with a fiber for each.
#include <cstdio>
#include <memory>
#include <string>

#include "client/rpc/client.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

int main(int argc, char** argv) {
  using grove::v1::TaskService;
  std::unique_ptr<grove::Hub> hub = *grove::Hub::Create({.stack_bytes = 256 * 1024});
  int failed = 0;
  const absl::Status status = hub->Run([&] {
    std::unique_ptr<grove::client::rpc::Completions> completions =
        *grove::client::rpc::Completions::Create();
    grove::FiberPool pool(100);
    for (int i = 1; i < argc; ++i) {
      (void)pool.Spawn({.name = "daemon"}, [&, address = std::string(argv[i])] {
        auto channel = grove::client::rpc::Channel::Create(*completions, {.address = address});
        if (!channel.ok()) return (void)++failed;
        grove::client::rpc::Client<TaskService> tasks(**channel);
        grove::Timeout timeout(absl::Seconds(5));
        grove::v1::ListTasksRequest request;
        request.set_parent("tenants/default");
        request.mutable_filter()->add_states(grove::v1::TASK_STATE_RUNNING);
        auto answer = tasks.Call(&TaskService::Stub::PrepareAsyncListTasks, request);
        if (!answer.ok()) ++failed;
        std::printf("%s: %s\n", address.c_str(),
                    answer.ok() ? (std::to_string(answer->tasks_size()) + " run").c_str()
                                : answer.status().ToString().c_str());
      });
    }
    return pool.WaitAll();
  });
  return status.ok() && failed == 0 ? 0 : 1;
}
