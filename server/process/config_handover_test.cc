#include "server/process/config_handover.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace grove::process {
namespace {

TEST(Handover, CarriesAConfigAsOftenAsItIsRead) {
  config::v1::Config config;
  config.set_workers(7);
  config.add_tenants()->set_name("acme");
  const absl::StatusOr<int> fd = ConfigToMemfd(config);
  ASSERT_TRUE(fd.ok()) << fd.status();
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<config::v1::Config> read = ConfigFromFd(*fd);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->SerializeAsString(), config.SerializeAsString());
  }
  close(*fd);
}

TEST(Handover, CarriesAnEmptyConfig) {
  const absl::StatusOr<int> fd = ConfigToMemfd({});
  ASSERT_TRUE(fd.ok());
  EXPECT_TRUE(ConfigFromFd(*fd).ok());
  close(*fd);
}

TEST(Handover, SealsTheFileAndClosesItOnExec) {
  const int fd = *ConfigToMemfd({});
  EXPECT_EQ(pwrite(fd, "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(fd, 1), -1);
  EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  close(fd);
}

TEST(Handover, RefusesAConfigBeyondItsBound) {
  config::v1::Config config;
  config.set_state_dir(std::string(kHandoverBytesMax, 'x'));
  EXPECT_EQ(ConfigToMemfd(config).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Handover, RefusesWhatIsNoConfig) {
  EXPECT_FALSE(ConfigFromFd(-1).ok());
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[1]);
  EXPECT_TRUE(ConfigFromFd(ends[0]).ok());  // Empty, as an empty config is.
  close(ends[0]);
  const std::string path = ::testing::TempDir() + "/noise";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  ASSERT_EQ(write(fd, "\xff\xff\xff", 3), 3);
  EXPECT_EQ(ConfigFromFd(fd).status().code(), absl::StatusCode::kDataLoss);
  close(fd);
}

}  // namespace
}  // namespace grove::process
