#include "client/spawn_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "client/client.h"
#include "client/fake_grove.h"
#include "client/fake_streams.h"

namespace grove::client {
namespace {

class SpawnStreamTest : public ::testing::Test {
 protected:
  SpawnStreamTest() { options_.message_max = 2; }

  std::unique_ptr<SpawnStream> Open() {
    return client_->OpenSpawnStream(options_, [this](SpawnResult result) {
      const absl::MutexLock lock(&mutex_);
      results_.push_back(std::move(result));
    });
  }
  static v1::TaskSpec Spec(const std::string& function = "echo") {
    v1::TaskSpec spec;
    spec.set_function(function);
    return spec;
  }
  // Every index once, in order; the names.
  std::set<std::string> Names() {
    const absl::MutexLock lock(&mutex_);
    std::set<std::string> names;
    for (size_t i = 0; i < results_.size(); ++i) {
      EXPECT_EQ(results_[i].index, i);
      if (results_[i].status.ok()) names.insert(results_[i].name);
    }
    return names;
  }
  int64_t TasksOfServer() {
    v1::ListTasksRequest request;
    request.set_parent("tenants/default");
    return client_->ListTasks(request, 1000)->tasks_size();
  }

  FakeGrove server_;
  std::unique_ptr<Client> client_ = *Client::Create({server_.address()});
  SpawnStreamOptions options_;
  absl::Mutex mutex_;
  std::vector<SpawnResult> results_;
};

TEST_F(SpawnStreamTest, GivesEachTaskItsResultInOrder) {
  const auto stream = Open();
  for (int i = 0; i < 25; ++i) ASSERT_TRUE(stream->Add(Spec(i == 7 ? "foo" : "echo")).ok());
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(Names().size(), 24u);
  EXPECT_EQ(results_.size(), 25u);
  EXPECT_TRUE(absl::IsInvalidArgument(results_[7].status));
}

TEST_F(SpawnStreamTest, OneWithoutTasksEndsWell) {
  EXPECT_TRUE(Open()->Finish().ok());
  EXPECT_TRUE(results_.empty());
}

TEST_F(SpawnStreamTest, NothingIsAddedAfterItsEnd) {
  const auto stream = Open();
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(stream->Add(Spec())));
}

TEST_F(SpawnStreamTest, AddWaitsWhileTooMuchHasNoAnswer) {
  options_.unanswered_max = 4;
  server_.streams().HoldSpawns();
  const auto stream = Open();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(stream->Add(Spec()).ok());
  EXPECT_FALSE(stream->HasRoom());
  std::thread adds([&] { EXPECT_TRUE(stream->Add(Spec()).ok()); });
  server_.streams().LetGo();
  adds.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(Names().size(), 5u);
}

TEST_F(SpawnStreamTest, ABrokenConnectionDoublesNothingAndLosesNothing) {
  ASSERT_EQ(TasksOfServer(), 0);
  server_.streams().BreakSpawns(3, 2);
  int outages = 0;
  int backs = 0;
  options_.on_outage = [&](const absl::Status&) { ++outages; };
  options_.on_back = [&] { ++backs; };
  const auto stream = Open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(stream->Add(Spec()).ok());
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(Names().size(), 20u);
  EXPECT_EQ(TasksOfServer(), 20);
  EXPECT_GE(outages, 1);
  EXPECT_EQ(outages, backs);
}

TEST_F(SpawnStreamTest, WhatADrainingServerDoesNotLookAtIsSentAgain) {
  ASSERT_EQ(TasksOfServer(), 0);
  server_.streams().DrainSpawns(1);
  const auto stream = Open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Add(Spec()).ok());
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(Names().size(), 3u);
  EXPECT_EQ(TasksOfServer(), 3);
}

TEST_F(SpawnStreamTest, WithoutRequestIdsABrokenConnectionIsTheEnd) {
  ASSERT_EQ(TasksOfServer(), 0);
  options_.fill_request_ids = false;
  server_.streams().BreakSpawns(1, 1);
  const auto stream = Open();
  ASSERT_TRUE(stream->Add(Spec()).ok());
  EXPECT_TRUE(absl::IsUnavailable(stream->Finish()));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(results_[0].status));
}

TEST_F(SpawnStreamTest, AServerThatWasNeverThereIsNotWaitedFor) {
  std::string address;
  {
    FakeGrove gone;
    address = gone.address();
  }
  client_ = *Client::Create({address});
  const auto stream = Open();
  while (stream->Add(Spec()).ok()) {
  }
  EXPECT_TRUE(absl::IsUnavailable(stream->Finish()));
}

TEST_F(SpawnStreamTest, AStopEndsItAndWhoWaits) {
  options_.unanswered_max = 1;
  Stop stop;
  options_.stop = &stop;
  server_.streams().HoldSpawns();
  const auto stream = Open();
  ASSERT_TRUE(stream->Add(Spec()).ok());
  std::thread adds([&] { EXPECT_TRUE(absl::IsCancelled(stream->Add(Spec()))); });
  stop.Set();
  adds.join();
  EXPECT_TRUE(absl::IsCancelled(stream->Finish()));
  server_.streams().LetGo();
}

TEST_F(SpawnStreamTest, ItsDestructorGivesUpWhatHasNoAnswer) {
  server_.streams().HoldSpawns();
  {
    const auto stream = Open();
    ASSERT_TRUE(stream->Add(Spec()).ok());
  }
  server_.streams().LetGo();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(absl::IsCancelled(results_[0].status));
}

}  // namespace
}  // namespace grove::client
