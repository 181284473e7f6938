// Fiber primitives beside their floor, the raw fcontext jump, in one run.
//
// usage: runtime_bench [PARKED]
// Prints `NAME METRIC VALUE` lines; times are medians of several rounds.
#include <unistd.h>

#include <algorithm>
#include <boost/context/detail/fcontext.hpp>
#include <cfenv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"
#include "runtime/sync/queue.h"

namespace grove {
namespace {

namespace fcontext = boost::context::detail;
using SteadyClock = std::chrono::steady_clock;

constexpr int kRounds = 5;

double NanosSince(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::nano>(SteadyClock::now() - start).count();
}

// Median over kRounds of the time of one of the `count` operations that `run` does.
double MedianNanos(long count, absl::FunctionRef<void()> run) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = SteadyClock::now();
    run();
    rounds.push_back(NanosSince(start) / static_cast<double>(count));
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[kRounds / 2];
}

void Report(const char* name, const char* metric, double value) {
  printf("%s %s %.1f\n", name, metric, value);
  fflush(stdout);
}

long ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

void JumpBack(fcontext::transfer_t from) {
  for (;;) from = fcontext::jump_fcontext(from.fctx, nullptr);
}

// The floor at its best: both contexts hold the same floating-point status. In a program that
// computes they differ, and fcontext's saving of it then stalls; the second line shows that.
void BenchRawJump() {
  constexpr long kJumps = 10'000'000;
  constexpr size_t kStackBytes = 65'536;
  const auto stack = std::make_unique<char[]>(kStackBytes);
  std::feclearexcept(FE_ALL_EXCEPT);
  fcontext::fcontext_t other =
      fcontext::make_fcontext(stack.get() + kStackBytes, kStackBytes, JumpBack);
  const auto jump = [&other] {
    for (long i = 0; i < kJumps / 2; ++i) other = fcontext::jump_fcontext(other, nullptr).fctx;
  };
  Report("context_floor", "switch_ns", MedianNanos(kJumps, [&jump] {
           std::feclearexcept(FE_ALL_EXCEPT);
           jump();
         }));
  Report("context_floor", "switch_after_arithmetic_ns", MedianNanos(kJumps, [&jump] {
           std::feraiseexcept(FE_INEXACT);
           jump();
         }));
}

void BenchSwitch() {
  constexpr long kSwitches = 5'000'000;
  Report("grove", "switch_ns", MedianNanos(kSwitches, [] {
           const auto loop = [] {
             for (long i = 0; i < kSwitches / 2; ++i) Yield();
           };
           auto a = *Spawn("a", loop);
           auto b = *Spawn("b", loop);
           (void)a.Join();
           (void)b.Join();
         }));
}

void BenchSpawnJoin() {
  constexpr long kSpawns = 1'000'000;
  Report("grove", "spawn_join_ns", MedianNanos(kSpawns, [] {
           for (long i = 0; i < kSpawns; ++i) (void)Spawn("child", [] {})->Join();
         }));
}

void BenchPingPong() {
  constexpr long kTrips = 1'000'000;
  Report("grove", "pingpong_ns", MedianNanos(kTrips, [] {
           Queue<long> there(1);
           Queue<long> back(1);
           auto echo = *Spawn("echo", [&] {
             for (long i = 0; i < kTrips; ++i) (void)back.Put(*there.Get());
           });
           for (long i = 0; i < kTrips; ++i) {
             (void)there.Put(i);
             (void)back.Get();
           }
           (void)echo.Join();
         }));
}

void BenchTimers() {
  constexpr long kArmed = 1'000'000;
  Hub& hub = *Hub::Current();
  struct Silent : Timer {
    Silent() : Timer([](Timer&) {}) {}
  };
  const auto far = std::make_unique<Silent[]>(kArmed);
  for (long i = 0; i < kArmed; ++i)
    hub.timers().Arm(far[i], hub.now() + 3'600'000'000'000 + i * 7919 % kArmed);
  Silent timer;
  Report("grove", "timer_arm_cancel_ns", MedianNanos(kArmed, [&] {
           for (long i = 0; i < kArmed; ++i) {
             hub.timers().Arm(timer, hub.now() + 3'600'000'000'000 + i * 104'729 % kArmed);
             hub.timers().Cancel(timer);
           }
         }));
  for (long i = 0; i < kArmed; ++i) hub.timers().Cancel(far[i]);
}

// What a server pays to bound one request: a scope of its own, or a kept one restarted.
void BenchTimeout() {
  constexpr long kSteps = 1'000'000;
  Report("grove", "timeout_scope_ns", MedianNanos(kSteps, [] {
           for (long i = 0; i < kSteps; ++i) Timeout timeout(absl::Seconds(30));
         }));
  Timeout kept(absl::Seconds(30));
  Report("grove", "timeout_restart_ns", MedianNanos(kSteps, [&kept] {
           for (long i = 0; i < kSteps; ++i) kept.Restart(absl::Seconds(30));
         }));
}

// All live fibers in slices as large as the server's: how long one slice holds the hub.
void BenchListing() {
  constexpr size_t kFibersPerSlice = 512;
  const Hub& hub = *Hub::Current();
  std::vector<double> slices;
  size_t cursor = 0;
  do {
    const auto start = SteadyClock::now();
    std::vector<std::string> names;
    cursor = hub.VisitFibers(cursor, kFibersPerSlice, [&](const Fiber& fiber) {
      names.emplace_back(fiber.name());
      names.emplace_back(absl::StrCat(fiber.id(), " ", fiber.spawn_site().file_name()));
    });
    slices.push_back(NanosSince(start) / 1e3);
    if (cursor != 0) Yield();
  } while (cursor != 0);
  std::sort(slices.begin(), slices.end());
  Report("grove", "list_slice_us_median", slices[slices.size() / 2]);
  Report("grove", "list_slice_us_p99", slices[slices.size() * 99 / 100]);
}

void BenchParked(long parked) {
  const long before = ResidentBytes();
  const auto start = SteadyClock::now();
  std::vector<FiberHandle> fibers;
  fibers.reserve(parked);
  Event gate;
  for (long i = 0; i < parked; ++i) {
    auto fiber = Spawn("parked", [&gate] { (void)gate.Wait(); });
    if (!fiber.ok()) {
      fprintf(stderr, "stopped at %ld: %s\n", i, std::string(fiber.status().message()).c_str());
      break;
    }
    fibers.push_back(*std::move(fiber));
  }
  Yield();
  while (Hub::Current()->Stats().run_queue_length > 0) Yield();
  const long bytes = ResidentBytes() - before;
  BenchListing();
  gate.Set();
  for (FiberHandle& fiber : fibers) (void)fiber.Join();
  printf("grove parked %zu bytes_each %ld total_s %.2f\n", fibers.size(),
         bytes / static_cast<long>(fibers.size()), NanosSince(start) / 1e9);
}

int Main(int argc, char** argv) {
  const long parked = argc > 1 ? atol(argv[1]) : 1'000'000;
  BenchRawJump();
  auto hub = Hub::Create({.fibers_max = static_cast<uint32_t>(parked + 100)});
  if (!hub.ok()) {
    fprintf(stderr, "runtime_bench: %s\n", std::string(hub.status().message()).c_str());
    return 1;
  }
  const absl::Status run = (*hub)->Run([parked] {
    BenchSwitch();
    BenchSpawnJoin();
    BenchPingPong();
    BenchTimers();
    BenchTimeout();
    BenchParked(parked);
  });
  return run.ok() ? 0 : 1;
}

}  // namespace
}  // namespace grove

int main(int argc, char** argv) {
  return grove::Main(argc, argv);
}
