// ConnectionGate: accepts the gRPC port's connections, as many as are allowed at once.
//
// gRPC has no such bound: it would take connections until control has no descriptor left for its
// store, its links and the admin port. So a thread of this module accepts, closes what is too much
// at once, hands the rest on, and sees by their descriptors which have ended.
// The numbers may be read on any thread; the rest belongs to the one that made it.
#ifndef GROVE_SERVER_CONTROL_CONNECTION_GATE_H_
#define GROVE_SERVER_CONTROL_CONNECTION_GATE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/io/socket_address.h"
#include "server/control/open_sockets.h"
#include "server/line_limit.h"

namespace grove::control {

inline constexpr absl::Duration kGateLineEvery = absl::Seconds(10);
// While connections are open: how old the count may be.
inline constexpr absl::Duration kGateCountEvery = absl::Seconds(1);
// While no place is free: a count costs a system call for each connection.
inline constexpr absl::Duration kGateCountWhenFullEvery = absl::Milliseconds(10);
// Without descriptors or memory, before another try.
inline constexpr absl::Duration kGateRetry = absl::Milliseconds(100);

class ConnectionGate {
 public:
  // Takes the connection over.
  using Take = std::function<void(int fd)>;

  // Binds. The code of the errno, with the address; INVALID_ARGUMENT: no address.
  static absl::StatusOr<std::unique_ptr<ConnectionGate>> Bind(const std::string& listen,
                                                              size_t connections_max);
  ~ConnectionGate() { Stop(); }
  ConnectionGate(const ConnectionGate&) = delete;
  ConnectionGate& operator=(const ConnectionGate&) = delete;

  // Starts the thread, on which `take` runs. Once.
  void Start(Take take);
  // Closes the listener. `take` does not run any more when it returns.
  void Stop();

  // With the port that the kernel chose, if it was asked to.
  std::string address() const { return address_.ToString(); }

  // Any thread.
  int64_t open() const { return open_.load(std::memory_order_relaxed); }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  ConnectionGate(int listener, int wake, size_t connections_max);
  void Run();
  // False: the end.
  bool AwaitConnection();
  void AcceptOne();
  void OnAcceptFailed(int error);
  bool HasPlace();
  void Count();
  // As long as that, or until the end; false then.
  bool Pause(absl::Duration duration);

  const int listener_;
  const int wake_;
  const size_t connections_max_;
  const SocketAddress address_;
  std::atomic<int64_t> open_{0};
  std::atomic<uint64_t> refused_{0};

  // Of the thread alone.
  Take take_;
  OpenSockets sockets_;
  int64_t counted_at_ns_ = 0;
  LineLimit refused_line_{kGateLineEvery};
  LineLimit failed_line_{kGateLineEvery};

  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CONNECTION_GATE_H_
