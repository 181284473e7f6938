#include "server/shared/table.h"

#include "runtime/switch/abseil_text.h"
#include "server/shared/table_memory.h"

namespace grove::shared {

absl::Status NoSharedTable() {
  return absl::FailedPreconditionError(
      "there is no shared table: shared_table.rows_max is 0, or this code runs without a worker");
}

absl::StatusOr<MonotonicNanos> ExpiresAt(Clock& clock, absl::Duration expiry) {
  if (expiry <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        StrCat("an expiry of ", absl::FormatDuration(expiry), ": it has to be above zero"));
  }
  return DeadlineAfter(clock.Now(), expiry);
}

absl::StatusOr<TableMemory*> Table::Memory() const {
  if (memory_ == nullptr) return NoSharedTable();
  return memory_;
}

absl::StatusOr<SharedRow> Table::Get(std::string_view key) {
  absl::StatusOr<TableMemory*> memory = Memory();
  if (!memory.ok()) return memory.status();
  const MonotonicNanos now = clock_.Now();
  std::optional<SharedRow> found;
  absl::Status status =
      (*memory)->Change(RowKind::kValue, key, now, [&](const RowView* row) -> RowEdit {
        if (row != nullptr) {
          found = {.value = std::string(row->value)};
          if (row->expires != kNever) found->left = absl::Nanoseconds(row->expires - now);
        }
        return {};
      });
  if (!status.ok()) return status;
  if (!found) return absl::NotFoundError(StrCat("the shared table has no row '", key, "'"));
  return *std::move(found);
}

absl::Status Table::Put(std::string_view key, std::string_view value, absl::Duration expiry) {
  absl::StatusOr<TableMemory*> memory = Memory();
  if (!memory.ok()) return memory.status();
  const absl::StatusOr<MonotonicNanos> expires = ExpiresAt(clock_, expiry);
  if (!expires.ok()) return expires.status();
  return (*memory)->Change(RowKind::kValue, key, clock_.Now(), [&](const RowView*) -> RowEdit {
    return {.kind = RowEdit::Kind::kPut, .value = value, .expires = *expires};
  });
}

absl::StatusOr<int64_t> Table::Add(std::string_view key, int64_t delta, const CounterStart& start) {
  absl::StatusOr<TableMemory*> memory = Memory();
  if (!memory.ok()) return memory.status();
  const absl::StatusOr<MonotonicNanos> expires = ExpiresAt(clock_, start.expiry);
  if (!expires.ok()) return expires.status();
  int64_t sum = 0;
  std::string text;
  absl::Status status = (*memory)->Change(
      RowKind::kValue, key, clock_.Now(), [&](const RowView* row) -> absl::StatusOr<RowEdit> {
        int64_t before = start.initial;
        if (row != nullptr && !SimpleAtoi(row->value, &before)) {
          return absl::FailedPreconditionError(
              StrCat("row '", key, "' of the shared table holds no number"));
        }
        if (__builtin_add_overflow(before, delta, &sum)) {
          return absl::OutOfRangeError(StrCat("row '", key, "' of the shared table: ", before,
                                              " and ", delta, " are no number of 64 bits"));
        }
        text = StrCat(sum);
        return RowEdit{.kind = RowEdit::Kind::kPut,
                       .value = text,
                       .expires = row != nullptr ? row->expires : *expires};
      });
  if (!status.ok()) return status;
  return sum;
}

absl::StatusOr<std::string> Table::Update(std::string_view key, const Updater& update,
                                          std::optional<absl::Duration> expiry) {
  absl::StatusOr<TableMemory*> memory = Memory();
  if (!memory.ok()) return memory.status();
  for (int tries = 0; tries < kUpdateTriesMax; ++tries) {
    std::optional<std::string> before;
    uint64_t version = 0;  // no row has it
    absl::Status read =
        (*memory)->Change(RowKind::kValue, key, clock_.Now(), [&](const RowView* row) -> RowEdit {
          if (row != nullptr) {
            before = std::string(row->value);
            version = row->version;
          }
          return {};
        });
    if (!read.ok()) return read;
    absl::StatusOr<std::string> after = update(before);
    if (!after.ok()) return after;
    const absl::StatusOr<MonotonicNanos> expires =
        ExpiresAt(clock_, expiry.value_or(absl::InfiniteDuration()));
    if (!expires.ok()) return expires.status();
    bool same = false;
    absl::Status written =
        (*memory)->Change(RowKind::kValue, key, clock_.Now(), [&](const RowView* row) -> RowEdit {
          same = version == (row != nullptr ? row->version : 0);
          if (!same) return {};
          const bool keeps = row != nullptr && !expiry.has_value();
          return {.kind = RowEdit::Kind::kPut,
                  .value = *after,
                  .expires = keeps ? row->expires : *expires};
        });
    if (!written.ok()) return written;
    if (same) return after;
  }
  return absl::AbortedError(StrCat("row '", key, "' of the shared table was changed by others ",
                                   kUpdateTriesMax, " times while this was"));
}

absl::StatusOr<bool> Table::Erase(std::string_view key) {
  absl::StatusOr<TableMemory*> memory = Memory();
  if (!memory.ok()) return memory.status();
  bool there = false;
  absl::Status status =
      (*memory)->Change(RowKind::kValue, key, clock_.Now(), [&](const RowView* row) -> RowEdit {
        there = row != nullptr;
        return {.kind = RowEdit::Kind::kErase};
      });
  if (!status.ok()) return status;
  return there;
}

Table& NoTable() {
  static Table none(nullptr, Clock::Monotonic());
  return none;
}

}  // namespace grove::shared
