// SideWriter: the thread that writes a side file.
//
// Transactions go to disk in the order in which they came, each alone or all that have gathered at
// once. Starts its thread with the first: most daemons never see one. Any thread may write.
#ifndef GROVE_SERVER_SQLITE_SIDE_WRITER_H_
#define GROVE_SERVER_SQLITE_SIDE_WRITER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/sqlite/connection.h"
#include "server/sqlite/side_file.h"

namespace grove::sqlite {

class SideWriter {
 public:
  enum class Commits : uint8_t {
    kAlone,     // one that fails is the only one that does
    kTogether,  // one sync for all that have gathered
  };
  // Runs statements, within a transaction.
  using Apply = absl::AnyInvocable<absl::Status()>;
  // What came of it: it is on disk, or nothing of it.
  using Done = absl::AnyInvocable<void(const absl::Status&)>;

  // `connection` outlives it, and is the thread's from the first Write() on.
  SideWriter(const Connection& connection, Commits commits)
      : connection_(connection), commits_(commits) {}
  // Without Stop() drops what is pending, as a crash would.
  ~SideWriter();
  SideWriter(const SideWriter&) = delete;
  SideWriter& operator=(const SideWriter&) = delete;

  // The file that `connection` has open: nothing is written once it lost its name.
  absl::Status Guard(const std::string& path);
  // Both are called on the thread.
  void Write(Apply apply, Done done);
  // Returns once all is written. Blocks.
  void Stop();

 private:
  struct Pending {
    Apply apply;
    Done done;
  };
  enum class Ending : uint8_t { kNone, kFlush, kDrop };

  void RunThread();
  // What is next; empty: it is over.
  std::deque<Pending> Take();
  absl::Status Commit(std::deque<Pending>& group) const;
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Ending ending);

  const Connection& connection_;
  const Commits commits_;
  PlaceOfFile place_;
  std::thread thread_;
  absl::Mutex mutex_;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);
  Ending ending_ ABSL_GUARDED_BY(mutex_) = Ending::kNone;
};

}  // namespace grove::sqlite

#endif  // GROVE_SERVER_SQLITE_SIDE_WRITER_H_
