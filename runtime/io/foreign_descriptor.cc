#include "runtime/io/foreign_descriptor.h"

#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"

namespace grove {

absl::StatusOr<ForeignDescriptor> ForeignDescriptor::Register(int fd) {
  if (fd < 0) return absl::InvalidArgumentError("a library gave no descriptor to wait for");
  DescriptorTable& table = Hub::CurrentOrDie().descriptors();
  if (table.Registration(fd) != 0) {
    return absl::AlreadyExistsError(
        absl::StrFormat("descriptor %d is registered with this hub already", fd));
  }
  if (absl::Status added = table.RegisterAny(fd); !added.ok()) return added;
  return ForeignDescriptor(fd);
}

ForeignDescriptor& ForeignDescriptor::operator=(ForeignDescriptor&& other) noexcept {
  if (this != &other) {
    Unregister();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void ForeignDescriptor::Unregister() {
  const int fd = std::exchange(fd_, -1);
  if (fd >= 0 && Hub::Current() != nullptr) Hub::Current()->descriptors().Unregister(fd);
}

absl::Status ForeignDescriptor::Await(Direction direction) {
  DescriptorTable& table = Hub::CurrentOrDie().descriptors();
  const absl::StatusOr<bool> ready = table.Look(fd_, direction);
  if (!ready.ok()) return ready.status();
  if (*ready) return absl::OkStatus();
  return table.Await(fd_, direction,
                     direction == Direction::kRead ? WaitFor::Kind::kRead : WaitFor::Kind::kWrite);
}

}  // namespace grove
