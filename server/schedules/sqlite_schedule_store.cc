#include "server/schedules/sqlite_schedule_store.h"

#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/sqlite/side_file.h"

namespace grove::schedules {
namespace {

using sqlite::Binder;
using sqlite::RunStatement;
using sqlite::TextOf;

// "GRVS" in the file's header.
constexpr int64_t kApplicationId = 0x47525653;
constexpr int64_t kSchemaVersion = 1;

// What was set changes seldom, and may have an input of kilobytes: a run writes the rest alone.
constexpr char kCreateTables[] = R"(
CREATE TABLE schedules (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  settings BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE TABLE runs (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  seen_us INTEGER NOT NULL,
  runs BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
)";

constexpr char kSelect[] =
    "SELECT s.tenant, s.id, s.settings, r.seen_us, r.runs FROM schedules s "
    "LEFT JOIN runs r ON r.tenant = s.tenant AND r.id = s.id ORDER BY s.tenant, s.id";
constexpr char kPutSettings[] = "INSERT OR REPLACE INTO schedules VALUES (?1, ?2, ?3)";
constexpr char kPutRuns[] = "INSERT OR REPLACE INTO runs VALUES (?1, ?2, ?3, ?4)";
constexpr char kDropSettings[] = "DELETE FROM schedules WHERE tenant = ?1 AND id = ?2";
constexpr char kDropRuns[] = "DELETE FROM runs WHERE tenant = ?1 AND id = ?2";

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteScheduleStore>> SqliteScheduleStore::Open(
    const std::string& state_dir) {
  const std::string path = state_dir + "/schedules.db";
  auto connection = sqlite::OpenSideFile(path, {.application_id = kApplicationId,
                                                .schema_version = kSchemaVersion,
                                                .create_tables = kCreateTables});
  if (!connection.ok()) return connection.status();
  std::unique_ptr<SqliteScheduleStore> store(new SqliteScheduleStore(path, *std::move(connection)));
  if (absl::Status prepared = store->Prepare(); !prepared.ok()) return prepared;
  return store;
}

SqliteScheduleStore::SqliteScheduleStore(std::string path, sqlite::Connection connection)
    : path_(std::move(path)),
      connection_(std::move(connection)),
      writer_(connection_, sqlite::SideWriter::Commits::kTogether) {}

absl::Status SqliteScheduleStore::Prepare() {
  for (auto [sql, statement] : {std::pair(kPutSettings, &put_settings_),
                                {kPutRuns, &put_runs_},
                                {kDropSettings, &drop_settings_},
                                {kDropRuns, &drop_runs_}}) {
    auto prepared = connection_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return writer_.Guard(path_);
}

absl::StatusOr<std::vector<StoredSchedule>> SqliteScheduleStore::Load() {
  const auto select = connection_.Prepare(kSelect);
  if (!select.ok()) return select.status();
  sqlite3_stmt* const row = select->get();
  std::vector<StoredSchedule> all;
  int code = SQLITE_ROW;
  while ((code = connection_.Step(row)) == SQLITE_ROW) {
    StoredSchedule stored;
    stored.key = {TextOf(row, 0), TextOf(row, 1)};
    // To go on without it would be to run nothing, and to say nothing of it.
    if (!stored.settings.ParseFromString(TextOf(row, 2)) ||
        sqlite3_column_type(row, 4) == SQLITE_NULL ||
        !stored.runs.ParseFromString(TextOf(row, 4))) {
      return absl::DataLossError(StrCat(path_, ": the schedule \"", stored.key.second, "\" of \"",
                                        stored.key.first,
                                        "\" cannot be read; restore the file from a backup"));
    }
    stored.seen_us = sqlite3_column_int64(row, 3);
    all.push_back(std::move(stored));
  }
  if (code != SQLITE_DONE) return connection_.Error("read the schedules of");
  return all;
}

void SqliteScheduleStore::Write(ScheduleChange change, Done done) {
  writer_.Write([this, change = std::move(change)] { return Apply(change); }, std::move(done));
}

void SqliteScheduleStore::Stop() {
  writer_.Stop();
}

absl::Status SqliteScheduleStore::Apply(const ScheduleChange& change) {
  absl::Status status;
  for (const auto& [tenant, id] : change.drops) {
    Binder(drop_settings_.get()) << tenant << id;
    Binder(drop_runs_.get()) << tenant << id;
    status.Update(RunStatement(connection_, drop_settings_.get()));
    status.Update(RunStatement(connection_, drop_runs_.get()));
  }
  for (const ScheduleChange::Put& put : change.puts) {
    const std::string runs = put.runs.SerializeAsString();
    (Binder(put_runs_.get()) << put.key.first << put.key.second << put.seen_us).Bytes(runs);
    status.Update(RunStatement(connection_, put_runs_.get()));
    if (!put.settings) continue;
    const std::string settings = put.settings->SerializeAsString();
    (Binder(put_settings_.get()) << put.key.first << put.key.second).Bytes(settings);
    status.Update(RunStatement(connection_, put_settings_.get()));
  }
  return status;
}

}  // namespace grove::schedules
