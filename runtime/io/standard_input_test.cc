#include "runtime/io/standard_input.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/buffered_reader.h"

namespace grove {
namespace {

// The two ends of what stands in for descriptor 0.
class StandardInputTest : public HubTest {
 protected:
  ~StandardInputTest() override {
    Hangup();
    close(input_);
  }
  void Hangup() {
    if (far_ >= 0) close(std::exchange(far_, -1));
  }
  void BeAPipe() {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    Be(ends[0], ends[1]);
  }
  void BeATerminal() {
    int terminal;
    int controller;
    ASSERT_EQ(openpty(&controller, &terminal, nullptr, nullptr, nullptr), 0);
    Be(terminal, controller);
  }
  void BeASocket() {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Be(ends[0], ends[1]);
  }
  void Say(std::string_view text) const {
    ASSERT_EQ(write(far_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // A fiber reads a line; it comes in two pieces, and the hub goes on meanwhile.
  void ExpectALineInTwoPieces() {
    StandardInput input = *StandardInput::Open(input_);
    auto reader = *Spawn("reader", [&] {
      BufferedReader lines(input);
      EXPECT_EQ(*lines.ReadLine(), "hello");
    });
    (void)Sleep(absl::Seconds(1));
    Say("hel");
    (void)Sleep(absl::Seconds(1));
    EXPECT_FALSE(reader.ended());
    Say("lo\n");
    EXPECT_TRUE(reader.Join().ok());
    // The flags are those of all processes that share it.
    EXPECT_EQ(fcntl(input_, F_GETFL) & O_NONBLOCK, 0);
  }

  int input_ = -1;

 private:
  void Be(int input, int far) {
    input_ = input;
    far_ = far;
  }

  int far_ = -1;
};

TEST_F(StandardInputTest, APipeIsReadAsBytesComeAndThenToItsEnd) {
  BeAPipe();
  Run([this] {
    ExpectALineInTwoPieces();
    StandardInput input = *StandardInput::Open(input_);
    Say("rest");
    Hangup();
    char buffer[10];
    EXPECT_EQ(*input.Read(buffer), 4u);
    EXPECT_EQ(*input.Read(buffer), 0u);
    EXPECT_EQ(*input.Read(buffer), 0u);
  });
}

TEST_F(StandardInputTest, ATerminalGivesLinesAndItsEndIsNotForGood) {
  BeATerminal();
  Run([this] {
    ExpectALineInTwoPieces();
    StandardInput input = *StandardInput::Open(input_);
    char buffer[10];
    Say("\x04");  // Ctrl-D
    EXPECT_EQ(*input.Read(buffer), 0u);
    Say("on\n");
    EXPECT_EQ(*input.Read(buffer), 3u);
  });
}

TEST_F(StandardInputTest, ASocketIsReadWithoutBlocking) {
  BeASocket();
  Run([this] { ExpectALineInTwoPieces(); });
}

TEST_F(StandardInputTest, AFileIsReadFromWhereItStandsAndItsPositionIsShared) {
  const std::string path = absl::StrCat(testing::TempDir(), "/standard_input_file");
  input_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ASSERT_EQ(write(input_, "one\ntwo\n", 8), 8);
  ASSERT_EQ(lseek(input_, 4, SEEK_SET), 4);
  Run([this] {
    StandardInput input = *StandardInput::Open(input_);
    char buffer[3];
    EXPECT_EQ(*input.Read(buffer), 3u);
    EXPECT_EQ(std::string_view(buffer, 3), "two");
    EXPECT_EQ(lseek(input_, 0, SEEK_CUR), 7);
    EXPECT_EQ(*input.Read(buffer), 1u);
    EXPECT_EQ(*input.Read(buffer), 0u);
  });
  unlink(path.c_str());
}

TEST_F(StandardInputTest, TheNullDeviceIsAtItsEnd) {
  input_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  Run([this] {
    StandardInput input = *StandardInput::Open(input_);
    char buffer[3];
    EXPECT_EQ(*input.Read(buffer), 0u);
  });
}

TEST_F(StandardInputTest, ClosingItWakesItsReaderAndATimeoutDoesToo) {
  BeAPipe();
  Run([this] {
    StandardInput input = *StandardInput::Open(input_);
    auto reader = *Spawn("reader", [&] {
      char buffer[10];
      {
        Timeout timeout(absl::Seconds(1));
        EXPECT_TRUE(absl::IsDeadlineExceeded(input.Read(buffer).status()));
      }
      EXPECT_TRUE(absl::IsAborted(input.Read(buffer).status()));
    });
    (void)Sleep(absl::Seconds(2));
    input.Close();
    EXPECT_TRUE(reader.Join().ok());
    EXPECT_FALSE(input.open());
    EXPECT_GE(fcntl(input_, F_GETFD), 0);  // the caller's stays open
  });
}

TEST_F(StandardInputTest, IsOnlyRead) {
  BeAPipe();
  Run([this] {
    StandardInput input = *StandardInput::Open(input_);
    EXPECT_TRUE(absl::IsFailedPrecondition(input.Write("x")));
    EXPECT_TRUE(absl::IsFailedPrecondition(input.ShutdownWrite()));
    EXPECT_FALSE(StandardInput::Open(-1).ok());
  });
}

}  // namespace
}  // namespace grove
