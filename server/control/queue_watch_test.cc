#include "server/control/queue_watch.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

v1::WatchQueueRequest Asking(const std::string& name, const std::string& token = "") {
  v1::WatchQueueRequest request;
  request.set_name(name);
  request.set_resume_token(token);
  return request;
}

v1::Queue QueueOf(const std::string& name, int64_t queued) {
  v1::Queue queue;
  queue.set_name(name);
  queue.set_queued(queued);
  return queue;
}

std::vector<std::string> Names(const v1::WatchQueueResponse& message) {
  std::vector<std::string> names;
  for (const v1::Queue& queue : message.queues()) names.push_back(queue.name());
  return names;
}

using Texts = std::vector<std::string>;

TEST(QueueWatchTest, TellsAllFirstAndThenWhatHasChanged) {
  QueueWatch watch = *QueueWatch::Create(Asking("q"));
  v1::WatchQueueResponse message;
  EXPECT_TRUE(watch.Take({QueueOf("a", 1), QueueOf("b", 1)}, message));
  EXPECT_EQ(Names(message), (Texts{"a", "b"}));
  EXPECT_FALSE(watch.Take({QueueOf("a", 1), QueueOf("b", 1)}, message));
  EXPECT_TRUE(watch.Take({QueueOf("a", 1), QueueOf("b", 2)}, message));
  EXPECT_EQ(Names(message), Texts{"b"});
}

TEST(QueueWatchTest, ThatTheOldestTaskWaitsLongerIsNoChange) {
  QueueWatch watch = *QueueWatch::Create(Asking("q"));
  v1::WatchQueueResponse message;
  v1::Queue queue = QueueOf("a", 1);
  watch.Take({queue}, message);
  queue.mutable_oldest_age()->set_seconds(5);
  EXPECT_FALSE(watch.Take({queue}, message));
  queue.set_state(v1::Queue::STATE_PAUSED);
  EXPECT_TRUE(watch.Take({queue}, message));
}

TEST(QueueWatchTest, ATokenSaysWhetherAnythingHasChanged) {
  v1::WatchQueueResponse message;
  (*QueueWatch::Create(Asking("q"))).Take({QueueOf("a", 1)}, message);
  const std::string token = message.resume_token();
  QueueWatch same = *QueueWatch::Create(Asking("q", token));
  EXPECT_TRUE(same.Take({QueueOf("a", 1)}, message));
  EXPECT_TRUE(Names(message).empty());
  EXPECT_TRUE(same.Take({QueueOf("a", 2)}, message));
  EXPECT_EQ(Names(message), Texts{"a"});
  QueueWatch changed = *QueueWatch::Create(Asking("q", token));
  EXPECT_TRUE(changed.Take({QueueOf("a", 3)}, message));
  EXPECT_EQ(Names(message), Texts{"a"});
}

TEST(QueueWatchTest, ATokenOfAnotherNameIsRefused) {
  v1::WatchQueueResponse message;
  (*QueueWatch::Create(Asking("q"))).Take({QueueOf("a", 1)}, message);
  EXPECT_EQ(tasks::RefusalReason(QueueWatch::Create(Asking("p", message.resume_token())).status()),
            "RESUME_TOKEN_INVALID");
}

TEST(QueueWatchTest, TheIntervalHasBounds) {
  v1::WatchQueueRequest request = Asking("q");
  EXPECT_EQ((*QueueWatch::Create(request)).interval(), absl::Seconds(1));
  request.mutable_interval()->set_nanos(100'000'000);
  EXPECT_EQ((*QueueWatch::Create(request)).interval(), absl::Milliseconds(100));
  for (const int64_t seconds : {0, -1, 3601}) {
    request.mutable_interval()->set_nanos(0);
    request.mutable_interval()->set_seconds(seconds);
    EXPECT_EQ(tasks::RefusalReason(QueueWatch::Create(request).status()),
              "WATCH_INTERVAL_OUT_OF_RANGE");
  }
}

}  // namespace
}  // namespace grove::control
