// SelectReadable, SelectWritable: cases of a Selector that are ready when a descriptor is.
//
// Each Wait() asks the kernel first, so that what was left unread, or not written, is seen again:
// levels, though the hub's poller tells edges. It is registered with the hub before: by a Socket, a
// Pipe, a StandardInput, or as a ForeignDescriptor. A regular file is always ready.
// Ready says that the kernel has something: of a TlsStream or a BufferedReader ask first what they
// have read ahead. A Listener is in the poller only while somebody accepts: let a fiber accept, and
// put the connections into a Queue.
//
//   SelectReadable bytes(socket.fd());
//   SelectEvent stop(stopped);
//   Selector selector({&bytes, &stop});
//   for (auto at = selector.Wait(); at.ok() && *at == 0 && bytes.status().ok();
//        at = selector.Wait()) …
//
// Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_SELECT_DESCRIPTOR_H_
#define GROVE_RUNTIME_SYNC_SELECT_DESCRIPTOR_H_

#include <cstdint>

#include "absl/status/status.h"
#include "runtime/hub/descriptor_table.h"
#include "runtime/sync/select.h"

namespace grove {

class SelectDescriptor : private SelectOwnLine,
                         private DescriptorTable::ReadyWatch,
                         public SelectCase {
 public:
  // After it was chosen. OK: a call will not block, unless another process or fiber is faster; it
  // may tell of an error or the end. kAborted: the descriptor was closed, whoever has its number
  // now, or never registered. kFailedPrecondition: another fiber waits for the same direction; the
  // text names both.
  const absl::Status& status() const { return status_; }

 protected:
  SelectDescriptor(int fd, Direction direction);

 private:
  bool Try() override;
  void Enter(Fiber& fiber) override;
  void Leave() override;
  void OnReady() override;
  void OnUnregistered() override;
  absl::Status Closed() const;

  const int fd_;
  const Direction direction_;
  const uint64_t registration_;
  absl::Status status_;
};

// Ready when bytes, the end of the stream or an error can be read.
class SelectReadable final : public SelectDescriptor {
 public:
  explicit SelectReadable(int fd) : SelectDescriptor(fd, Direction::kRead) {}
};

// Ready when there is room for bytes, or the other end is gone.
class SelectWritable final : public SelectDescriptor {
 public:
  explicit SelectWritable(int fd) : SelectDescriptor(fd, Direction::kWrite) {}
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_SELECT_DESCRIPTOR_H_
