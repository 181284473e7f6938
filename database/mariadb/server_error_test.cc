#include "database/mariadb/server_error.h"

#include <gtest/gtest.h>

#include "database/mariadb/value.h"

namespace grove::mariadb {
namespace {

TEST(ServerErrorTest, NumberThenClassPicksTheCodeAndStaysReadable) {
  const absl::Status deadlock = ServerErrorStatus(1213, "40001", "Deadlock found");
  EXPECT_TRUE(absl::IsAborted(deadlock));
  EXPECT_EQ(ErrorNumber(deadlock), 1213u);
  EXPECT_EQ(deadlock.message(), "mariadb: Deadlock found (1213, 40001)");
  EXPECT_TRUE(absl::IsAborted(ServerErrorStatus(1205, "HY000", "")));
  EXPECT_TRUE(absl::IsUnavailable(ServerErrorStatus(2013, "HY000", "")));
  EXPECT_TRUE(absl::IsResourceExhausted(ServerErrorStatus(1040, "08004", "")));
  EXPECT_TRUE(absl::IsFailedPrecondition(ServerErrorStatus(1452, "23000", "")));
  EXPECT_TRUE(absl::IsInvalidArgument(ServerErrorStatus(1264, "22003", "")));
  EXPECT_TRUE(absl::IsUnavailable(ServerErrorStatus(1043, "08S01", "")));
  EXPECT_TRUE(absl::IsInternal(ServerErrorStatus(9999, "HY000", "")));
}

TEST(MariadbValueTest, GettersReadWhatTheTextSays) {
  EXPECT_EQ(*Value("17").Integer(), 17);
  EXPECT_EQ(*Value("1.5").Double(), 1.5);
  EXPECT_EQ(*Value("x").Text(), "x");
  EXPECT_TRUE(absl::IsFailedPrecondition(Value("1.5").Integer().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Value("-1").Unsigned().status()));
  EXPECT_TRUE(absl::IsNotFound(Value().Text().status()));
}

}  // namespace
}  // namespace grove::mariadb
