// ServiceNotice: what the daemon tells whoever runs it as a service (systemd, or what speaks the
// protocol of sd_notify(3)): how far it is, and that its supervisor's loop goes round.
//
// Told by the supervisor alone. The variables that name the manager leave the environment, so that
// no child speaks for the daemon; a program that this process goes on as gets them back. Without a
// manager nothing happens, and errors are nobody's reason to stop. Never blocks, reads no clock.
#ifndef GROVE_SERVER_SUPERVISOR_SERVICE_NOTICE_H_
#define GROVE_SERVER_SUPERVISOR_SERVICE_NOTICE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "runtime/hub/clock.h"

namespace grove::supervisor {

// While the daemon is on its way (it boots, reloads, stops), its own limits say when that has taken
// too long: the manager is asked for this much more time, this often, so that its time-outs, which
// know nothing of them, do not end it before.
inline constexpr absl::Duration kExtension = absl::Seconds(15);
inline constexpr absl::Duration kExtendEvery = absl::Seconds(5);

class ServiceNotice {
 public:
  // Of no manager.
  ServiceNotice() = default;
  // NOTIFY_SOCKET, and WATCHDOG_USEC if WATCHDOG_PID is this process or absent.
  static ServiceNotice TakeFromEnvironment();
  // As they were.
  void PutIntoEnvironment() const;

  // --- What happens; each with a line for `systemctl status`.
  void Serving(std::string_view status);
  // Until Serving(): the manager waits for it.
  void Reloading(std::string_view status, MonotonicNanos now);
  void Stopping(std::string_view status);
  // Nothing but the line.
  void Say(std::string_view status) const;

  // From time to time: keeps the watchdog quiet, and asks for more time on the way.
  void Pass(MonotonicNanos now);
  // When it has to be called next; kNever without a manager.
  MonotonicNanos due() const;

 private:
  void Send(std::string_view state) const;

  // Constant after TakeFromEnvironment().
  std::string socket_;
  std::vector<std::pair<std::string, std::string>> variables_;
  absl::Duration ping_every_ = absl::InfiniteDuration();

  bool on_its_way_ = true;
  MonotonicNanos ping_at_ = 0;
  MonotonicNanos extend_at_ = 0;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SERVICE_NOTICE_H_
