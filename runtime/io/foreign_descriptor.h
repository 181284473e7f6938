// ForeignDescriptor: a descriptor that another library owns, waited for from fibers.
//
// For libraries with a descriptor to wait for and calls that do not block: libpq's socket, a D-Bus
// connection, an epoll(7) set or eventfd(2) of a foreign event loop. The waits look with poll(2)
// first, so that a library that leaves bytes unread is called again, and one that has been told of
// an edge before it waited loses nothing. Never touches the descriptor's flags, reads nothing, and
// never closes it. It must die before the library closes the descriptor: its number may be
// another's right after. After each step of the library ask it again which descriptor it waits for,
// and for which direction: both may change. Hub thread only.
#ifndef GROVE_RUNTIME_IO_FOREIGN_DESCRIPTOR_H_
#define GROVE_RUNTIME_IO_FOREIGN_DESCRIPTOR_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/poller.h"

namespace grove {

class ForeignDescriptor {
 public:
  ForeignDescriptor() = default;
  // Regular files are always ready. kAlreadyExists: this hub has it already, from a Socket or
  // another ForeignDescriptor.
  static absl::StatusOr<ForeignDescriptor> Register(int fd);
  ForeignDescriptor(ForeignDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ForeignDescriptor& operator=(ForeignDescriptor&& other) noexcept;
  ~ForeignDescriptor() { Unregister(); }

  // Until it may be read or written; level-triggered. kAborted: Unregister() came, or its owner has
  // closed it. kFailedPrecondition: another fiber waits for that direction; the text names both.
  // For both directions at once, or a time as well: a Selector of SelectReadable(fd()) and
  // SelectWritable(fd()). **Parks.**
  absl::Status AwaitReadable() { return Await(Direction::kRead); }
  absl::Status AwaitWritable() { return Await(Direction::kWrite); }
  // Wakes whoever waits. No effect if it came before.
  void Unregister();

  // -1: unregistered.
  int fd() const { return fd_; }

 private:
  explicit ForeignDescriptor(int fd) : fd_(fd) {}
  absl::Status Await(Direction direction);

  int fd_ = -1;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_FOREIGN_DESCRIPTOR_H_
