#include "server/control/operation_mirror.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using ::testing::ElementsAre;
using v1::Operation;

Operation Of(int number, Operation::State state, const std::string& message = "") {
  Operation operation;
  operation.set_name(absl::StrCat("operations/", number));
  operation.set_state(state);
  operation.set_message(message);
  return operation;
}

class OperationMirrorTest : public testing::Test {
 protected:
  std::vector<std::string> List(int32_t size, std::string& token) {
    v1::ListOperationsRequest request;
    request.set_page_size(size);
    request.set_page_token(token);
    v1::ListOperationsResponse response;
    EXPECT_TRUE(mirror_.List(request, response).ok());
    token = response.next_page_token();
    std::vector<std::string> names;
    for (const Operation& operation : response.operations()) names.push_back(operation.name());
    return names;
  }

  OperationMirror mirror_;
};

TEST_F(OperationMirrorTest, ShowsTheNewestStateOfEach) {
  mirror_.Take(Of(1, Operation::STATE_WAITING));
  mirror_.Take(Of(1, Operation::STATE_RUNNING, "replacing grove-w1 (1 of 2)"));
  EXPECT_EQ((*mirror_.Find("operations/1"))->message(), "replacing grove-w1 (1 of 2)");
}

TEST_F(OperationMirrorTest, KnowsAllOnceTheSupervisorHasSpokenEvenOfNone) {
  EXPECT_FALSE(mirror_.knows_all());
  mirror_.Take(Of(1, Operation::STATE_RUNNING));
  EXPECT_FALSE(mirror_.knows_all());
  mirror_.Take(internal::v1::OperationsChanged());
  EXPECT_TRUE(mirror_.knows_all());
}

TEST_F(OperationMirrorTest, ListsTheNewestFirstInPages) {
  for (int number : {2, 1, 4, 3}) mirror_.Take(Of(number, Operation::STATE_SUCCEEDED));
  std::string token;
  EXPECT_THAT(List(3, token), ElementsAre("operations/4", "operations/3", "operations/2"));
  // One that comes meanwhile moves nothing.
  mirror_.Take(Of(5, Operation::STATE_WAITING));
  EXPECT_THAT(List(3, token), ElementsAre("operations/1"));
  EXPECT_EQ(token, "");
}

TEST_F(OperationMirrorTest, KeepsTheNewestThatHaveEndedAndAllThatHaveNot) {
  mirror_.Take(Of(1, Operation::STATE_RUNNING));
  mirror_.Take(Of(2, Operation::STATE_WAITING));
  for (int number = 3; number < 3 + kEndedOperationsMax; ++number) {
    mirror_.Take(Of(number, Operation::STATE_FAILED));
  }
  EXPECT_TRUE(mirror_.Find("operations/3").ok());
  mirror_.Take(Of(3 + kEndedOperationsMax, Operation::STATE_SUPERSEDED));
  EXPECT_TRUE(absl::IsNotFound(mirror_.Find("operations/3").status()));
  EXPECT_TRUE(mirror_.Find("operations/4").ok());
  EXPECT_TRUE(mirror_.Find("operations/1").ok());
  EXPECT_TRUE(mirror_.Find("operations/2").ok());
}

TEST_F(OperationMirrorTest, ANameHasOneForm) {
  for (const char* name : {"", "operations/", "operations/0", "operations/-1", "operations/01",
                           "operation/1", "operations/1/"}) {
    const absl::Status status = mirror_.Find(name).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name;
    EXPECT_EQ(tasks::RefusalReason(status), "OPERATION_NAME_INVALID");
  }
  EXPECT_TRUE(absl::IsNotFound(mirror_.Find("operations/1").status()));
}

TEST_F(OperationMirrorTest, FollowersAreToldTheirsUntilTheyLeave) {
  std::vector<std::string> told;
  const auto follower = mirror_.Follow(
      "operations/1", [&](const Operation& operation) { told.push_back(operation.message()); });
  mirror_.Take(Of(1, Operation::STATE_RUNNING, "one"));
  mirror_.Take(Of(2, Operation::STATE_RUNNING, "another's"));
  mirror_.Take(Of(1, Operation::STATE_SUCCEEDED, "two"));
  mirror_.Leave(follower);
  mirror_.Take(Of(1, Operation::STATE_SUCCEEDED, "three"));
  EXPECT_THAT(told, ElementsAre("one", "two"));
}

}  // namespace
}  // namespace grove::control
