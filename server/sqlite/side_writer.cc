#include "server/sqlite/side_writer.h"

#include <utility>

namespace grove::sqlite {

SideWriter::~SideWriter() {
  End(Ending::kDrop);
}

absl::Status SideWriter::Guard(const std::string& path) {
  auto place = PlaceOfFile::Of(path);
  if (!place.ok()) return place.status();
  place_ = *std::move(place);
  return absl::OkStatus();
}

void SideWriter::Write(Apply apply, Done done) {
  const absl::MutexLock lock(&mutex_);
  pending_.push_back({std::move(apply), std::move(done)});
  if (!thread_.joinable()) thread_ = std::thread(&SideWriter::RunThread, this);
}

void SideWriter::Stop() {
  End(Ending::kFlush);
}

void SideWriter::End(Ending ending) {
  {
    const absl::MutexLock lock(&mutex_);
    if (ending_ == Ending::kNone) ending_ = ending;
  }
  if (thread_.joinable()) thread_.join();
}

bool SideWriter::HasWork() const {
  return !pending_.empty() || ending_ != Ending::kNone;
}

std::deque<SideWriter::Pending> SideWriter::Take() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &SideWriter::HasWork));
  if (ending_ == Ending::kDrop) return {};
  std::deque<Pending> group;
  if (commits_ == Commits::kTogether || pending_.size() < 2) {
    group.swap(pending_);
  } else {
    group.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  return group;
}

void SideWriter::RunThread() {
  for (std::deque<Pending> group; !(group = Take()).empty();) {
    const absl::Status committed = Commit(group);
    for (Pending& each : group) each.done(committed);
  }
}

absl::Status SideWriter::Commit(std::deque<Pending>& group) const {
  if (absl::Status there = place_.Check(); !there.ok()) return there;
  absl::Status status = connection_.Execute("BEGIN IMMEDIATE");
  for (Pending& each : group) {
    if (status.ok()) status = each.apply();
  }
  if (status.ok()) status = connection_.Execute("COMMIT");
  // Some errors have rolled back by themselves; then there is nothing left to roll back.
  if (!status.ok() && connection_.InTransaction()) connection_.Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace grove::sqlite
