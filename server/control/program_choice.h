// ProgramChoice: whose code speaks for the daemon, of the programs that run in its workers.
//
// While an upgrade goes on there are two. The newer one's word counts from its first worker on, and
// an older one's not as long as there is a worker of a newer one, nor for a while after: a worker
// that dies in between must not have schedules go back and forth. An upgrade that went back is one
// whose newer program stays away. Pure: is told the time.
#ifndef GROVE_SERVER_CONTROL_PROGRAM_CHOICE_H_
#define GROVE_SERVER_CONTROL_PROGRAM_CHOICE_H_

#include <cstdint>
#include <map>
#include <memory>

#include "absl/time/time.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/hub/clock.h"

namespace grove::control {

// So long no worker of the newer program has been there before an older one speaks again: longer
// than a worker takes to be started anew, growing pauses included.
inline constexpr absl::Duration kOlderProgramAfter = absl::Seconds(60);

class ProgramChoice {
 public:
  using ProgramPtr = std::shared_ptr<const internal::v1::Program>;

  // One that has not said when it started has no say.
  void Linked(int32_t worker, internal::v1::Program program, MonotonicNanos now);
  void Unlinked(int32_t worker, MonotonicNanos now);

  // Null: none has come yet.
  ProgramPtr Choose(MonotonicNanos now);
  // When Choose() may say another without an event; kNever.
  MonotonicNanos next_change() const;

 private:
  // Of the linked ones; null: there is none.
  ProgramPtr Newest() const;
  bool HasNewer() const;
  void NoteAbsence(MonotonicNanos now);

  std::map<int32_t, ProgramPtr> linked_;
  ProgramPtr chosen_;
  // Since when only older ones are linked; kNever: that is not so.
  MonotonicNanos only_older_since_ = kNever;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_PROGRAM_CHOICE_H_
