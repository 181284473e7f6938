#include "database/postgres/sql_error.h"

#include <gtest/gtest.h>

#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

TEST(SqlErrorTest, AStateHasItsOwnCodeOrThatOfItsClass) {
  EXPECT_EQ(CodeOfSqlState(kUniqueViolation), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(CodeOfSqlState(kForeignKeyViolation), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOfSqlState(kSerializationFailure), absl::StatusCode::kAborted);
  EXPECT_EQ(CodeOfSqlState(kDeadlockDetected), absl::StatusCode::kAborted);
  EXPECT_EQ(CodeOfSqlState(kQueryCanceled), absl::StatusCode::kCancelled);
  EXPECT_EQ(CodeOfSqlState("57P01"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(CodeOfSqlState("08006"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(CodeOfSqlState("28P01"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CodeOfSqlState("42501"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOfSqlState("42601"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOfSqlState("53300"), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOfSqlState("HV000"), absl::StatusCode::kUnknown);
  EXPECT_EQ(CodeOfSqlState(""), absl::StatusCode::kUnknown);
}

TEST(SqlErrorTest, TravelsInAStatusWhoseMessageHasNoValuesOfRows) {
  const absl::Status status = SqlErrorStatus({.sqlstate = "23505",
                                              .severity = "ERROR",
                                              .message = "duplicate key",
                                              .detail = "Key (mail)=(a@b) already exists.",
                                              .table = "users",
                                              .constraint = "users_mail_key"});
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_EQ(Std(status.message()), "23505: duplicate key");
  const std::optional<SqlError> error = SqlErrorOf(status);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->sqlstate, "23505");
  EXPECT_EQ(error->severity, "ERROR");
  EXPECT_EQ(error->detail, "Key (mail)=(a@b) already exists.");
  EXPECT_EQ(error->hint, "");
  EXPECT_EQ(error->table, "users");
  EXPECT_EQ(error->constraint, "users_mail_key");
}

TEST(SqlErrorTest, OtherStatusesHaveNone) {
  EXPECT_FALSE(SqlErrorOf(absl::AbortedError("no")).has_value());
  EXPECT_EQ(SqlStateOf(absl::OkStatus()), "");
  EXPECT_FALSE(MayRetryTransaction(absl::AbortedError("no")));
}

TEST(SqlErrorTest, ATransactionIsRetriedAfterASerializationFailureOrADeadlock) {
  EXPECT_TRUE(MayRetryTransaction(SqlErrorStatus({.sqlstate = "40001"})));
  EXPECT_TRUE(MayRetryTransaction(SqlErrorStatus({.sqlstate = "40P01"})));
  EXPECT_FALSE(MayRetryTransaction(SqlErrorStatus({.sqlstate = "40003"})));
  EXPECT_FALSE(MayRetryTransaction(SqlErrorStatus({.sqlstate = "23505"})));
}

}  // namespace
}  // namespace grove::postgres
