// Fibers parked in known places, for the test of grove_gdb.py: stops at abort() when all are.
#include <unistd.h>

#include <cstdlib>

#include "runtime/hub/hub.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

[[gnu::noinline]] void WaitForEvent(Event& event) {
  event.Wait().IgnoreError();
  asm volatile("");  // no tail call: the frame stays
}

[[gnu::noinline]] void SleepLong() {
  Sleep(absl::Hours(1)).IgnoreError();
  asm volatile("");
}

int Main() {
  auto hub = Hub::Create();
  if (!hub.ok()) return 1;
  return (*hub)->Run([] {
                 Event event;
                 auto waiting = Spawn("waiting", [&] { WaitForEvent(event); });
                 auto sleeping = Spawn("sleeping", [] { SleepLong(); });
                 auto joining = Spawn("joining", [&] { waiting->Join().IgnoreError(); });
                 Yield();
                 auto fresh = Spawn("fresh", [] {});
                 abort();
               }).ok()
             ? 0
             : 1;
}

}  // namespace
}  // namespace grove

int main() {
  return grove::Main();
}
