#include "client/spawn_ledger.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"

namespace grove::client {
namespace {

class SpawnLedgerTest : public ::testing::Test {
 protected:
  SpawnLedgerTest() { Make("run-"); }

  void Make(const std::string& prefix) {
    options_.message_max = 2;
    options_.unanswered_max = 5;
    ledger_ = std::make_unique<SpawnLedger>(options_, prefix);
  }
  void Add(const std::string& request_id = "") {
    v1::TaskSpec spec;
    spec.set_function("echo");
    spec.set_request_id(request_id);
    ledger_->Add(std::move(spec));
  }
  // As the server would.
  static v1::SpawnTasksResponse AnswerTo(const v1::SpawnTasksRequest& request) {
    v1::SpawnTasksResponse response;
    response.set_sequence(request.sequence());
    for (const auto& spec : request.specs()) response.add_results()->set_name(spec.request_id());
    return response;
  }
  absl::Status Take(v1::SpawnTasksResponse response) {
    return ledger_->Take(response,
                         [this](SpawnResult result) { results_.push_back(std::move(result)); });
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const SpawnResult& each : results_) names.push_back(each.name);
    return names;
  }
  using Texts = std::vector<std::string>;

  SpawnStreamOptions options_;
  std::unique_ptr<SpawnLedger> ledger_;
  std::vector<SpawnResult> results_;
};

TEST_F(SpawnLedgerTest, FillsMessagesInOrderAndRequestIdsWhereThereAreNone) {
  Add();
  Add("mine");
  Add();
  ASSERT_TRUE(ledger_->HasUnsent());
  const v1::SpawnTasksRequest first = ledger_->Send();
  EXPECT_EQ(first.specs_size(), 2);
  EXPECT_EQ(first.parent(), "tenants/default");
  const v1::SpawnTasksRequest second = ledger_->Send();
  EXPECT_FALSE(ledger_->HasUnsent());
  EXPECT_NE(first.sequence(), second.sequence());
  EXPECT_TRUE(Take(AnswerTo(first)).ok());
  EXPECT_TRUE(Take(AnswerTo(second)).ok());
  EXPECT_EQ(Names(), (Texts{"run-0", "mine", "run-2"}));
  EXPECT_EQ(results_[2].index, 2u);
  EXPECT_EQ(ledger_->specs(), 0u);
}

TEST_F(SpawnLedgerTest, AMessageThatIsNotFullIsGivenOutToo) {
  Add();
  EXPECT_EQ(ledger_->Send().specs_size(), 1);
  Add();
  EXPECT_EQ(ledger_->Send().specs_size(), 1);
}

TEST_F(SpawnLedgerTest, AMessageHasAsManyBytesAsItMay) {
  options_.message_bytes_max = 1;
  Add();
  Add();
  EXPECT_EQ(ledger_->Send().specs_size(), 1);
  EXPECT_EQ(ledger_->Send().specs_size(), 1);
}

TEST_F(SpawnLedgerTest, HasRoomUntilTooMuchIsUnanswered) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(ledger_->HasRoom());
    Add();
  }
  EXPECT_FALSE(ledger_->HasRoom());
  const v1::SpawnTasksRequest first = ledger_->Send();
  EXPECT_FALSE(ledger_->HasRoom());
  EXPECT_TRUE(Take(AnswerTo(first)).ok());
  EXPECT_TRUE(ledger_->HasRoom());
}

TEST_F(SpawnLedgerTest, HasRoomUntilTooManyBytesAreUnanswered) {
  options_.unanswered_bytes_max = 1;
  Add();
  EXPECT_FALSE(ledger_->HasRoom());
}

TEST_F(SpawnLedgerTest, WhatHasNoAnswerIsSentAgainWithTheSameRequestIds) {
  for (int i = 0; i < 3; ++i) Add();
  const v1::SpawnTasksRequest first = ledger_->Send();
  const v1::SpawnTasksRequest second = ledger_->Send();
  EXPECT_TRUE(Take(AnswerTo(first)).ok());
  EXPECT_TRUE(ledger_->Rewind().ok());
  const v1::SpawnTasksRequest again = ledger_->Send();
  EXPECT_EQ(again.specs(0).request_id(), second.specs(0).request_id());
  EXPECT_TRUE(Take(AnswerTo(again)).ok());
  EXPECT_EQ(Names(), (Texts{"run-0", "run-1", "run-2"}));
}

TEST_F(SpawnLedgerTest, WhatWouldBeDoubledIsNotSentAgain) {
  Make("");
  Add("mine");
  Add();
  EXPECT_TRUE(ledger_->Rewind().ok());
  ledger_->Send();
  EXPECT_TRUE(absl::IsUnavailable(ledger_->Rewind()));
}

TEST_F(SpawnLedgerTest, ARefusedItemIsAResult) {
  Add();
  v1::SpawnTasksResponse response = AnswerTo(ledger_->Send());
  response.mutable_results(0)->mutable_error()->set_code(3);
  EXPECT_TRUE(Take(response).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(results_[0].status));
}

TEST_F(SpawnLedgerTest, ARefusedMessageRefusesAllItsSpecs) {
  Add();
  Add();
  v1::SpawnTasksResponse response;
  response.set_sequence(ledger_->Send().sequence());
  response.mutable_error()->set_code(5);
  EXPECT_TRUE(Take(response).ok());
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_TRUE(absl::IsNotFound(results_[1].status));
  EXPECT_TRUE(results_[1].answered);
}

TEST_F(SpawnLedgerTest, AMessageThatMayPassLaterStays) {
  Add();
  v1::SpawnTasksResponse response;
  response.set_sequence(ledger_->Send().sequence());
  response.mutable_error()->set_code(14);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  response.mutable_error()->add_details()->PackFrom(retry);
  EXPECT_TRUE(absl::IsUnavailable(Take(response)));
  EXPECT_TRUE(results_.empty());
  EXPECT_EQ(ledger_->specs(), 1u);
}

TEST_F(SpawnLedgerTest, AnItemThatMayPassLaterKeepsItsMessageIfThatMayBeSentAgain) {
  const auto refuse_second = [this] {
    v1::SpawnTasksResponse response = AnswerTo(ledger_->Send());
    response.mutable_results(1)->mutable_error()->set_code(14);
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(1);
    response.mutable_results(1)->mutable_error()->add_details()->PackFrom(retry);
    return response;
  };
  Add();
  Add();
  EXPECT_TRUE(absl::IsUnavailable(Take(refuse_second())));
  EXPECT_TRUE(results_.empty());
  Make("");
  Add("mine");
  Add();
  EXPECT_TRUE(Take(refuse_second()).ok());
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_TRUE(absl::IsUnavailable(results_[1].status));
}

TEST_F(SpawnLedgerTest, AnswersThatFitNothingAreRefused) {
  Add();
  EXPECT_TRUE(absl::IsInternal(Take({})));
  v1::SpawnTasksResponse response = AnswerTo(ledger_->Send());
  response.add_results();
  EXPECT_TRUE(absl::IsInternal(Take(response)));
}

TEST_F(SpawnLedgerTest, WhatIsGivenUpHasAResultToo) {
  for (int i = 0; i < 3; ++i) Add();
  ledger_->Send();
  ledger_->Abandon(absl::UnavailableError("gone"),
                   [this](SpawnResult result) { results_.push_back(std::move(result)); });
  ASSERT_EQ(results_.size(), 3u);
  EXPECT_TRUE(absl::IsUnavailable(results_[2].status));
  EXPECT_FALSE(results_[2].answered);
  EXPECT_FALSE(ledger_->HasUnsent());
  EXPECT_EQ(ledger_->specs(), 0u);
}

}  // namespace
}  // namespace grove::client
