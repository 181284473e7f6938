#include "runtime/io/buffered_reader.h"

#include <string>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/pipe.h"

namespace grove {
namespace {

using BufferedReaderTest = HubTest;

TEST_F(BufferedReaderTest, SplitsAtTheDelimiterHoweverTheBytesArrive) {
  Run([] {
    const std::string sent = "one\r\n\r\ntwo\r\r\n\r\n";
    for (size_t piece = 1; piece <= sent.size(); ++piece) {
      Pipe pipe = *Pipe::Create();
      auto writer = *Spawn("writer", [&] {
        for (size_t at = 0; at < sent.size(); at += piece) {
          EXPECT_TRUE(pipe.writer.Write(std::string_view(sent).substr(at, piece)).ok());
          (void)Sleep(absl::Seconds(1));  // polls: each piece is read by itself
        }
        pipe.writer.Close();
      });
      BufferedReader reader(pipe.reader);
      EXPECT_EQ(*reader.ReadUntil("\r\n\r\n", 100), "one\r\n\r\n");
      EXPECT_EQ(*reader.ReadUntil("\r\n\r\n", 100), "two\r\r\n\r\n");
      EXPECT_TRUE(absl::IsOutOfRange(reader.ReadUntil("\r\n\r\n", 100).status()));
      EXPECT_TRUE(writer.Join().ok());
    }
  });
}

TEST_F(BufferedReaderTest, ReadsLinesWithEitherEnding) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    EXPECT_TRUE(pipe.writer.Write("unix\ndos\r\n\nrest").ok());
    pipe.writer.Close();
    BufferedReader reader(pipe.reader);
    EXPECT_EQ(*reader.ReadLine(), "unix");
    EXPECT_EQ(*reader.ReadLine(), "dos");
    EXPECT_EQ(*reader.ReadLine(), "");
    EXPECT_TRUE(absl::IsUnavailable(reader.ReadLine().status()));
    char rest[8];
    EXPECT_EQ(*reader.Read(rest), 4u);
    EXPECT_EQ(*reader.Read(rest), 0u);
  });
}

TEST_F(BufferedReaderTest, BoundsALineAndLosesNoByteOfIt) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    EXPECT_TRUE(pipe.writer.Write("1234\n").ok());
    BufferedReader reader(pipe.reader);
    EXPECT_TRUE(absl::IsResourceExhausted(reader.ReadLine(4).status()));
    EXPECT_EQ(*reader.ReadLine(5), "1234");
  });
}

TEST_F(BufferedReaderTest, ATimedOutReadConsumesNothing) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    EXPECT_TRUE(pipe.writer.Write("half").ok());
    BufferedReader reader(pipe.reader);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(reader.ReadExactly(8).status()));
    }
    EXPECT_TRUE(pipe.writer.Write("way\n!").ok());
    EXPECT_EQ(*reader.ReadLine(), "halfway");
    EXPECT_EQ(*reader.ReadExactly(1), "!");
  });
}

TEST_F(BufferedReaderTest, ReadsExactlyAcrossManyReads) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    const size_t bytes = 5 * BufferedReader::kReadAheadBytes + 1;
    auto writer = *Spawn("writer", [&] {
      EXPECT_TRUE(pipe.writer.Write(std::string(bytes, 'x') + "tail").ok());
      pipe.writer.Close();
    });
    BufferedReader reader(pipe.reader);
    EXPECT_EQ(*reader.ReadExactly(bytes), std::string(bytes, 'x'));
    EXPECT_TRUE(absl::IsUnavailable(reader.ReadExactly(5).status()));
    EXPECT_EQ(*reader.ReadExactly(4), "tail");
    EXPECT_TRUE(absl::IsOutOfRange(reader.ReadExactly(1).status()));
    EXPECT_TRUE(writer.Join().ok());
  });
}

}  // namespace
}  // namespace grove
