#include "runtime/sync/select_descriptor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/foreign_descriptor.h"
#include "runtime/io/pipe.h"
#include "runtime/sync/event.h"
#include "runtime/sync/queue.h"

namespace grove {
namespace {

using ::testing::HasSubstr;

// A pipe, and a fiber's choice between its reading end and a queue.
struct Sources {
  Pipe pipe = *Pipe::Create();
  Queue<int> queue;
  SelectReadable bytes{pipe.reader.fd()};
  SelectGet<int, FirstInFirstOut<int>> number{queue};
  Selector selector{&bytes, &number};

  std::string Read(size_t bytes_max) {
    std::string buffer(bytes_max, '\0');
    buffer.resize(*pipe.reader.Read(buffer));
    return buffer;
  }
};

using SelectDescriptorTest = HubTest;

TEST_F(SelectDescriptorTest, IsReadyOnceBytesComeAndNotBefore) {
  Run([] {
    Sources s;
    // A new descriptor is taken for ready by the table; the case asks the kernel.
    EXPECT_FALSE(s.selector.TryWait().has_value());
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_EQ(*s.selector.Wait(), 0u);
      EXPECT_TRUE(s.bytes.status().ok());
      EXPECT_EQ(s.Read(10), "now");
    });
    (void)Sleep(absl::Seconds(1));
    EXPECT_FALSE(waiter.ended());
    EXPECT_TRUE(s.pipe.writer.Write("now").ok());
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(s.queue.getting(), 0u);
  });
}

TEST_F(SelectDescriptorTest, WhatIsLeftUnreadIsReadyAgain) {
  Run([] {
    Sources s;
    EXPECT_TRUE(s.pipe.writer.Write("abc").ok());
    for (const char* each : {"a", "b", "c"}) {
      EXPECT_EQ(*s.selector.Wait(), 0u);
      EXPECT_EQ(s.Read(1), each);
    }
    EXPECT_FALSE(s.selector.TryWait().has_value());
  });
}

TEST_F(SelectDescriptorTest, BytesThatComeBetweenTwoWaitsAreSeen) {
  Run([] {
    Sources s;
    EXPECT_TRUE(s.pipe.writer.Write("one").ok());
    EXPECT_EQ(*s.selector.Wait(), 0u);
    EXPECT_EQ(s.Read(10), "one");  // less than asked for: the table waits for an edge
    EXPECT_TRUE(s.pipe.writer.Write("two").ok());
    EXPECT_EQ(s.selector.TryWait(), 0u);  // though the hub has not polled since
  });
}

TEST_F(SelectDescriptorTest, AnotherCaseThatIsChosenLeavesTheDescriptorToOthers) {
  Run([] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] { EXPECT_EQ(*s.selector.Wait(), 1u); });
    Yield();
    EXPECT_TRUE(s.queue.TryPut(7));
    EXPECT_TRUE(waiter.Join().ok());
    auto reader = *Spawn("reader", [&] { EXPECT_EQ(s.Read(10), "x"); });
    Yield();
    EXPECT_TRUE(s.pipe.writer.Write("x").ok());
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(SelectDescriptorTest, ATimedOutOrCancelledWaitLeavesTheDescriptor) {
  Run([] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] {
      {
        Timeout timeout(absl::Seconds(1));
        EXPECT_TRUE(absl::IsDeadlineExceeded(s.selector.Wait().status()));
      }
      EXPECT_TRUE(absl::IsCancelled(s.selector.Wait().status()));
    });
    (void)Sleep(absl::Seconds(2));
    waiter.Cancel();
    EXPECT_TRUE(waiter.Join().ok());
    // Look() would tell of one who waits.
    EXPECT_FALSE(*Hub::Current()->descriptors().Look(s.pipe.reader.fd(), Direction::kRead));
  });
}

TEST_F(SelectDescriptorTest, ASecondOneThatWaitsToReadIsToldOfBoth) {
  Run([] {
    Sources s;
    auto reader = *Spawn("reader", [&] { EXPECT_EQ(s.Read(10), "x"); });
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(*s.selector.Wait(), 0u);
    EXPECT_TRUE(absl::IsFailedPrecondition(s.bytes.status()));
    EXPECT_THAT(s.bytes.status().message(), HasSubstr("\"reader\""));
    EXPECT_THAT(s.bytes.status().message(), HasSubstr("\"main\""));
    EXPECT_TRUE(s.pipe.writer.Write("x").ok());
    EXPECT_TRUE(reader.Join().ok());

    auto selecting = *Spawn("selecting", [&] { EXPECT_EQ(*s.selector.Wait(), 0u); });
    (void)Sleep(absl::Seconds(1));
    char buffer[10];
    const absl::Status second = s.pipe.reader.Read(buffer).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
    EXPECT_THAT(second.message(), HasSubstr("\"selecting\""));
    EXPECT_TRUE(s.pipe.writer.Write("x").ok());
    EXPECT_TRUE(selecting.Join().ok());
  });
}

TEST_F(SelectDescriptorTest, ClosingWakesItAndTheNextOwnerOfTheNumberDoesNot) {
  Run([] {
    Sources s;
    const int fd = s.pipe.reader.fd();
    auto waiter = *Spawn("waiter", [&] {
      for (int i = 0; i < 2; ++i) {  // closed while it waits, and before
        EXPECT_EQ(*s.selector.Wait(), 0u);
        EXPECT_TRUE(absl::IsAborted(s.bytes.status())) << s.bytes.status();
      }
    });
    (void)Sleep(absl::Seconds(1));
    s.pipe.reader.Close();
    Pipe next = *Pipe::Create();
    EXPECT_EQ(next.reader.fd(), fd);
    EXPECT_TRUE(next.writer.Write("not for it").ok());
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(SelectDescriptorTest, AHangUpIsReadableAndStaysSo) {
  Run([] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] {
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(*s.selector.Wait(), 0u);
        EXPECT_EQ(s.Read(10), "");
      }
    });
    (void)Sleep(absl::Seconds(1));
    s.pipe.writer.Close();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(SelectDescriptorTest, IsWritableOnceThereIsRoomOrNobodyToReadIt) {
  Run([] {
    Pipe pipe = *Pipe::Create();
    SelectWritable room(pipe.writer.fd());
    SelectTimer second(absl::Seconds(1));
    Selector selector({&room, &second});
    EXPECT_EQ(*selector.Wait(), 0u);
    const std::string page(4096, 'x');
    while (write(pipe.writer.fd(), page.data(), page.size()) > 0) {
    }
    EXPECT_EQ(*selector.Wait(), 1u);
    second.Restart(absl::InfiniteDuration());
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_EQ(*selector.Wait(), 0u);
      EXPECT_TRUE(room.status().ok());
    });
    (void)Sleep(absl::Seconds(1));
    std::string all(1024 * 1024, '\0');
    EXPECT_GT(*pipe.reader.Read(all), 0u);
    EXPECT_TRUE(waiter.Join().ok());
    pipe.reader.Close();
    EXPECT_EQ(*selector.Wait(), 0u);
    EXPECT_TRUE(absl::IsUnavailable(pipe.writer.Write("x")));
  });
}

TEST_F(SelectDescriptorTest, BothDirectionsOfOneDescriptorAreTwoCases) {
  Run([] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Socket near = *Socket::Adopt(ends[0]);
    Socket far = *Socket::Adopt(ends[1]);
    SelectReadable bytes(near.fd());
    SelectWritable room(near.fd());
    Selector selector({&bytes, &room});
    EXPECT_EQ(*selector.Wait(), 1u);
    EXPECT_TRUE(far.Write("x").ok());
    EXPECT_EQ(*selector.Wait(), 0u);
  });
}

TEST_F(SelectDescriptorTest, ARegularFileIsAlwaysReady) {
  Run([] {
    const std::string path = absl::StrCat(testing::TempDir(), "/select_descriptor_file");
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    {
      ForeignDescriptor registered = *ForeignDescriptor::Register(file);
      SelectReadable bytes(file);
      SelectWritable room(file);
      Selector selector({&bytes, &room});
      for (size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(*selector.Wait(), i % 2);
        EXPECT_TRUE(bytes.status().ok());
        EXPECT_TRUE(room.status().ok());
      }
    }
    close(file);
    unlink(path.c_str());
  });
}

TEST_F(SelectDescriptorTest, OneThatTheHubDoesNotKnowIsAborted) {
  Run([] {
    SelectReadable bytes(STDERR_FILENO);
    Selector selector({&bytes});
    EXPECT_EQ(*selector.Wait(), 0u);
    EXPECT_TRUE(absl::IsAborted(bytes.status()));
    EXPECT_THAT(bytes.status().message(), HasSubstr("not registered"));
  });
}

TEST_F(SelectDescriptorTest, TwoCasesForOneDirectionDie) {
  EXPECT_DEATH(Run([] {
                 Sources s;
                 SelectReadable again(s.pipe.reader.fd());
                 Selector selector({&s.bytes, &again});
                 (void)selector.Wait();
               }),
               "two cases for one direction");
}

TEST_F(SelectDescriptorTest, ServesAReaderOfOnePipeAmongManyWithoutALostByte) {
  constexpr int kPipes = 3;
  constexpr int kBytes = 300;
  int got[kPipes] = {};
  Run([&] {
    Pipe pipes[kPipes] = {*Pipe::Create(), *Pipe::Create(), *Pipe::Create()};
    for (Pipe& pipe : pipes) {
      (void)Spawn("writer", [&pipe] {
        for (int i = 0; i < kBytes; ++i) {
          EXPECT_TRUE(pipe.writer.Write("x").ok());
          if (i % 7 == 0) Yield();
        }
      });
    }
    SelectReadable cases[kPipes] = {SelectReadable(pipes[0].reader.fd()),
                                    SelectReadable(pipes[1].reader.fd()),
                                    SelectReadable(pipes[2].reader.fd())};
    Selector selector({&cases[0], &cases[1], &cases[2]});
    while (got[0] + got[1] + got[2] < kPipes * kBytes) {
      const size_t at = *selector.Wait();
      ASSERT_TRUE(cases[at].status().ok()) << cases[at].status();
      char byte;
      got[at] += static_cast<int>(*pipes[at].reader.Read({&byte, 1}));
    }
  });
  for (const int each : got) EXPECT_EQ(each, kBytes);
}

TEST(SelectDescriptorOverPollTest, IsWokenByThePollBackendToo) {
  auto hub = *Hub::Create({.poller = *Poller::Poll()});
  RunOn(*hub, [] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] {
      for (const char* each : {"one", "two"}) {
        EXPECT_EQ(*s.selector.Wait(), 0u);
        EXPECT_EQ(s.Read(10), each);
      }
    });
    Yield();
    EXPECT_TRUE(s.pipe.writer.Write("one").ok());
    while (s.queue.getting() > 0) Yield();  // until it is woken
    Yield();
    EXPECT_TRUE(s.pipe.writer.Write("two").ok());
    EXPECT_TRUE(waiter.Join().ok());
  });
}

}  // namespace
}  // namespace grove
