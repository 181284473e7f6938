#include "server/process/ready_line.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace grove::process {
namespace {

using Outcome = ReadyLineReader::Outcome;

class ReadyLine : public ::testing::Test {
 protected:
  ReadyLine() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reader_ = ReadyLineReader(ends[0]);
    child_ = ends[1];
  }
  void Write(const std::string& bytes) {
    ASSERT_EQ(write(child_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  ReadyLineReader reader_;
  int child_;
};

TEST_F(ReadyLine, OfControlIsReadAsItWasWritten) {
  const ControlAddresses sent{.grpc = "127.0.0.1:8091", .admin = "unix:/run/grove/admin"};
  ASSERT_TRUE(SendReadyLine(child_, FormatControlReady(sent)).ok());
  ASSERT_EQ(reader_.Read(), Outcome::kComplete);
  const absl::StatusOr<ControlAddresses> read = ParseControlReady(reader_.line());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, sent);
}

TEST_F(ReadyLine, OfAWorkerArrivesAndClosesBothEnds) {
  ASSERT_TRUE(SendReadyLine(child_, FormatWorkerReady()).ok());
  EXPECT_EQ(fcntl(child_, F_GETFD), -1);
  EXPECT_EQ(reader_.Read(), Outcome::kComplete);
  EXPECT_EQ(reader_.line(), FormatWorkerReady());
  EXPECT_FALSE(reader_.open());
}

TEST_F(ReadyLine, ThatNobodyReadsIsAnError) {
  signal(SIGPIPE, SIG_IGN);
  reader_.Close();
  EXPECT_EQ(SendReadyLine(child_, FormatWorkerReady()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(ReadyLine, MayComeInPieces) {
  EXPECT_EQ(reader_.Read(), Outcome::kMore);
  Write("rea");
  EXPECT_EQ(reader_.Read(), Outcome::kMore);
  Write("dy\n");
  EXPECT_EQ(reader_.Read(), Outcome::kComplete);
  EXPECT_EQ(reader_.line(), "ready");
}

TEST_F(ReadyLine, IsNoneIfTheChildEndsBeforeItsEnd) {
  Write("rea");
  close(child_);
  EXPECT_EQ(reader_.Read(), Outcome::kMore);
  EXPECT_EQ(reader_.Read(), Outcome::kNone);
  EXPECT_FALSE(reader_.open());
}

TEST_F(ReadyLine, IsReadAfterTheDeathOfItsWriter) {
  ASSERT_TRUE(SendReadyLine(child_, "ready").ok());
  EXPECT_EQ(reader_.Read(), Outcome::kComplete);
}

TEST_F(ReadyLine, HasALimit) {
  Write(std::string(ReadyLineReader::kBytesMax, 'x'));
  for (size_t read = 0; read < ReadyLineReader::kBytesMax; read += 256) {
    ASSERT_EQ(reader_.Read(), Outcome::kMore);
  }
  Write("x");
  EXPECT_EQ(reader_.Read(), Outcome::kNone);
}

TEST(ParseControlReady, RefusesWhatIsNone) {
  for (const char* line : {"", "ready", "control=a", "control=a ", "admin=b control=a",
                           "control= admin=b", "control=a admin=", "control=a  admin=b"}) {
    EXPECT_EQ(ParseControlReady(line).status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
}

}  // namespace
}  // namespace grove::process
