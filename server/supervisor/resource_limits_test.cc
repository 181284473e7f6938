#include "server/supervisor/resource_limits.h"

#include <sys/resource.h>

#include "gmock/gmock.h"

namespace grove::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;

config::v1::Config ConfigOf(int workers, int connections_max) {
  config::v1::Config config;
  config.set_workers(workers);
  config.mutable_http()->set_connections_max(connections_max);
  config.mutable_control()->set_connections_max(1000);
  config.mutable_admin()->set_connections_max(256);
  config.mutable_runtime()->set_offload_threads(8);
  return config;
}

TEST(FindLowLimits, WithoutLimitsNoneIsLow) {
  EXPECT_THAT(FindLowLimits({}, ConfigOf(256, 1'000'000)), IsEmpty());
}

TEST(FindLowLimits, DescriptorsMustDoForTheConnections) {
  const config::v1::Config config = ConfigOf(1, 10'000);
  EXPECT_THAT(FindLowLimits({.descriptors = 10'064}, config), IsEmpty());
  const auto low = FindLowLimits({.descriptors = 10'063}, config);
  ASSERT_EQ(low.size(), 1u);
  EXPECT_EQ(low[0].limit, "RLIMIT_NOFILE (ulimit -n)");
  EXPECT_EQ(low[0].is, 10'063);
  EXPECT_EQ(low[0].wanted, 10'064);
  EXPECT_EQ(low[0].why, "http.connections_max, and 64 more");
  EXPECT_FALSE(low[0].kills);
}

TEST(FindLowLimits, ControlsConnectionsCountWhereTheyAreMore) {
  EXPECT_THAT(FindLowLimits({.descriptors = 1'319}, ConfigOf(1, 100)),
              ElementsAre(Field(&LowLimit::wanted, 1'320)));
}

TEST(FindLowLimits, TooFewDescriptorsToStartAreNamedOnce) {
  EXPECT_THAT(FindLowLimits({.descriptors = 20}, ConfigOf(1, 10'000)),
              ElementsAre(Field(&LowLimit::kills, true)));
}

TEST(FindLowLimits, NamesWhatMemoryIsBoundedBy) {
  EXPECT_THAT(FindLowLimits({.address_space = 400 << 20}, ConfigOf(1, 100)),
              ElementsAre(Field(&LowLimit::limit, "RLIMIT_AS (ulimit -v)")));
  EXPECT_THAT(FindLowLimits({.data = 100 << 20}, ConfigOf(1, 100)),
              ElementsAre(Field(&LowLimit::limit, "RLIMIT_DATA (ulimit -d)")));
  const ResourceLimits cgroup{.memory = 64 << 20, .memory_source = "/sys/fs/cgroup/memory.max"};
  EXPECT_THAT(FindLowLimits(cgroup, ConfigOf(1, 100)), IsEmpty());
  EXPECT_THAT(FindLowLimits(cgroup, ConfigOf(2, 100)),
              ElementsAre(Field(&LowLimit::limit, "/sys/fs/cgroup/memory.max")));
}

TEST(FindLowLimits, ThreadsAreCountedOverAllProcesses) {
  const ResourceLimits limits{.threads_left = 44, .threads_source = "/sys/fs/cgroup/pids.max"};
  EXPECT_THAT(FindLowLimits(limits, ConfigOf(1, 100)), IsEmpty());
  EXPECT_THAT(FindLowLimits(limits, ConfigOf(2, 100)), ElementsAre(Field(&LowLimit::wanted, 56)));
}

TEST(ResourceLimits, AreThoseOfThisProcess) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit fewer = before;
  fewer.rlim_cur = 100;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &fewer), 0);
  EXPECT_EQ(ResourceLimits::Read().descriptors, 100);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_GT(ResourceLimits::Read().memory, 0);
}

}  // namespace
}  // namespace grove::supervisor
