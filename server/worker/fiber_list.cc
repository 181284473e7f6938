#include "server/worker/fiber_list.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "runtime/watch/stack_trace.h"

namespace grove::worker {
namespace {

using internal::v1::ListFibersReply;

ListFibersReply::Fiber::State StateOf(const Fiber& fiber) {
  switch (fiber.state()) {
    case Fiber::State::kRunnable:
      return ListFibersReply::Fiber::STATE_RUNNABLE;
    case Fiber::State::kRunning:
      return ListFibersReply::Fiber::STATE_RUNNING;
    case Fiber::State::kParked:
      return ListFibersReply::Fiber::STATE_PARKED;
    case Fiber::State::kEnded:
      break;
  }
  return ListFibersReply::Fiber::STATE_UNSPECIFIED;
}

ListFibersReply::Fiber Describe(const Fiber& fiber, MonotonicNanos now) {
  ListFibersReply::Fiber view;
  view.set_id(fiber.id());
  view.set_name(std::string(fiber.name()));
  view.set_state(StateOf(fiber));
  if (fiber.state() == Fiber::State::kParked) {
    view.set_waiting_for(WaitForText(fiber.waiting_for()));
  }
  view.set_age_us((now - fiber.spawned_at()) / 1000);
  view.set_switches(static_cast<int64_t>(fiber.switches()));
  view.set_spawn_site(absl::StrFormat("%s:%d", fiber.spawn_site().file_name(),
                                      static_cast<int>(fiber.spawn_site().line())));
  view.set_group(std::string(fiber.group()));
  view.set_run_time_us(fiber.run_time() / 1000);
  if (const FiberLabel* label = fiber.label(); label != nullptr) {
    view.set_tenant(label->tenant);
    view.set_task(label->task);
  }
  return view;
}

// In a second walk: in the first one most of the fibers that seem to be listed are not in the end.
void AddStacks(ListFibersReply& reply, OffloadPool& offload) {
  Hub& hub = *Hub::Current();
  std::map<FiberId, ListFibersReply::Fiber*> listed;
  for (ListFibersReply::Fiber& fiber : *reply.mutable_fibers()) listed[fiber.id()] = &fiber;
  std::vector<std::pair<ListFibersReply::Fiber*, StackTrace>> traces;
  size_t cursor = 0;
  do {
    cursor = hub.VisitFibers(cursor, kFibersPerSlice, [&](const Fiber& fiber) {
      const auto found = listed.find(fiber.id());
      if (found == listed.end()) return;
      found->second->set_stack_used_bytes(static_cast<int64_t>(fiber.StackHighWaterBytes()));
      found->second->set_stack_bytes(static_cast<int64_t>(fiber.stack_bytes()));
      traces.emplace_back(found->second, TraceFiber(fiber));
    });
    if (cursor != 0) Yield();
  } while (cursor != 0 && traces.size() < listed.size());
  offload
      .Run([&traces] {
        for (auto& [fiber, trace] : traces) {
          for (std::string& frame : FormatFrames(trace)) fiber->add_stack(std::move(frame));
        }
      })
      .IgnoreError();
}

}  // namespace

ListFibersReply ListFibers(const internal::v1::ListFibers& request, OffloadPool& offload) {
  Hub& hub = *Hub::Current();
  const int most = request.stacks() ? kStacksPerReplyMax : kFibersPerReplyMax;
  const size_t limit = std::clamp(request.limit(), 1, most);
  // One more than asked for, to know whether there are more.
  std::map<FiberId, ListFibersReply::Fiber> smallest;
  size_t cursor = 0;
  do {
    cursor = hub.VisitFibers(cursor, kFibersPerSlice, [&](const Fiber& fiber) {
      if (fiber.id() <= request.after()) return;
      if (smallest.size() > limit && fiber.id() > smallest.rbegin()->first) return;
      smallest.insert_or_assign(fiber.id(), Describe(fiber, hub.now()));
      if (smallest.size() > limit + 1) smallest.erase(std::prev(smallest.end()));
    });
    if (cursor != 0) Yield();
  } while (cursor != 0);
  ListFibersReply reply;
  reply.set_request(request.request());
  reply.set_more(smallest.size() > limit);
  for (auto& [id, fiber] : smallest) {
    if (reply.fibers_size() < static_cast<int>(limit)) *reply.add_fibers() = std::move(fiber);
  }
  if (request.stacks()) AddStacks(reply, offload);
  return reply;
}

}  // namespace grove::worker
