#include "server/http/serving/output.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::http {
namespace {

constexpr absl::Duration kIoTimeout = absl::Seconds(30);

class OutputTest : public HubTest {
 protected:
  // Runs `body` with an Output whose other end is Received().
  template <typename F>
  void RunWithOutput(F&& body) {
    Run([&] {
      int fds[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
      Socket socket = *Socket::Adopt(fds[0]);
      client_ = fds[1];
      {
        Output output(socket, kIoTimeout, bytes_out_, blocks_);
        body(output);
        output.Settle();
      }
      if (client_ >= 0) close(client_);
    });
  }
  // All that has come so far.
  std::string Received() const {
    std::string all;
    std::string piece(65536, '\0');  // a fiber's stack is small
    for (ssize_t got; (got = recv(client_, piece.data(), piece.size(), MSG_DONTWAIT)) > 0;) {
      all.append(piece, 0, static_cast<size_t>(got));
    }
    return all;
  }
  // As Received(), until it is `bytes`; lets other fibers send.
  std::string Receive(size_t bytes) const {
    std::string all;
    while (all.size() < bytes) {
      const std::string more = Received();
      all += more;
      if (more.empty() && !Sleep(absl::Milliseconds(1)).ok()) break;
    }
    return all;
  }
  // As a client of 4 kB/s; what came.
  size_t ReceiveSlowly(size_t bytes) const {
    size_t all = 0;
    char piece[4000];
    while (all < bytes && Sleep(absl::Seconds(1)).ok()) {
      const ssize_t got = recv(client_, piece, sizeof(piece), MSG_DONTWAIT);
      if (got == 0) break;
      all += static_cast<size_t>(std::max<ssize_t>(got, 0));
    }
    return all;
  }
  void Leave() {
    close(client_);
    client_ = -1;
  }
  // More than the kernel takes from us while nobody reads.
  static std::string TooMuch() { return std::string(4 << 20, 'x'); }

  BlockPool blocks_;
  uint64_t bytes_out_ = 0;
  int client_ = -1;
};

TEST_F(OutputTest, GathersUntilItIsFlushed) {
  RunWithOutput([&](Output& output) {
    EXPECT_TRUE(output.Write("a").ok());
    EXPECT_TRUE(output.Write("b").ok());
    EXPECT_EQ(Received(), "");
    EXPECT_EQ(output.position(), 2);
    EXPECT_TRUE(output.Flush().ok());
    EXPECT_EQ(Received(), "ab");
    EXPECT_EQ(bytes_out_, 2);
  });
}

TEST_F(OutputTest, GathersUpToItsBound) {
  RunWithOutput([&](Output& output) {
    EXPECT_TRUE(output.Write(std::string(kOutputGatherBytes, 'a')).ok());
    EXPECT_EQ(Received(), "");
    EXPECT_TRUE(output.Write("b").ok());
    EXPECT_EQ(Received(), std::string(kOutputGatherBytes, 'a') + "b");
  });
}

TEST_F(OutputTest, FlushSoonSendsWhenTheFiberParks) {
  RunWithOutput([&](Output& output) {
    output.pending().Append("a");
    EXPECT_TRUE(output.FlushSoon().ok());
    EXPECT_TRUE(output.FlushSoon().ok());
    output.pending().Append("b");
    EXPECT_EQ(Received(), "");
    Yield();
    EXPECT_EQ(Received(), "ab");
  });
}

TEST_F(OutputTest, WhatIsAppendedWhileItWritesFollows) {
  const std::string much = TooMuch();
  RunWithOutput([&](Output& output) {
    output.pending().Append(much);
    EXPECT_TRUE(output.FlushSoon().ok());
    Yield();
    const uint64_t batch = output.batch();
    output.pending().Append("tail");
    EXPECT_EQ(output.batch(), batch);
    EXPECT_EQ(Receive(much.size() + 4), much + "tail");
    EXPECT_NE(output.batch(), batch) << "what was appended before is out of reach";
    EXPECT_EQ(output.position(), much.size() + 4);
  });
}

// What is pending leaves with the first part of what is written; the rest follows once, and whole.
TEST_F(OutputTest, WhatTheKernelDoesNotTakeAtOnceFollows) {
  std::string much = TooMuch();
  for (size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>('a' + i % 23);
  RunWithOutput([&](Output& output) {
    output.pending().Append("head");
    auto reader = *Spawn("reader", [&] { EXPECT_EQ(Receive(much.size() + 4), "head" + much); });
    EXPECT_TRUE(output.Write(much).ok());
    EXPECT_TRUE(reader.Join().ok());
    EXPECT_EQ(bytes_out_, much.size() + 4);
  });
}

// TLS as Output sees it: what was written, record by record.
class Records final : public Stream {
 public:
  absl::StatusOr<size_t> Read(std::span<char>) override { return size_t{0}; }
  absl::Status Write(std::string_view bytes) override {
    all.emplace_back(bytes);
    return absl::OkStatus();
  }
  absl::Status Writev(std::span<iovec> parts) override {
    std::string& record = all.emplace_back();
    for (const iovec& part : parts) {
      record.append(static_cast<const char*>(part.iov_base), part.iov_len);
    }
    return absl::OkStatus();
  }
  absl::Status ShutdownWrite() override { return absl::OkStatus(); }
  void Close() override {}
  void Abort() override {}
  bool open() const override { return true; }
  int fd() const override { return -1; }
  bool plain() const override { return false; }
  SocketAddress PeerAddress() const override { return {}; }

  std::vector<std::string> all;
};

TEST_F(OutputTest, SealedBytesLeaveInSlicesAndWhole) {
  const std::string much(kSealedSliceBytes + 10, 'x');
  Records records;
  RunWithOutput([&](Output& output) {
    output.SealWith(records);
    output.pending().Append("head");
    EXPECT_TRUE(output.Write(much).ok());
  });
  ASSERT_EQ(records.all.size(), 2u);
  EXPECT_EQ(records.all[0].size(), kSealedSliceBytes);
  EXPECT_EQ(records.all[0] + records.all[1], "head" + much);
  EXPECT_EQ(bytes_out_, much.size() + 4);
}

TEST_F(OutputTest, AClientThatTakesNothingIsGivenUp) {
  RunWithOutput([&](Output& output) {
    const MonotonicNanos before = clock_.Now();
    EXPECT_TRUE(absl::IsDeadlineExceeded(output.Write(TooMuch())));
    EXPECT_EQ(clock_.Now() - before, absl::ToInt64Nanoseconds(kIoTimeout));
    EXPECT_TRUE(absl::IsDeadlineExceeded(output.failure()));
    EXPECT_TRUE(absl::IsDeadlineExceeded(output.Write("more"))) << "nothing is ever sent again";
    EXPECT_TRUE(absl::IsDeadlineExceeded(output.Flush()));
  });
}

// In 30 s less than the kernel wants to be free before it wakes a writer, but all that is asked
// for.
TEST_F(OutputTest, AClientThatTakesSlowlyAndSteadilyIsWaitedFor) {
  const std::string much = TooMuch();
  RunWithOutput([&](Output& output) {
    auto reader = *Spawn("reader", [&] { EXPECT_EQ(ReceiveSlowly(much.size()), much.size()); });
    EXPECT_TRUE(output.Write(much).ok());
    EXPECT_TRUE(output.failure().ok()) << output.failure();
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(OutputTest, AClientThatStopsTakingIsGivenUp) {
  RunWithOutput([&](Output& output) {
    MonotonicNanos stopped = 0;
    auto reader = *Spawn("reader", [&] {
      ReceiveSlowly(1 << 20);
      stopped = clock_.Now();
    });
    EXPECT_TRUE(absl::IsDeadlineExceeded(output.Write(TooMuch())));
    EXPECT_TRUE(reader.Join().ok());
    EXPECT_LE(clock_.Now() - stopped, absl::ToInt64Nanoseconds(kPauseMax * kIoTimeout));
  });
}

// As curl does that keeps a rate: it has taken what it may for some minutes.
TEST_F(OutputTest, AClientThatTookMuchAtOnceMayPause) {
  const std::string much = TooMuch();
  RunWithOutput([&](Output& output) {
    auto reader = *Spawn("reader", [&] {
      const std::string burst = Receive(much.size() / 2);
      ASSERT_TRUE(Sleep(kIoTimeout * (kPauseMax - 1)).ok());
      EXPECT_EQ(Receive(much.size() - burst.size()).size(), much.size() - burst.size());
    });
    EXPECT_TRUE(output.Write(much).ok());
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(OutputTest, KnowsWhatTheClientHasTaken) {
  RunWithOutput([&](Output& output) {
    EXPECT_EQ(output.TakenBytes(), 0);
    EXPECT_TRUE(output.Write("abc").ok());
    EXPECT_TRUE(output.Flush().ok());
    EXPECT_LT(output.TakenBytes(), 3);
    EXPECT_EQ(Received(), "abc");
    EXPECT_EQ(output.TakenBytes(), 3);
  });
}

TEST_F(OutputTest, OnceSendingHasFailedOnlyWhatWasSentCounts) {
  RunWithOutput([&](Output& output) {
    const uint64_t much = TooMuch().size();
    FiberHandle sender = *Spawn("sender", [&] { output.Write(TooMuch()).IgnoreError(); });
    Yield();
    output.pending().Append("more");
    EXPECT_EQ(output.position(), much + 4) << "all will be sent";
    sender.AwaitEnd();
    EXPECT_EQ(output.position(), Received().size());
    EXPECT_EQ(output.position(), bytes_out_);
  });
}

TEST_F(OutputTest, AClientThatIsGoneIsUnavailable) {
  RunWithOutput([&](Output& output) {
    Leave();
    EXPECT_TRUE(output.Write("a").ok()) << "it was only gathered";
    EXPECT_TRUE(absl::IsUnavailable(output.Flush()));
    EXPECT_TRUE(absl::IsUnavailable(output.failure()));
  });
}

TEST_F(OutputTest, SettleEndsAFlusherThatNobodyReadsFrom) {
  RunWithOutput([&](Output& output) {
    output.pending().Append(TooMuch());
    EXPECT_TRUE(output.FlushSoon().ok());
    Yield();
    const MonotonicNanos before = clock_.Now();
    output.Settle();
    EXPECT_EQ(clock_.Now(), before);
    EXPECT_TRUE(absl::IsCancelled(output.failure()));
  });
}

TEST_F(OutputTest, SettleWaitsAlsoOnACancelledFiber) {
  RunWithOutput([&](Output& output) {
    output.pending().Append(TooMuch());
    EXPECT_TRUE(output.FlushSoon().ok());
    Yield();
    FiberHandle settling = *Spawn("settle", [&] {
      Hub::Current()->running()->Cancel();
      output.Settle();
    });
    settling.AwaitEnd();
    EXPECT_EQ(hub_->Stats().fibers_live, 1u) << "this one alone: the flusher has ended";
  });
}

TEST_F(OutputTest, AnIdleConnectionHoldsNoBlock) {
  RunWithOutput([&](Output& output) {
    EXPECT_TRUE(output.Write("a").ok());
    EXPECT_EQ(blocks_.kept(), 0);
    output.Trim();
    EXPECT_EQ(blocks_.kept(), 0) << "it is still needed";
    EXPECT_TRUE(output.Flush().ok());
    output.Trim();
    EXPECT_EQ(blocks_.kept(), 1);
  });
}

class OutputFileTest : public OutputTest {
 protected:
  OutputFileTest() {
    std::string name = testing::TempDir() + "output_XXXXXX";
    file_ = mkstemp(name.data());
    unlink(name.c_str());
    content_.resize(3 * kFileSliceBytes);
    for (size_t i = 0; i < content_.size(); ++i) content_[i] = static_cast<char>(i * 7 % 251);
    EXPECT_EQ(pwrite(file_, content_.data(), content_.size(), 0),
              static_cast<ssize_t>(content_.size()));
  }
  ~OutputFileTest() override { close(file_); }

  std::string content_;
  int file_ = -1;
};

TEST_F(OutputFileTest, AFewBytesAreGathered) {
  RunWithOutput([&](Output& output) {
    output.pending().Append("head ");
    EXPECT_TRUE(output.WriteFile(file_, 10, 100).ok());
    EXPECT_EQ(Received(), "");
    EXPECT_TRUE(output.Flush().ok());
    EXPECT_EQ(Received(), "head " + content_.substr(10, 100));
  });
}

TEST_F(OutputFileTest, ManyFollowWhatIsPending) {
  RunWithOutput([&](Output& output) {
    output.pending().Append("head ");
    FiberHandle sender = *Spawn(
        "sender", [&] { EXPECT_TRUE(output.WriteFile(file_, 1, content_.size() - 1).ok()); });
    EXPECT_EQ(Receive(content_.size() + 4), "head " + content_.substr(1));
    sender.AwaitEnd();
    EXPECT_EQ(output.position(), content_.size() + 4);
  });
}

TEST_F(OutputFileTest, AClientThatTakesItSlowlyAndSteadilyIsWaitedFor) {
  constexpr int64_t kMuch = 2 << 20;
  ASSERT_EQ(ftruncate(file_, kMuch), 0);
  RunWithOutput([&](Output& output) {
    auto reader = *Spawn("reader", [&] { EXPECT_EQ(ReceiveSlowly(kMuch), kMuch); });
    EXPECT_TRUE(output.WriteFile(file_, 0, kMuch).ok());
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(OutputFileTest, OneThatTheClientDoesNotTakeCountsAsFarAsItWasSent) {
  ASSERT_EQ(ftruncate(file_, 4 << 20), 0);
  RunWithOutput([&](Output& output) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(output.WriteFile(file_, 0, 4 << 20)));
    EXPECT_EQ(output.position(), Received().size());
  });
}

TEST_F(OutputFileTest, OneThatIsTooShortIsNotTheClientsFailure) {
  RunWithOutput([&](Output& output) {
    EXPECT_TRUE(absl::IsOutOfRange(output.WriteFile(file_, content_.size() - 5, 100)));
    EXPECT_TRUE(output.failure().ok());
    FiberHandle sender = *Spawn("sender", [&] {
      EXPECT_TRUE(absl::IsOutOfRange(output.WriteFile(file_, 0, content_.size() + 1)));
    });
    EXPECT_EQ(Receive(content_.size() + 5), content_.substr(content_.size() - 5) + content_);
    sender.AwaitEnd();
    EXPECT_TRUE(output.failure().ok());
  });
}

}  // namespace
}  // namespace grove::http
