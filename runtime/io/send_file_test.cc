#include "runtime/io/send_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

class SendFileTest : public HubTest {
 protected:
  SendFileTest() : content_(3 * kSendFileChunkBytes + 1, 'x') {
    for (size_t i = 0; i < content_.size(); ++i) content_[i] = static_cast<char>('a' + i % 23);
    EXPECT_EQ(write(file_, content_.data(), content_.size()), content_.size());
  }
  ~SendFileTest() override { close(file_); }
  static std::pair<Socket, Socket> Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return {*Socket::Adopt(fds[0]), *Socket::Adopt(fds[1])};
  }

  std::string content_;
  const int file_ = memfd_create("content", MFD_CLOEXEC);
};

TEST_F(SendFileTest, SendsTheRangeAndParksWhileThePeerIsSlow) {
  Run([&] {
    auto [a, b] = Pair();
    auto sender = *Spawn("sender", [&, &a = a] {
      EXPECT_TRUE(SendFile(a, file_, 7, content_.size() - 8).ok());
      a.Close();
    });
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(sender->waiting_for().kind, WaitFor::Kind::kWrite);
    std::string got(content_.size() - 8, '\0');
    EXPECT_TRUE(b.ReadFull(got).ok());
    EXPECT_TRUE(got == content_.substr(7, content_.size() - 8));
    char more[1];
    EXPECT_EQ(*b.Read(more), 0u);
    EXPECT_TRUE(sender.Join().ok());
    EXPECT_EQ(lseek(file_, 0, SEEK_CUR), content_.size());
  });
}

TEST_F(SendFileTest, TellsOfAFileThatEndsBeforeTheRange) {
  Run([&] {
    auto [a, b] = Pair();
    EXPECT_TRUE(SendFile(a, file_, content_.size() - 4, 4).ok());
    EXPECT_TRUE(absl::IsOutOfRange(SendFile(a, file_, content_.size() - 4, 5)));
    char got[8];
    EXPECT_TRUE(b.ReadFull(got).ok());
    EXPECT_EQ(std::string(got, 4), content_.substr(content_.size() - 4));
  });
}

TEST_F(SendFileTest, ATimeoutAndAPeerThatIsGoneEndIt) {
  Run([&] {
    auto [a, b] = Pair();
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(SendFile(a, file_, 0, content_.size())));
    }
    b.Close();
    EXPECT_TRUE(absl::IsUnavailable(SendFile(a, file_, 0, content_.size())));
  });
}

}  // namespace
}  // namespace grove
