#include "server/supervisor/shared_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "runtime/hub/fake_clock.h"

namespace grove::supervisor {
namespace {

using internal::v1::SupervisorHandover;
using shared::RowEdit;
using shared::RowKind;
using shared::RowView;
using shared::TableMemory;

config::v1::SharedTable ConfigOf(int rows) {
  config::v1::SharedTable config;
  config.set_rows_max(rows);
  config.set_value_max_bytes(128);
  return config;
}

std::optional<TableMemory> Made(int rows) {
  absl::StatusOr<std::optional<TableMemory>> table = MakeTable(ConfigOf(rows));
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

void Lock(TableMemory& table, std::string_view name, int64_t holder) {
  const shared::LockState state{.token = table.NextToken(), .holder = holder};
  EXPECT_TRUE(table
                  .Change(RowKind::kLock, name, 1,
                          [&](const RowView*) -> RowEdit {
                            return {.kind = RowEdit::Kind::kPut, .value = state.bytes()};
                          })
                  .ok());
}

TEST(SharedTable, IsOfTheConfigsSizeOrThereIsNone) {
  EXPECT_FALSE(Made(0).has_value());
  const std::optional<TableMemory> table = Made(16);
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->size(), (shared::TableSize{.rows = 16, .value_bytes = 128}));
}

TEST(SharedTable, TokensRiseOverRestarts) {
  const uint64_t before = Made(16)->NextToken();
  EXPECT_GT(Made(16)->NextToken(), before);
}

TEST(SharedTable, ANewProgramHasTheOneBeforeWithAllThatIsInItWhateverItsSize) {
  std::optional<TableMemory> before = Made(16);
  Lock(*before, "l", 7);
  SupervisorHandover record;
  record.set_shared_table_fd(before->fd());
  const auto adopted = AdoptTable(record, ConfigOf(32));
  ASSERT_TRUE(adopted.ok() && adopted->has_value());
  EXPECT_EQ((*adopted)->size().rows, 16);
  EXPECT_EQ((*adopted)->use().locks, 1);
}

TEST(SharedTable, WhereThereIsNoneToAdoptItIsNew) {
  const auto from_none = AdoptTable(SupervisorHandover(), ConfigOf(32));
  ASSERT_TRUE(from_none.ok() && from_none->has_value());
  EXPECT_EQ((*from_none)->size().rows, 32);
  SupervisorHandover record;
  const int other = memfd_create("of another layout", MFD_CLOEXEC);
  record.set_shared_table_fd(other);
  const auto from_other = AdoptTable(record, ConfigOf(32));
  ASSERT_TRUE(from_other.ok() && from_other->has_value());
  EXPECT_EQ((*from_other)->use().rows, 0);
  close(other);
}

TEST(SharedTable, IsNotAdoptedByAConfigThatWantsNone) {
  const std::optional<TableMemory> before = Made(16);
  SupervisorHandover record;
  record.set_shared_table_fd(before->fd());
  const auto adopted = AdoptTable(record, ConfigOf(0));
  ASSERT_TRUE(adopted.ok());
  EXPECT_FALSE(adopted->has_value());
}

TEST(SharedTable, LocksOfADeadWorkerAreReleasedAndWhatIsLeftIsTold) {
  std::optional<TableMemory> table = Made(16);
  Lock(*table, "its", 7);
  Lock(*table, "another's", 8);
  ReleaseLocks(table, 7);
  metrics::TableNumbers numbers{};
  TellTable(table, numbers);
  EXPECT_EQ(numbers.rows_max, 16);
  EXPECT_EQ(numbers.rows, 1);
  EXPECT_EQ(numbers.locks, 1);
  EXPECT_EQ(numbers.refusals, 0u);
}

TEST(SharedTable, WithoutOneNothingIsReleasedOrTold) {
  std::optional<TableMemory> none;
  ReleaseLocks(none, 7);
  metrics::TableNumbers numbers{};
  TellTable(none, numbers);
  EXPECT_EQ(numbers.rows_max, 0);
}

}  // namespace
}  // namespace grove::supervisor
