#include "runtime/io/pipe.h"

#include <fcntl.h>

#include <string>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using PipeTest = HubTest;

TEST_F(PipeTest, CarriesMoreThanTheKernelBuffersAndThenTheEnd) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    const std::string sent(1 << 20, 'p');
    auto writer = *Spawn("writer", [&] {
      EXPECT_TRUE(pipe.writer.Write(sent).ok());
      pipe.writer.Close();
    });
    std::string got(sent.size(), '\0');
    EXPECT_TRUE(pipe.reader.ReadFull(got).ok());
    EXPECT_EQ(got, sent);
    char more[1];
    EXPECT_EQ(*pipe.reader.Read(more), 0u);
    EXPECT_TRUE(writer.Join().ok());
  });
}

TEST_F(PipeTest, WritingWithoutAReaderIsAnErrorNotASignal) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    pipe.reader.Close();
    EXPECT_TRUE(absl::IsUnavailable(pipe.writer.Write("x")));
  });
}

TEST_F(PipeTest, ATimeoutEndsAReadAndAWriteToAFullPipe) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    char buffer[1];
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(pipe.reader.Read(buffer).status()));
    }
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(pipe.writer.Write(std::string(1 << 20, 'p'))));
  });
}

TEST_F(PipeTest, IsNotInheritedByChildren) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    EXPECT_NE(fcntl(pipe.reader.fd(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(fcntl(pipe.writer.fd(), F_GETFD) & FD_CLOEXEC, 0);
  });
}

}  // namespace
}  // namespace grove
