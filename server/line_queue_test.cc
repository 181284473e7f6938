#include "server/line_queue.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace grove {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(1);

// What the thread was given.
std::vector<std::string> Written(LineQueue& queue) {
  std::vector<std::string> batches;
  queue.Run([&](std::string& batch) { batches.push_back(batch); });
  return batches;
}

TEST(LineQueue, ABatchHasAllThatWaits) {
  LineQueue queue(absl::ZeroDuration(), 100);
  EXPECT_TRUE(queue.Append("a\n"));
  EXPECT_TRUE(queue.Append("b\n"));
  std::thread stop([&] { EXPECT_EQ(queue.Stop(kPatience), ""); });
  EXPECT_EQ(Written(queue), std::vector<std::string>{"a\nb\n"});
  stop.join();
  EXPECT_FALSE(queue.Append("late\n")) << "its thread has ended";
}

TEST(LineQueue, WhatHasNoRoomIsRefused) {
  LineQueue queue(absl::ZeroDuration(), 4);
  EXPECT_TRUE(queue.Append("a\n"));
  EXPECT_FALSE(queue.Append("bb\n"));
  EXPECT_TRUE(queue.Append("b\n"));
  EXPECT_FALSE(queue.Append("\n"));
  EXPECT_FALSE(queue.Append("larger than all of it\n"));
  // Without a thread nobody writes it.
  EXPECT_EQ(queue.Stop(absl::ZeroDuration()), "a\nb\n");
  EXPECT_TRUE(queue.has_given_up());
  EXPECT_FALSE(queue.Append("\n"));
}

TEST(LineQueue, ItGathersNoLongerOnceHalfOfItsRoomIsTaken) {
  LineQueue queue(absl::Hours(1), 8);
  std::promise<std::string> taken;
  std::thread thread([&] { queue.Run([&](std::string& batch) { taken.set_value(batch); }); });
  EXPECT_TRUE(queue.Append("abc\n"));
  EXPECT_EQ(taken.get_future().get(), "abc\n");
  queue.Stop(kPatience);
  thread.join();
}

TEST(LineQueue, WhoHurriesIsNotKeptWaiting) {
  LineQueue queue(absl::Hours(1), 100);
  std::promise<std::string> taken;
  std::thread thread([&] { queue.Run([&](std::string& batch) { taken.set_value(batch); }); });
  queue.Hurry();
  EXPECT_EQ(taken.get_future().get(), "") << "nothing waits";
  queue.Stop(kPatience);
  thread.join();
}

TEST(LineQueue, APauseEndsWhenItGivesUp) {
  auto queue = std::make_shared<LineQueue>(absl::ZeroDuration(), 100);
  EXPECT_TRUE(queue->Append("a\n"));
  std::promise<void> pauses;
  std::promise<bool> paused;
  StartDetached([queue, &pauses, &paused] {
    queue->Run([&](std::string&) {
      pauses.set_value();
      paused.set_value(queue->Pause(absl::Hours(1)));
    });
  });
  pauses.get_future().wait();
  EXPECT_TRUE(queue->Append("b\n"));
  EXPECT_EQ(queue->Stop(absl::ZeroDuration()), "b\n");
  EXPECT_FALSE(paused.get_future().get());
}

TEST(FileOfLines, IsFollowedWhereItWasMoved) {
  std::string folder = testing::TempDir() + "lines-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/log";
  const auto fd = OpenForLines(path);
  ASSERT_TRUE(fd.ok()) << fd.status();
  struct stat made {};
  ASSERT_EQ(fstat(*fd, &made), 0);
  EXPECT_EQ(made.st_mode & 0137, 0u) << "for its owner, and its group to read";
  EXPECT_FALSE(WasMoved(*fd, path));
  std::filesystem::rename(path, path + ".1");
  EXPECT_TRUE(WasMoved(*fd, path)) << "there is none";
  std::ofstream(path) << "another\n";
  EXPECT_TRUE(WasMoved(*fd, path));
  close(*fd);
  EXPECT_FALSE(OpenForLines(folder + "/none/log").ok());
  std::filesystem::remove_all(folder);
}

TEST(FileOfLines, CountsWholeLines) {
  EXPECT_EQ(CountLines(""), 0u);
  EXPECT_EQ(CountLines("a\nb\nc"), 2u);
}

}  // namespace
}  // namespace grove
