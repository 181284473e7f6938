#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/task_commands.h"

namespace grove::client::cli {
namespace {

// Queues, pools, workers and functions are few: a list that reaches this is cut.
constexpr int64_t kListedMax = 100000;

constexpr int64_t kListedFibers = 1000;
constexpr int64_t kListedStacks = 100;

constexpr int64_t kPoolSizeMax = 1000000;

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

// Empty, which lists all tenants', unless the flag is given.
absl::StatusOr<std::string> ListParent(const Command& command) {
  const auto tenant = command.arguments.Value("tenant");
  if (!tenant) return std::string();
  return TenantName(*tenant);
}

// What was heard has been printed, but it is not all.
template <typename Response>
absl::Status CheckComplete(const Response& response) {
  if (response.unreachable().empty()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the list lacks what did not answer: ",
                                             absl::StrJoin(response.unreachable(), ", ")));
}

void PrintPool(Command& command, const v1::Pool& pool) {
  List<v1::Pool> one;
  *one.Add() = pool;
  Print(command, pool, [&] { return RenderPools(one, ViewOf(command)); });
}

}  // namespace

namespace {

absl::Status CheckNotWatched(const Command& command) {
  for (const char* flag : {"interval", "count"}) {
    if (!command.arguments.Value(flag)) continue;
    return UsageError(absl::StrCat("--", flag, " goes with --watch"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunQueues(Command& command) {
  const bool watches = command.arguments.Has("watch");
  if (absl::Status flags = watches ? absl::OkStatus() : CheckNotWatched(command); !flags.ok()) {
    return flags;
  }
  if (!command.arguments.positional().empty()) {
    auto name = QueueName(command.arguments.positional()[0], command.Tenant());
    if (!name.ok()) return name.status();
    if (watches) return WatchQueues(command, *name);
    auto queue = command.client->GetQueue(*name);
    if (!queue.ok()) return queue.status();
    List<v1::Queue> one;
    *one.Add() = *queue;
    Print(command, *queue, [&] { return RenderQueues(one, ViewOf(command)); });
    return absl::OkStatus();
  }
  auto parent = ListParent(command);
  if (!parent.ok()) return parent.status();
  if (watches) {
    return WatchQueues(command, absl::StrCat(parent->empty() ? "tenants/-" : *parent, "/queues/-"));
  }
  v1::ListQueuesRequest request;
  request.set_parent(*parent);
  auto queues = command.client->ListQueues(request, kListedMax);
  if (!queues.ok()) return queues.status();
  PrintList(command, *queues, "queues",
            [&] { return RenderQueues(queues->queues(), ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunPools(Command& command) {
  if (!command.arguments.positional().empty()) {
    auto name = PoolName(command.arguments.positional()[0], command.Tenant());
    if (!name.ok()) return name.status();
    auto pool = command.client->GetPool(*name);
    if (!pool.ok()) return pool.status();
    PrintPool(command, *pool);
    return absl::OkStatus();
  }
  auto parent = ListParent(command);
  if (!parent.ok()) return parent.status();
  v1::ListPoolsRequest request;
  request.set_parent(*parent);
  auto pools = command.client->ListPools(request, kListedMax);
  if (!pools.ok()) return pools.status();
  PrintList(command, *pools, "pools", [&] { return RenderPools(pools->pools(), ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunPoolsResize(Command& command) {
  const auto& arguments = command.arguments.positional();
  auto name = PoolName(arguments[0], command.Tenant());
  if (!name.ok()) return name.status();
  auto size = ParseInteger("SIZE", arguments[1], 0, kPoolSizeMax);
  if (!size.ok()) return size.status();
  auto pool = command.client->ResizePool(*name, *size);
  if (!pool.ok()) return pool.status();
  PrintPool(command, *pool);
  return absl::OkStatus();
}

absl::Status RunWorkers(Command& command) {
  auto workers = command.client->ListWorkers({}, kListedMax);
  if (!workers.ok()) return workers.status();
  PrintList(command, *workers, "workers",
            [&] { return RenderWorkers(workers->workers(), ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunFibers(Command& command) {
  if (!command.arguments.positional().empty()) {
    auto name = FiberName(command.arguments.positional()[0]);
    if (!name.ok()) return name.status();
    auto fiber = command.client->GetFiber(*name);
    if (!fiber.ok()) return fiber.status();
    List<v1::Fiber> one;
    *one.Add() = *fiber;
    Print(command, *fiber, [&] { return RenderStacks(one, ViewOf(command)); });
    return absl::OkStatus();
  }
  const bool stacks = command.arguments.Has("stacks");
  v1::ListFibersRequest request;
  if (stacks) request.set_view(v1::FIBER_VIEW_FULL);
  if (const auto worker = command.arguments.Value("worker")) {
    auto name = WorkerName(*worker);
    if (!name.ok()) return name.status();
    request.set_parent(*name);
  }
  auto limit = IntegerFlag(command, "limit", stacks ? kListedStacks : kListedFibers, 1, kListedMax);
  if (!limit.ok()) return limit.status();
  auto fibers = command.client->ListFibers(request, *limit);
  if (!fibers.ok()) return fibers.status();
  PrintList(command, *fibers, "fibers", [&] {
    return stacks ? RenderStacks(fibers->fibers(), ViewOf(command))
                  : RenderFibers(fibers->fibers(), ViewOf(command));
  });
  return CheckComplete(*fibers);
}

absl::Status RunFunctions(Command& command) {
  auto functions = command.client->ListFunctions({}, kListedMax);
  if (!functions.ok()) return functions.status();
  PrintList(command, *functions, "functions",
            [&] { return RenderFunctions(functions->functions(), ViewOf(command)); });
  return CheckComplete(*functions);
}

}  // namespace grove::client::cli
