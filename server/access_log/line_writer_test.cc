#include "server/access_log/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grove::access_log {
namespace {

// Nothing waits so long; only a bug does.
constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr size_t kQueueBytes = 1 << 16;

std::string Content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class LineWriterTest : public testing::Test {
 protected:
  LineWriterTest() : folder_(testing::TempDir() + "line_writer_XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/access.log";
  }
  std::unique_ptr<LineWriter> Open(size_t queue_bytes = kQueueBytes) {
    auto writer = LineWriter::Open(path_, queue_bytes);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  // Makes the path a pipe that nobody reads; the other end.
  int MakePipe() {
    EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
    return open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  std::string folder_;
  std::string path_;
};

TEST_F(LineWriterTest, WhatWaitsIsWrittenInOrderBeforeTheEnd) {
  auto writer = Open();
  writer->Start();
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    const std::string line = absl::StrCat(i, "\n");
    EXPECT_TRUE(writer->Append(line));
    all += line;
  }
  writer->Stop(kPatience);
  EXPECT_EQ(Content(path_), all);
  EXPECT_EQ(writer->stats().lines, 1000);
  EXPECT_EQ(writer->stats().dropped, 0);
}

TEST_F(LineWriterTest, SeveralWritersOfAFileLoseNothing) {
  for (const char* line : {"a\n", "b\n"}) {
    auto writer = Open();
    writer->Start();
    writer->Append(line);
    writer->Stop(kPatience);
  }
  EXPECT_EQ(Content(path_), "a\nb\n");
}

TEST_F(LineWriterTest, AFullQueueDropsAndCounts) {
  auto writer = Open(/*queue_bytes=*/8);
  EXPECT_TRUE(writer->Append("1234\n"));
  EXPECT_FALSE(writer->Append("567\n"));
  EXPECT_TRUE(writer->Append("56\n")) << "what still fits is taken";
  EXPECT_EQ(writer->stats().dropped, 1);
  writer->Start();
  writer->Stop(kPatience);
  EXPECT_EQ(Content(path_), "1234\n56\n");
}

TEST_F(LineWriterTest, ATargetThatTakesNothingHoldsNobody) {
  const int reader = MakePipe();
  auto writer = Open();
  writer->Start();
  uint64_t taken = 0;
  while (writer->stats().dropped == 0) taken += writer->Append(std::string(999, 'x') + "\n");
  EXPECT_GE(taken, kQueueBytes / 1000);
  pollfd readable{.fd = reader, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))), 1);
  writer->Stop(absl::ZeroDuration());
  writer.reset();
  // What came through are whole lines.
  std::string got(1 << 20, '\0');
  const ssize_t bytes = read(reader, got.data(), got.size());
  EXPECT_GT(bytes, 0);
  EXPECT_EQ(bytes % 1000, 0);
  close(reader);
}

TEST_F(LineWriterTest, ARenamedFileIsLeftAloneAndANewOneMade) {
  auto writer = Open();
  writer->Append("old\n");
  writer->Start();
  while (writer->stats().lines == 0) usleep(1000);
  ASSERT_EQ(rename(path_.c_str(), (path_ + ".1").c_str()), 0);
  writer->Append("new\n");
  writer->Stop(kPatience);
  EXPECT_EQ(Content(path_ + ".1"), "old\n");
  EXPECT_EQ(Content(path_), "new\n");
}

TEST_F(LineWriterTest, ReopenMakesTheFileWithoutALine) {
  auto writer = Open();
  writer->Start();
  ASSERT_EQ(rename(path_.c_str(), (path_ + ".1").c_str()), 0);
  writer->Reopen();
  while (access(path_.c_str(), F_OK) != 0) usleep(1000);
  writer->Stop(kPatience);
}

TEST_F(LineWriterTest, WhileThePathIsGoneTheOldFileGoesOn) {
  auto writer = Open();
  ASSERT_EQ(rename(folder_.c_str(), (folder_ + ".moved").c_str()), 0);
  writer->Append("kept\n");
  writer->Start();
  writer->Stop(kPatience);
  EXPECT_EQ(Content(folder_ + ".moved/access.log"), "kept\n");
}

TEST_F(LineWriterTest, ADiskThatTakesNothingIsCounted) {
  path_ = "/dev/full";
  auto writer = Open();
  writer->Append("a\nb\n");
  writer->Start();
  writer->Stop(kPatience);
  EXPECT_EQ(writer->stats().lines, 0);
  EXPECT_EQ(writer->stats().dropped, 2);
}

TEST_F(LineWriterTest, APipeWithoutAReaderIsAnErrorAndNotAWait) {
  close(MakePipe());
  EXPECT_FALSE(LineWriter::Open(path_, kQueueBytes).ok());
}

TEST_F(LineWriterTest, APathThatCannotBeOpenedIsAnError) {
  const auto writer = LineWriter::Open(folder_ + "/none/access.log", kQueueBytes);
  EXPECT_TRUE(absl::IsNotFound(writer.status())) << writer.status();
}

}  // namespace
}  // namespace grove::access_log
