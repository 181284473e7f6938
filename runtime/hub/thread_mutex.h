// ThreadMutex: a std::mutex for state that a hub's thread shares with others, and which no fiber
// may hold while it parks.
//
// A fiber that parked with a thread's lock held would leave it locked for as long as others run,
// and the first of them to take it would block the thread for good. A hub counts the ThreadMutexes
// that its thread holds, and a park then is a failed CHECK that names the fiber. Between fibers of
// one hub there is Mutex, which may be held across parks. Any thread.
#ifndef GROVE_RUNTIME_HUB_THREAD_MUTEX_H_
#define GROVE_RUNTIME_HUB_THREAD_MUTEX_H_

#include <mutex>

namespace grove {

class Hub;

// Lockable, so for std::lock_guard, std::unique_lock and std::scoped_lock.
class ThreadMutex {
 public:
  ThreadMutex() = default;
  ThreadMutex(const ThreadMutex&) = delete;
  ThreadMutex& operator=(const ThreadMutex&) = delete;

  // Blocks the thread, and the hub that it runs: hold it for a few instructions only.
  void lock();
  bool try_lock();
  void unlock();

  // The same lock uncounted, for threads that wait on a std::condition_variable and run no hub.
  std::mutex& native() { return mutex_; }

 private:
  void Count();

  std::mutex mutex_;
  Hub* counted_by_ = nullptr;  // guarded by mutex_; null: its holder's thread runs no hub
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_THREAD_MUTEX_H_
