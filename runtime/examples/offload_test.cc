// What docs/runtime.md shows of blocking and computing work.
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>

#include "runtime/hub/hub_fixture.h"
#include "runtime/offload/offload_pools.h"
#include "runtime/process_pool/process_pool.h"

namespace grove {
namespace {

using OffloadExample = HubTest;

TEST_F(OffloadExample, Pools) {
  Run([] {
    // [pools]
    OffloadPools pools;  // one for a process, made after the last fork
    (void)pools.Add({.threads = 4,
                     .queue_max = 1000,
                     .queue_time_max = absl::Seconds(5),  // later it is of no use to who asked
                     .name = "disk"});
    (void)pools.Add({.threads = 1, .queue_max = 10, .name = "images"});

    int pixels = 0;
    absl::Status ran = pools.Run("images", [&] { pixels = 640 * 480; });
    EXPECT_TRUE(ran.ok());  // kResourceExhausted: the queue is full
    for (const auto& [name, stats] : pools.stats()) {
      EXPECT_EQ(stats.completed, name == "images" ? 1u : 0u);  // queued, running, seconds …
    }
    // [/pools]
    EXPECT_EQ(pixels, 640 * 480);
  });
}

TEST_F(OffloadExample, Processes) {
  Run([] {
    const std::string program = "runtime/examples/native";
    // [processes]
    absl::StatusOr<std::unique_ptr<ProcessPool>> pool = ProcessPool::Create({
        .name = "native",
        .command = {program},
        .processes = 2,
        .queue_max = 100,
        .call_time_max = absl::InfiniteDuration(),  // a minute, unless told otherwise
        .calls_max = 1000,                          // then another process, whatever has leaked
        .rss_bytes_max = size_t{512} << 20,
    });
    if (!pool.ok()) return;

    EXPECT_EQ(*(*pool)->Call("reverse", "stressed"), "desserts");

    const absl::Status crash = (*pool)->Call("overrun", "").status();
    EXPECT_TRUE(absl::IsInternal(crash));  // "… process 4711 was ended by SIGSEGV …"
    EXPECT_EQ(*(*pool)->Call("reverse", "level"), "level");  // of another process

    EXPECT_TRUE((*pool)->Stop().ok());  // lets calls end; a Timeout around it kills them
    // [/processes]
  });
}

}  // namespace
}  // namespace grove
