#include "runtime/sync/select_descriptor.h"

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {
namespace {

DescriptorTable& Table() {
  return Hub::CurrentOrDie().descriptors();
}

}  // namespace

SelectDescriptor::SelectDescriptor(int fd, Direction direction)
    : SelectCase(waiters_),
      fd_(fd),
      direction_(direction),
      registration_(Table().Registration(fd)) {}

absl::Status SelectDescriptor::Closed() const {
  return absl::AbortedError(
      registration_ == 0 ? absl::StrFormat("descriptor %d is not registered with this hub", fd_)
                         : absl::StrFormat("descriptor %d was closed", fd_));
}

bool SelectDescriptor::Try() {
  status_ = absl::OkStatus();
  if (registration_ == 0 || Table().Registration(fd_) != registration_) {
    status_ = Closed();
    return true;
  }
  const absl::StatusOr<bool> ready = Table().Look(fd_, direction_);
  if (!ready.ok()) status_ = ready.status();
  return !ready.ok() || *ready;
}

void SelectDescriptor::Enter(Fiber& fiber) {
  // Try() has just found the direction free: only a case of the same Selector can be in it now.
  const absl::Status watched = Table().WatchReady(fd_, direction_, *this, &fiber);
  GROVE_CHECK(watched.ok(),
              absl::StrFormat("a Selector has two cases for one direction of descriptor %d: %s",
                              fd_, watched.message()));
}

void SelectDescriptor::Leave() {
  // It may be registered anew meanwhile; then the watch is not there.
  Table().UnwatchReady(fd_, direction_, *this);
}

void SelectDescriptor::OnReady() {
  if (Waiter* const waiter = GrantAlternative(waiters_)) Hub::Current()->Unpark(*waiter->fiber);
}

void SelectDescriptor::OnUnregistered() {
  status_ = Closed();
  OnReady();
}

}  // namespace grove
