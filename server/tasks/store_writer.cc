#include "server/tasks/store_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "runtime/switch/abseil_text.h"
#include "server/log.h"

namespace grove::tasks {
namespace {

// Expired tasks per transaction: others wait behind it.
constexpr size_t kTrimmedAtOnce = 200;
// A transaction when the volume is short: what it needs in the log must still be there.
constexpr size_t kShortWritesMax = 64;
constexpr int64_t kShortBytes = int64_t{1} << 20;
// The log must not grow again into what the database needs, as long as the limit may be there.
constexpr int64_t kCautiousMs = 600'000;
// Free pages that stay for what comes next; of more, so many as one step moves go back to the
// volume in each kStepMs in which nothing is to be written.
constexpr int64_t kSpareBytes = int64_t{16} << 20;
// A copy of the whole database is not tried at every step.
constexpr int64_t kMendAgainMs = 10'000;

bool Exists(const std::string& path) {
  struct stat file = {};
  return stat(path.c_str(), &file) == 0;
}

std::string DatabasePath(const SqliteStoreOptions& options) {
  return options.state_dir + "/tasks.db";
}

VolumeSpace Probe(const SqliteStoreOptions& options) {
  return options.probe ? options.probe() : ProbeVolume(options.state_dir);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StoreWriter>> StoreWriter::Open(const SqliteStoreOptions& options) {
  auto lock = StateLock::Take(options.state_dir);
  if (!lock.ok()) return lock.status();
  DiskRoom room(options.state_dir, options.disk_reserve_bytes, Probe(options));
  std::unique_ptr<StoreWriter> writer(new StoreWriter(options, *std::move(lock), std::move(room)));
  const StateLock::Use last_use = writer->lock_.LastUse();
  const bool log_was_gone = !Exists(DatabasePath(options) + "-wal");
  absl::Status opened = writer->OpenDatabase();
  // The index of the log, too, takes room.
  if (writer->MakesRoom(opened, Need::kToFree)) opened = writer->OpenDatabase();
  if (!opened.ok()) return opened;
  const auto starts = writer->database_->Starts();
  if (!starts.ok()) return starts.status();
  writer->TellLosses(last_use, *starts, log_was_gone);
  writer->start_number_ = std::max(*starts, last_use.starts) + 1;
  if (absl::Status counted = writer->CountStart(); !counted.ok()) return counted;
  writer->watch_.Adopt();
  writer->MakeBallast();
  return writer;
}

StoreWriter::StoreWriter(const SqliteStoreOptions& options, StateLock lock, DiskRoom room)
    : options_(options),
      ballast_(options.state_dir + "/tasks.reserve"),
      lock_(std::move(lock)),
      room_(std::move(room)),
      watch_(DatabasePath(options)),
      log_(DatabasePath(options)),
      short_writes_(kShortWritesMax) {
  limits_.bytes = std::clamp<int64_t>(room_.reserve_bytes() / 4, 1 << 16, limits_.bytes);
}

StoreWriter::~StoreWriter() {
  if (database_ == nullptr) return;
  database_.reset();
  const bool closed = !Exists(DatabasePath(options_) + "-wal");
  lock_.Remember({.starts = start_number_, .closed = closed}).IgnoreError();
}

absl::Status StoreWriter::OpenDatabase() {
  auto database = SqliteDatabase::Open({.path = DatabasePath(options_),
                                        .log_bytes = limits_.bytes,
                                        .spare_bytes = Probe(options_).available_bytes});
  if (!database.ok()) return database.status();
  database_ = *std::move(database);
  return absl::OkStatus();
}

// Either of the two places will do: on a full volume the lock's file is written in place.
absl::Status StoreWriter::CountStart() {
  absl::Status counted = database_->SetStarts(start_number_);
  if (absl::IsResourceExhausted(counted)) {
    ballast_.ThrowOff(0);
    database_->EmptyLog().IgnoreError();
    counted = database_->SetStarts(start_number_);
  }
  if (lock_.Remember({.starts = start_number_, .closed = false}).ok()) return absl::OkStatus();
  return counted;
}

void StoreWriter::TellLosses(const StateLock::Use& last_use, uint64_t starts,
                             bool log_was_gone) const {
  if (last_use.starts > 0 && database_->was_empty()) {
    Log(LogLevel::kError, "the task database is empty, though there was one: its tasks are lost",
        {{"file", path()}, {"starts", last_use.starts}});
  } else if (!last_use.closed && log_was_gone) {
    Log(LogLevel::kError, "the log of the task database is gone: what was written last may be lost",
        {{"file", path() + "-wal"}});
  } else if (starts < last_use.starts) {
    Log(LogLevel::kWarning, "the task database is older than its last use",
        {{"file", path()}, {"starts", starts}, {"starts_of_last_use", last_use.starts}});
  }
}

absl::Status StoreWriter::Load(const StoreRetention& retention,
                               absl::FunctionRef<void(StoredTask)> each) {
  expired_.clear();
  return database_->Load(retention, each, expired_);
}

StoreWriter::Step StoreWriter::Advance(int64_t now_ms, SqliteReader& reader) {
  now_ms_ = now_ms;
  Step step;
  step.report.status = MendFiles(now_ms, reader);
  if (step.report.status.ok()) {
    MeasureRoom();
    step.report.status = IsShort() ? WriteWhenShort(step, reader) : WriteInTurn(step);
    watch_.NoteSizes();
    MeasureRoom();
  }
  step.report.through = held_.through();
  step.report.room = room_.status();
  log_.Tell(step.report, now_ms);
  return step;
}

absl::Status StoreWriter::MendFiles(int64_t now_ms, SqliteReader& reader) {
  if (!damage_.ok()) return damage_;
  switch (watch_.Look()) {
    case FileWatch::Finding::kFine:
      // Two daemons must not come to share a database because somebody tidied up.
      return lock_.Renew();
    case FileWatch::Finding::kDatabaseGone:
      return MendDatabase(now_ms, reader);
    case FileWatch::Finding::kLogGone:
      return MendLog(reader);
    case FileWatch::Finding::kDatabaseReplaced:
      // The next start would replay the log on top of the other file.
      EmptyLog(reader, Need::kToFree);
      watch_.NoteSizes();
      return absl::DataLossError(
          StrCat(path(),
                 " was replaced while it was open, and nothing is written any more: stop "
                 "the daemon, put the right file there, and start it"));
    case FileWatch::Finding::kDatabaseCut:
      damage_ = absl::DataLossError(
          StrCat(path(), " was cut short while it was open; restore it from a backup"));
      return damage_;
    case FileWatch::Finding::kLogCut:
      damage_ = absl::DataLossError(StrCat(
          path(), "-wal was cut short while it was open; restart the daemon to go on without"));
      return damage_;
  }
  return absl::OkStatus();
}

absl::Status StoreWriter::MendLog(SqliteReader& reader) {
  absl::MutexLock lock(&reader.between_reads());
  reader.CloseConnection();
  absl::Status restored = database_->RestoreLog();
  if (MakesRoom(restored, Need::kToFree)) restored = database_->RestoreLog();
  if (!restored.ok()) return restored;
  watch_.Adopt();
  Log(LogLevel::kWarning, "the log of the task database was deleted; it is written back and anew",
      {{"file", path() + "-wal"}});
  return absl::OkStatus();
}

absl::Status StoreWriter::MendDatabase(int64_t now_ms, SqliteReader& reader) {
  if (now_ms < next_mending_ms_) return database_missing_;
  absl::MutexLock lock(&reader.between_reads());
  absl::Status restored = lock_.Renew();
  if (restored.ok()) {
    reader.CloseConnection();
    restored = database_->RestoreFile();
  }
  if (restored.ok()) {
    watch_.Adopt();
    next_mending_ms_ = INT64_MIN;
    Log(LogLevel::kWarning, "the task database was deleted; it is written anew",
        {{"file", path()}});
    return absl::OkStatus();
  }
  next_mending_ms_ = now_ms + kMendAgainMs;
  database_missing_ = absl::DataLossError(
      StrCat(path(), " was deleted, and cannot be written anew: ", Std(restored.message())));
  return database_missing_;
}

void StoreWriter::MeasureRoom() {
  room_.Measure(Probe(options_), database_->ReusableBytes().value_or(0), held_.insert_bytes(),
                IsBallastHeld() && !was_full_ && !is_log_stuck_);
}

bool StoreWriter::IsBallastHeld() const {
  return without_ballast_ || ballast_.IsHeld(room_.ballast_bytes());
}

void StoreWriter::MakeBallast() {
  if (IsBallastHeld()) return;
  MeasureRoom();
  if (!room_.HasRoomForBallast()) return;
  const absl::Status made = ballast_.Make(room_.ballast_bytes());
  if (made.ok() || absl::IsResourceExhausted(made)) return;
  without_ballast_ = true;
  Log(LogLevel::kWarning, "no file can be kept to be deleted when the volume is full",
      {{"error", made.message()}});
}

bool StoreWriter::MakesRoom(const absl::Status& status, Need need) const {
  if (!absl::IsResourceExhausted(status) || need == Need::kForNew) return false;
  return ballast_.ThrowOff(need == Need::kToFree ? 0 : room_.ballast_bytes() / 4);
}

void StoreWriter::EmptyLog(SqliteReader& reader, Need need) {
  absl::MutexLock lock(&reader.between_reads());
  absl::Status emptied = database_->EmptyLog();
  if (MakesRoom(emptied, need)) emptied = database_->EmptyLog();
  is_log_stuck_ = absl::IsResourceExhausted(emptied);
}

absl::Status StoreWriter::WriteInTurn(Step& step) {
  absl::Status status = Apply(held_.NextInTurn(limits_), step);
  if (status.ok()) status = Trim(kTrimmedAtOnce, step);
  if (status.ok() && !step.wrote && !step.more) ShrinkSlowly();
  if (!absl::IsResourceExhausted(status)) return status;
  // No failure yet: the next step is another attempt, with what is kept for this.
  was_full_ = true;
  cautious_until_ms_ = now_ms_ + kCautiousMs;
  step.more = true;
  return absl::OkStatus();
}

absl::Status StoreWriter::WriteWhenShort(Step& step, SqliteReader& reader) {
  absl::Status trimmed = Trim(short_writes_, step);
  if (MakesRoom(trimmed, Need::kToFree)) trimmed = Trim(short_writes_, step);
  Need need = held_.empty() ? Need::kToFree : Need::kToEnd;
  absl::Status status = WriteSmallGroup(step, need);
  EmptyLog(reader, need);
  if (room_.WantsShrinking()) Shrink(step);
  // Only when nothing is left that may need the room that it takes.
  if (!step.wrote && !step.more && trimmed.ok()) MakeBallast();
  return status;
}

StoreWriter::Need StoreWriter::NeedOf(StoreWrite::Kind kind) {
  return kind == StoreWrite::Kind::kDelete   ? Need::kToFree
         : kind != StoreWrite::Kind::kInsert ? Need::kToEnd
                                             : Need::kForNew;
}

// An update writes its whole row anew, however long: only the attempt tells what fits.
WriteGroup StoreWriter::NextSmallGroup() const {
  HeldWrites::Limits limits = {.writes = short_writes_, .bytes = kShortBytes};
  WriteGroup group = held_.NextThatFrees(limits, room_.insert_bytes_max());
  if (group.changes.empty() || NeedOf(group.changes[0].kind) == Need::kToFree) return group;
  // What is in the log and does not fit into the database takes the room of deletions.
  if (is_log_stuck_) return {};
  if (!room_.WantsShrinking()) return group;
  limits.writes = 1;
  return held_.NextThatFrees(limits, room_.insert_bytes_max());
}

absl::Status StoreWriter::WriteSmallGroup(Step& step, Need& need) {
  const WriteGroup group = NextSmallGroup();
  if (!group.changes.empty()) need = NeedOf(group.changes[0].kind);
  if (group.changes.empty() && !held_.empty() && is_log_stuck_) {
    return absl::ResourceExhaustedError(StrCat("write ", path(), ": no room is left to end tasks"));
  }
  absl::Status status = Apply(group, step);
  if (absl::IsResourceExhausted(status) && group.changes.size() > 1) {
    short_writes_ = group.changes.size() / 2;
    step.more = true;
    return absl::OkStatus();
  }
  if (MakesRoom(status, need)) status = Apply(group, step);
  if (!status.ok()) return status;
  was_full_ = was_full_ && group.changes.empty() && !held_.empty();
  short_writes_ = std::min(2 * short_writes_, kShortWritesMax);
  return status;
}

absl::Status StoreWriter::Apply(const WriteGroup& group, Step& step) {
  if (group.changes.empty()) return absl::OkStatus();
  step.wrote = true;
  absl::Status status = database_->Apply(group.changes);
  if (!status.ok()) return status;
  held_.Remove(group);
  step.more = step.more || !held_.empty();
  return status;
}

absl::Status StoreWriter::Trim(size_t count_max, Step& step) {
  if (expired_.empty()) return absl::OkStatus();
  const size_t count = std::min(expired_.size(), count_max);
  std::vector<StoreWrite> deletes(count);
  std::vector<TaskChange> changes(count);
  for (size_t i = 0; i < count; ++i) {
    deletes[i].kind = StoreWrite::Kind::kDelete;
    deletes[i].task.id = expired_[expired_.size() - count + i];
    changes[i] = {.kind = StoreWrite::Kind::kDelete, .write = &deletes[i]};
  }
  absl::Status status = database_->Apply(changes);
  if (!status.ok()) return status;
  expired_.resize(expired_.size() - count);
  step.more = step.more || !expired_.empty();
  return status;
}

// A failure is no failure to write: the next step tries again.
void StoreWriter::ShrinkSlowly() {
  if (now_ms_ < next_shrinking_ms_) return;
  next_shrinking_ms_ = now_ms_ + kStepMs;
  if (database_->ReusableBytes().value_or(0) > kSpareBytes) database_->Shrink().IgnoreError();
}

void StoreWriter::Shrink(Step& step) {
  const auto before = database_->ReusableBytes();
  if (!before.ok() || *before == 0) return;
  // As long as something is to be written the ballast is for that.
  const absl::Status shrunk = database_->Shrink();
  if (held_.empty() && MakesRoom(shrunk, Need::kToFree)) database_->Shrink().IgnoreError();
  const auto after = database_->ReusableBytes();
  step.more = step.more || (after.ok() && *after < *before);
}

}  // namespace grove::tasks
