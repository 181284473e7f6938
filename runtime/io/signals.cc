#include "runtime/io/signals.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/errno_status.h"

namespace grove {

absl::StatusOr<SignalSet> SignalSet::Create(std::span<const int> numbers) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : numbers) {
    if (number == SIGKILL || number == SIGSTOP || sigaddset(&wanted, number) != 0) {
      return absl::InvalidArgumentError(absl::StrCat("signal ", number, " can't be waited for"));
    }
  }
  if (numbers.empty()) return absl::InvalidArgumentError("an empty set of signals");
  const int fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "signalfd");
  absl::StatusOr<Socket> signals = Socket::Adopt(fd);
  if (!signals.ok()) return signals.status();
  sigset_t before;
  if (const int error = pthread_sigmask(SIG_BLOCK, &wanted, &before); error != 0) {
    return ErrnoStatus(error, "pthread_sigmask");
  }
  for (const int number : numbers) {
    if (sigismember(&before, number) == 1) sigdelset(&wanted, number);
  }
  return SignalSet(*std::move(signals), wanted);
}

SignalSet::~SignalSet() {
  if (!signals_.open()) return;  // moved from
  signals_.Close();
  pthread_sigmask(SIG_UNBLOCK, &added_, nullptr);
}

absl::StatusOr<SignalReceived> SignalSet::Await() {
  for (;;) {
    if (absl::Status ready = AwaitReadable(signals_.fd(), WaitFor::Kind::kSignal); !ready.ok())
      return ready;
    signalfd_siginfo info;
    const ssize_t got = read(signals_.fd(), &info, sizeof(info));
    if (got == sizeof(info)) {
      return SignalReceived{.number = static_cast<int>(info.ssi_signo),
                            .pid = static_cast<pid_t>(info.ssi_pid),
                            .uid = static_cast<uid_t>(info.ssi_uid)};
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) return ErrnoStatus(errno, "read of a signalfd");
    Hub::Current()->descriptors().NotReady(signals_.fd(), Direction::kRead);
  }
}

}  // namespace grove
