// OutsideReader: the fibers of another process's hubs, while that process stands still.
//
// It needs nothing of the other process but its memory: where hubs and fibers lie says its symbol
// grove_gdb_table (runtime/hub/gdb_table.h), how their stacks are to be walked and what their
// functions are called its ELF files. So it works for one that is stopped, loops or blocks. One
// that runs on meanwhile may show a fiber half changed, or not at all: it harms nothing.
// Any thread; calls wait for each other.
#ifndef GROVE_RUNTIME_WATCH_OUTSIDE_FIBERS_H_
#define GROVE_RUNTIME_WATCH_OUTSIDE_FIBERS_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/fiber_state.h"
#include "runtime/watch/code_image.h"
#include "runtime/watch/process_memory.h"

namespace grove {

// Texts are cut at ProcessMemory::kTextMax.
struct OutsideFiber {
  uint64_t id = 0;
  std::string name;
  std::string group;
  std::string spawn_site;
  std::string tenant;
  std::string task;
  FiberState state = FiberState::kParked;
  std::string waiting_for;  // as WaitForText()
  MonotonicNanos spawned_at = 0;
  uint64_t switches = 0;
  size_t stack_bytes = 0;
  // As FormatFrames(). Empty if it runs, or was not asked for.
  std::vector<std::string> stack;
};

struct OutsideFibers {
  std::vector<OutsideFiber> fibers;  // by id
  bool more = false;
};

class OutsideReader {
 public:
  enum class Stacks : uint8_t { kNo, kYes };

  // The `limit` smallest ids above `after`. Blocks: some microseconds a fiber, some milliseconds
  // for a program that was not read before. kNotFound: the process is gone; kPermissionDenied;
  // kFailedPrecondition: it is no program of this release.
  absl::StatusOr<OutsideFibers> Read(pid_t pid, uint64_t after, size_t limit, Stacks stacks);

 private:
  // Which file: device and inode.
  using FileId = std::pair<uint64_t, uint64_t>;
  // A part of a process that holds code.
  struct Mapping {
    uintptr_t start = 0;
    uintptr_t end = 0;
    uintptr_t base = 0;  // added to the image's addresses
    std::string file;    // its last part
    std::shared_ptr<const CodeImage> image;
  };
  class Tables;
  class Walk;

  absl::StatusOr<std::vector<Mapping>> MappingsOf(pid_t pid);
  std::shared_ptr<const CodeImage> ImageOf(const FileId& file, const std::string& path);

  // Of files that were read, a few programs and their libraries.
  static constexpr size_t kImagesMax = 64;

  std::mutex mutex_;
  std::map<FileId, std::shared_ptr<const CodeImage>> images_;  // guarded by mutex_
};

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_OUTSIDE_FIBERS_H_
