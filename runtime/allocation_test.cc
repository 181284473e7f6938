// The paths that a busy hub spends its time on allocate nothing.
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(GROVE_TSAN)
#include <sanitizer/allocator_interface.h>
#endif

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/sync/event.h"
#include "runtime/sync/queue.h"
#include "runtime/sync/semaphore.h"

namespace {

std::atomic<long> allocations = 0;  // of any thread

}  // namespace

#if defined(GROVE_TSAN)
// clang's TSan links operators of its own, which cannot be replaced, and lets malloc be watched.
const int watched = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, size_t) { ++allocations; }, [](const volatile void*) {});
#else
// Not inlined, or g++ takes the pair malloc and operator delete, or new and free, for a mistake.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  free(memory);
}
#endif

namespace grove {
namespace {

class AllocationTest : public HubTest {
 protected:
  // Allocations of the second of two equal rounds: the first may grow what is kept.
  template <typename F>
  static long InSteadyState(F&& round) {
    round();
    const long before = allocations;
    round();
    return allocations - before;
  }
};

TEST_F(AllocationTest, CountsAllocations) {
  static void* volatile place;  // so that the pair is not optimised away
  EXPECT_EQ(InSteadyState([] {
              place = operator new(1);
              operator delete(place);
            }),
            1);
}

TEST_F(AllocationTest, SwitchingSpawningAndJoiningAllocateNothing) {
  Run([] {
    EXPECT_EQ(InSteadyState([] {
                auto child = *Spawn("child", [] { Yield(); });
                Yield();
                (void)child.Join();
              }),
              0);
  });
}

TEST_F(AllocationTest, ParkingAllocatesNothing) {
  Run([] {
    Event event;
    Semaphore semaphore(0);
    EXPECT_EQ(InSteadyState([&] {
                event.Reset();
                auto waiter = *Spawn("waiter", [&] {
                  (void)event.Wait();
                  (void)semaphore.Acquire();
                });
                Yield();
                event.Set();
                Yield();
                semaphore.Release();
                (void)waiter.Join();
              }),
              0);
  });
}

TEST_F(AllocationTest, QueuesHandOverWithoutAllocating) {
  Run([] {
    Queue<int> there(1);
    EXPECT_EQ(InSteadyState([&] {
                auto getter = *Spawn("getter", [&] {
                  for (int i = 0; i < 10; ++i) (void)there.Get();
                });
                for (int i = 0; i < 10; ++i) (void)there.Put(i);
                (void)getter.Join();
              }),
              0);
  });
}

TEST_F(AllocationTest, TimersAndTimeoutsAllocateNothing) {
  Run([] {
    EXPECT_EQ(InSteadyState([] {
                Timeout timeout(absl::Seconds(5));
                (void)Sleep(absl::Seconds(1));
              }),
              0);
  });
}

TEST_F(AllocationTest, ReadingAndWritingAllocateNothing) {
  Run([] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Socket left = *Socket::Adopt(ends[0]);
    Socket right = *Socket::Adopt(ends[1]);
    EXPECT_EQ(InSteadyState([&] {
                auto reader = *Spawn("reader", [&] {
                  char bytes[3];
                  (void)right.ReadFull(bytes);
                });
                Yield();
                (void)left.Write("abc");
                (void)reader.Join();
              }),
              0);
  });
}

}  // namespace
}  // namespace grove
