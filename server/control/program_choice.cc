#include "server/control/program_choice.h"

#include <utility>

namespace grove::control {

void ProgramChoice::Linked(int32_t worker, internal::v1::Program program, MonotonicNanos now) {
  if (program.started_ns() == 0) {
    linked_.erase(worker);
  } else {
    linked_[worker] = std::make_shared<const internal::v1::Program>(std::move(program));
  }
  NoteAbsence(now);
}

void ProgramChoice::Unlinked(int32_t worker, MonotonicNanos now) {
  linked_.erase(worker);
  NoteAbsence(now);
}

ProgramChoice::ProgramPtr ProgramChoice::Newest() const {
  ProgramPtr newest;
  for (const auto& [worker, program] : linked_) {
    if (newest == nullptr || program->started_ns() > newest->started_ns()) newest = program;
  }
  return newest;
}

bool ProgramChoice::HasNewer() const {
  const ProgramPtr newest = Newest();
  return newest != nullptr && (chosen_ == nullptr || newest->started_ns() >= chosen_->started_ns());
}

void ProgramChoice::NoteAbsence(MonotonicNanos now) {
  // With no worker at all nobody speaks: what was said last counts for as long as that lasts.
  if (linked_.empty() || HasNewer()) {
    only_older_since_ = kNever;
  } else if (only_older_since_ == kNever) {
    only_older_since_ = now;
  }
}

ProgramChoice::ProgramPtr ProgramChoice::Choose(MonotonicNanos now) {
  if (HasNewer() || now >= next_change()) {
    chosen_ = Newest();
    only_older_since_ = kNever;
  }
  return chosen_;
}

MonotonicNanos ProgramChoice::next_change() const {
  if (only_older_since_ == kNever) return kNever;
  return DeadlineAfter(only_older_since_, kOlderProgramAfter);
}

}  // namespace grove::control
