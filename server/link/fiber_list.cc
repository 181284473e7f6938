#include "server/link/fiber_list.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/switch/abseil_text.h"
#include "runtime/watch/stack_trace.h"
#include "server/link/fiber_row.h"

namespace grove::link {
namespace {

using internal::v1::ListFibersReply;

// In a second walk: in the first one most of the fibers that seem to be listed are not in the end.
void AddStacks(ListFibersReply& reply, const std::vector<FiberId>& ids, OffloadPool& offload) {
  Hub& hub = *Hub::Current();
  std::map<FiberId, v1::Fiber*> listed;
  for (int i = 0; i < reply.fibers_size(); ++i) listed[ids[i]] = reply.mutable_fibers(i);
  std::vector<std::pair<v1::Fiber*, StackTrace>> traces;
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

ListFibersReply ListFibers(const internal::v1::ListFibers& request, std::string_view owner,
                           OffloadPool& offload) {
  Hub& hub = *Hub::Current();
  const int most = request.stacks() ? kStacksPerReplyMax : kFibersPerReplyMax;
  const size_t limit = std::clamp(request.limit(), 1, most);
  // One more than asked for, to know whether there are more.
  std::map<FiberId, v1::Fiber> smallest;
  size_t cursor = 0;
  do {
    cursor = hub.VisitFibers(cursor, kFibersPerSlice, [&](const Fiber& fiber) {
      if (fiber.id() <= request.after()) return;
      if (smallest.size() > limit && fiber.id() > smallest.rbegin()->first) return;
      smallest.insert_or_assign(fiber.id(), DescribeFiber(fiber, hub.now()));
      if (smallest.size() > limit + 1) smallest.erase(std::prev(smallest.end()));
    });
    if (cursor != 0) Yield();
  } while (cursor != 0);
  const std::string prefix = StrCat(owner, "/fibers/");
  ListFibersReply reply;
  reply.set_request(request.request());
  reply.set_more(smallest.size() > limit);
  std::vector<FiberId> ids;
  for (auto& [id, fiber] : smallest) {
    if (ids.size() == limit) break;
    fiber.set_name(StrCat(prefix, id));
    *reply.add_fibers() = std::move(fiber);
    ids.push_back(id);
  }
  if (request.stacks()) AddStacks(reply, ids, offload);
  return reply;
}

}  // namespace grove::link
