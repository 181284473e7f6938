#include "runtime/hub/wait_for.h"

#include "absl/strings/str_format.h"
#include "runtime/hub/fiber.h"

namespace grove {

std::string_view WaitForKindName(WaitFor::Kind kind) {
  switch (kind) {
    case WaitFor::Kind::kNothing:
      return "nothing";
    case WaitFor::Kind::kRead:
      return "read";
    case WaitFor::Kind::kWrite:
      return "write";
    case WaitFor::Kind::kAccept:
      return "accept";
    case WaitFor::Kind::kConnect:
      return "connect";
    case WaitFor::Kind::kSignal:
      return "signal";
    case WaitFor::Kind::kProcess:
      return "process";
    case WaitFor::Kind::kTimer:
      return "timer";
    case WaitFor::Kind::kEvent:
      return "event";
    case WaitFor::Kind::kSemaphore:
      return "semaphore";
    case WaitFor::Kind::kMutex:
      return "mutex";
    case WaitFor::Kind::kCondition:
      return "condition";
    case WaitFor::Kind::kQueue:
      return "queue";
    case WaitFor::Kind::kQueuePut:
      return "queue put";
    case WaitFor::Kind::kQueueGet:
      return "queue get";
    case WaitFor::Kind::kSelect:
      return "select";
    case WaitFor::Kind::kJoin:
      return "join";
    case WaitFor::Kind::kPool:
      return "pool";
    case WaitFor::Kind::kGroup:
      return "group";
    case WaitFor::Kind::kServer:
      return "server";
    case WaitFor::Kind::kOffload:
      return "offload";
  }
  return "?";
}

std::string WaitForText(const WaitFor& wait) {
  if (wait.kind == WaitFor::Kind::kNothing) return "";
  const std::string_view name = WaitForKindName(wait.kind);
  if (wait.kind == WaitFor::Kind::kJoin) {
    return absl::StrFormat("join of fiber %d", static_cast<const Fiber*>(wait.object)->id());
  }
  if (wait.fd >= 0) return absl::StrFormat("%s fd %d", name, wait.fd);
  if (wait.object != nullptr) return absl::StrFormat("%s %p", name, wait.object);
  return std::string(name);
}

}  // namespace grove
