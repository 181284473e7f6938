#include "server/config/cpu_allowance.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace grove::config {
namespace {

class CpuAllowanceTest : public ::testing::Test {
 protected:
  CpuAllowanceTest() { std::filesystem::remove_all(root_); }
  ~CpuAllowanceTest() override { std::filesystem::remove_all(root_); }

  void Put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text << "\n";
  }
  CpuAllowance Of(int affinity_cpus) { return CpuAllowance::Of(affinity_cpus, root_); }

  const std::string root_ = ::testing::TempDir() + "/cpu_allowance";
};

TEST_F(CpuAllowanceTest, WithoutAQuotaItIsTheAffinity) {
  EXPECT_EQ(Of(4).cpus, 4);
  Put("/proc/self/cgroup", "0::/");
  EXPECT_EQ(Of(4).cpus, 4);
  Put("/sys/fs/cgroup/cpu.max", "max 100000");
  EXPECT_EQ(Of(4).cpus, 4);
  EXPECT_EQ(Of(4).source, "affinity");
}

TEST_F(CpuAllowanceTest, TakesTheQuotaOfVersionTwoAndRoundsUp) {
  Put("/proc/self/cgroup", "0::/");
  Put("/sys/fs/cgroup/cpu.max", "50000 100000");
  EXPECT_EQ(Of(2).cpus, 1);
  EXPECT_EQ(Of(2).source, "/sys/fs/cgroup/cpu.max");
  Put("/sys/fs/cgroup/cpu.max", "150000 100000");
  EXPECT_EQ(Of(4).cpus, 2);
  EXPECT_EQ(Of(1).cpus, 1) << "more than the affinity is not to be had";
}

TEST_F(CpuAllowanceTest, TheTightestOfAllAboveBounds) {
  Put("/proc/self/cgroup", "0::/pods/a/b");
  Put("/sys/fs/cgroup/pods/a/b/cpu.max", "max 100000");
  Put("/sys/fs/cgroup/pods/a/cpu.max", "300000 100000");
  Put("/sys/fs/cgroup/pods/cpu.max", "200000 100000");
  EXPECT_EQ(Of(8).cpus, 2);
  EXPECT_EQ(Of(8).source, "/sys/fs/cgroup/pods/cpu.max");
}

TEST_F(CpuAllowanceTest, TakesTheQuotaOfVersionOne) {
  Put("/proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/y");
  Put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "250000");
  Put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000");
  EXPECT_EQ(Of(8).cpus, 3);
  Put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(Of(8).cpus, 8);
}

TEST_F(CpuAllowanceTest, AContainerSeesTheHostsPathAndItsOwnMount) {
  Put("/proc/self/cgroup", "4:cpu,cpuacct:/docker/abc");
  Put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000");
  Put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(Of(8).cpus, 1);
  EXPECT_EQ(Of(8).source, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
}

TEST_F(CpuAllowanceTest, WhatIsMalformedBoundsNothing) {
  Put("/proc/self/cgroup", "junk\n0::/\n7:cpu\n");
  for (const char* text : {"", "x", "1", "0 100000", "-5 100000", "50000 0", "50000 100000 7"}) {
    Put("/sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(Of(4).cpus, 4) << text;
  }
}

TEST_F(CpuAllowanceTest, OfThisProcessIsAtLeastOne) {
  EXPECT_GE(CpuAllowance::OfThisProcess().cpus, 1);
}

}  // namespace
}  // namespace grove::config
