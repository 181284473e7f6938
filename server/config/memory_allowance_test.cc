#include "server/config/memory_allowance.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace grove::config {
namespace {

constexpr int64_t kNone = INT64_MAX;
constexpr int64_t kGib = int64_t{1} << 30;

class MemoryAllowanceTest : public ::testing::Test {
 protected:
  MemoryAllowanceTest() {
    std::filesystem::remove_all(root_);
    Put("/proc/meminfo", "MemTotal:        8388608 kB\nMemFree:  1 kB");
  }
  ~MemoryAllowanceTest() override { std::filesystem::remove_all(root_); }

  void Put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text << "\n";
  }
  MemoryAllowance Of(int64_t as = kNone, int64_t data = kNone) {
    return MemoryAllowance::Of(as, data, root_);
  }

  const std::string root_ = ::testing::TempDir() + "/memory_allowance";
};

TEST_F(MemoryAllowanceTest, WithoutALimitItIsTheMachines) {
  Put("/proc/self/cgroup", "0::/");
  Put("/sys/fs/cgroup/memory.max", "max");
  EXPECT_EQ(Of().bytes, 8 * kGib);
  EXPECT_EQ(Of().source, "the machine");
}

TEST_F(MemoryAllowanceTest, TakesTheTightestOfItsCgroups) {
  Put("/proc/self/cgroup", "0::/pods/a");
  Put("/sys/fs/cgroup/pods/a/memory.max", "max");
  Put("/sys/fs/cgroup/pods/memory.max", "419430400");
  Put("/sys/fs/cgroup/memory.max", "1073741824");
  EXPECT_EQ(Of().bytes, 419430400);
  EXPECT_EQ(Of().source, "/sys/fs/cgroup/pods/memory.max");
}

TEST_F(MemoryAllowanceTest, TakesTheLimitOfVersionOne) {
  Put("/proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc");
  Put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(Of().bytes, 8 * kGib) << "no limit";
  Put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "1048576");
  EXPECT_EQ(Of().bytes, 1048576);
}

TEST_F(MemoryAllowanceTest, TheProcesssOwnLimitsCount) {
  EXPECT_EQ(Of(2 * kGib, kNone).source, "RLIMIT_AS");
  EXPECT_EQ(Of(2 * kGib, kGib).bytes, kGib);
  EXPECT_EQ(Of(2 * kGib, kGib).source, "RLIMIT_DATA");
}

TEST_F(MemoryAllowanceTest, WhatCannotBeReadBoundsNothing) {
  std::filesystem::remove_all(root_);
  EXPECT_EQ(Of().bytes, kNone);
  EXPECT_EQ(Of(kGib).bytes, kGib);
}

}  // namespace
}  // namespace grove::config
