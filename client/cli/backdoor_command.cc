#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/cli/command.h"
#include "client/cli/names.h"
#include "client/cli/text.h"
#include "runtime/switch/errno_status.h"

namespace grove::client::cli {
namespace {

constexpr size_t kReadBytes = 16 * 1024;

// A prompt's line is short; a longer one is sent in pieces.
constexpr size_t kLineBytesMax = 64 * 1024;

// How long a worker may take to answer what it was sent, once there is no more input, without
// --timeout.
constexpr absl::Duration kFinishTimeout = absl::Seconds(30);

// Prints what the session says on a thread of its own, and tells through a descriptor when it has
// ended.
class Printer {
 public:
  Printer(BackdoorSession& session, std::ostream& out)
      : session_(session), out_(out), ended_fd_(eventfd(0, EFD_CLOEXEC)) {}
  ~Printer() { close(ended_fd_); }
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;

  void Start() {
    thread_ = std::thread([this] {
      result_ = Run();
      const uint64_t one = 1;
      // An eventfd that nobody filled always takes a 1.
      if (write(ended_fd_, &one, sizeof(one)) < 0) std::abort();
    });
  }

  int ended_fd() const { return ended_fd_; }

  absl::Status Join() {
    thread_.join();
    return result_;
  }

 private:
  absl::Status Run() {
    while (true) {
      auto text = session_.Receive();
      if (!text.ok()) return text.status();
      if (!*text) return absl::OkStatus();
      out_ << **text << std::flush;
    }
  }

  BackdoorSession& session_;
  std::ostream& out_;
  const int ended_fd_;
  absl::Status result_;
  std::thread thread_;
};

// Whole lines of the input, until its end, "quit", or the session's end.
class Typist {
 public:
  Typist(BackdoorSession& session, int in_fd, int ended_fd)
      : session_(session), in_fd_(in_fd), ended_fd_(ended_fd) {}

  absl::Status Run() {
    while (true) {
      pollfd fds[2] = {{in_fd_, POLLIN, 0}, {ended_fd_, POLLIN, 0}};
      if (poll(fds, 2, -1) < 0) {
        if (errno == EINTR) continue;
        return ErrnoStatus(errno, "poll");
      }
      if (fds[1].revents != 0) return absl::OkStatus();
      char buffer[kReadBytes];
      const ssize_t count = read(in_fd_, buffer, sizeof(buffer));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return ErrnoStatus(errno, "read");
      if (count == 0) {
        if (!pending_.empty() && pending_ != "quit") session_.Send(pending_ + "\n");
        return absl::OkStatus();
      }
      pending_.append(buffer, static_cast<size_t>(count));
      if (!SendLines()) return absl::OkStatus();
    }
  }

 private:
  // False: nothing more is to be sent.
  bool SendLines() {
    size_t end = 0;
    while ((end = pending_.find('\n')) != std::string::npos) {
      const std::string line = pending_.substr(0, end + 1);
      pending_.erase(0, end + 1);
      if (line == "quit\n" || line == "quit\r\n") return false;
      if (!session_.Send(line)) return false;
    }
    if (pending_.size() < kLineBytesMax) return true;
    const bool sent = session_.Send(pending_);
    pending_.clear();
    return sent;
  }

  BackdoorSession& session_;
  const int in_fd_;
  const int ended_fd_;
  std::string pending_;
};

// Gives the worker `timeout` to answer what it was sent.
absl::Status Finish(BackdoorSession& session, Printer& printer, absl::Duration timeout) {
  session.CloseInput();
  pollfd ended = {printer.ended_fd(), POLLIN, 0};
  const int ready = poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  if (ready == 0) {
    session.Cancel();
    printer.Join().IgnoreError();
    return absl::DeadlineExceededError(
        absl::StrCat("the worker did not end the session within ", DurationText(timeout)));
  }
  return printer.Join();
}

}  // namespace

absl::Status RunBackdoor(Command& command) {
  const auto typed = command.arguments.Value("worker");
  if (!typed) return UsageError("--worker is required; grovectl workers lists them");
  auto worker = WorkerName(*typed);
  if (!worker.ok()) return worker.status();
  const auto session = command.client->OpenBackdoor(*worker);
  Printer printer(*session, command.shell.out);
  printer.Start();
  absl::Status input;
  if (const auto line = command.arguments.Value("command")) {
    session->Send(*line + "\n");
  } else {
    input = Typist(*session, command.shell.in_fd, printer.ended_fd()).Run();
  }
  const absl::Duration timeout =
      command.wait_timeout < absl::Hours(24) ? command.wait_timeout : kFinishTimeout;
  absl::Status result = Finish(*session, printer, timeout);
  return input.ok() ? result : input;
}

}  // namespace grove::client::cli
