#include "client/cli/backdoor_talk.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <set>
#include <utility>

#include "client/cli/text.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::client::cli {
namespace {

constexpr std::string_view kPrompt = "> ";
constexpr std::string_view kGoesOn = ">> ";
constexpr std::string_view kError = "error: ";

absl::Duration Monotonic() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

int PollMs(absl::Duration left) {
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(left) + 1, 0, 60 * 60 * 1000));
}

}  // namespace

BackdoorResult SplitError(std::string_view answer) {
  size_t at = answer.rfind("\nerror: ");
  at = at != answer.npos ? at + 1 : answer.starts_with(kError) ? 0 : answer.npos;
  BackdoorResult result{std::string(answer.substr(0, at)), ""};
  if (at == answer.npos) return result;
  result.error = answer.substr(at + kError.size());
  if (!result.error.empty() && result.error.back() == '\n') result.error.pop_back();
  return result;
}

std::string AbandonLine(std::string_view statement) {
  std::set<size_t> levels;
  for (size_t i = 0; i < statement.size(); ++i) {
    if (statement[i] != '[') continue;
    size_t end = i + 1;
    while (end < statement.size() && statement[end] == '=') ++end;
    if (end < statement.size() && statement[end] == '[') levels.insert(end - i - 1);
  }
  std::string line;
  for (const size_t level : levels) line += "]" + std::string(level, '=') + "]";
  return line + " = =";
}

BackdoorTalk::BackdoorTalk(BackdoorSession& session)
    : session_(session), news_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { Receive(); });
}

BackdoorTalk::~BackdoorTalk() {
  session_.Cancel();
  thread_.join();
  close(news_fd_);
}

void BackdoorTalk::Receive() {
  for (bool over = false; !over;) {
    auto text = session_.Receive();
    over = !text.ok() || !*text;
    {
      const absl::MutexLock lock(&mutex_);
      over_ = over;
      if (!text.ok()) why_ = text.status();
      if (!over) received_ += **text;
    }
    eventfd_write(news_fd_, 1);
  }
}

void BackdoorTalk::Collect() {
  eventfd_t count = 0;
  eventfd_read(news_fd_, &count);
  const absl::MutexLock lock(&mutex_);
  text_ += received_;
  received_.clear();
  ended_ = over_;
  end_status_ = why_;
}

// False: it is not whole yet.
bool BackdoorTalk::TakeAnswer(BackdoorAnswer& answer) {
  answer = {};
  const bool whole = text_ == kPrompt || text_.ends_with("\n> ");
  answer.incomplete = text_ == kGoesOn;
  answer.ended = ended_;
  if (!whole && !answer.incomplete && !ended_) return false;
  if (whole) text_.resize(text_.size() - kPrompt.size());
  if (answer.incomplete) text_.clear();
  answer.text = std::exchange(text_, "");
  return true;
}

void BackdoorTalk::Skip(const BackdoorAnswer& answer) {
  const std::string statement = std::exchange(statement_, "");
  // A statement that nobody wants any more would take the next line for its own.
  if (answer.incomplete && !statement.empty()) {
    session_.Send(AbandonLine(statement) + "\n");
    return;
  }
  skips_ = false;
  if (!pending_) return;
  SendNow(*pending_);
  pending_.reset();
}

absl::StatusOr<BackdoorAnswer> BackdoorTalk::Next(absl::Duration timeout, int interrupt_fd) {
  const absl::Duration end = Monotonic() + timeout;
  while (true) {
    Collect();
    BackdoorAnswer answer;
    if (TakeAnswer(answer)) {
      if (answer.ended && !end_status_.ok()) return end_status_;
      if (!skips_ || answer.ended) {
        incomplete_ = answer.incomplete;
        if (!incomplete_) statement_.clear();
        return answer;
      }
      Skip(answer);
      continue;
    }
    pollfd fds[2] = {{news_fd_, POLLIN, 0}, {interrupt_fd, POLLIN, 0}};
    const int ready = poll(fds, 2, PollMs(end - Monotonic()));
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
    if (ready > 0 && fds[1].revents != 0) return absl::CancelledError("interrupted");
    if (ready == 0 && Monotonic() >= end) {
      return absl::DeadlineExceededError(
          StrCat("the worker did not answer within ", DurationText(timeout)));
    }
  }
}

void BackdoorTalk::SendNow(const std::string& line) {
  StrAppend(&statement_, line, "\n");
  session_.Send(line + "\n");
}

void BackdoorTalk::Send(const std::string& line) {
  if (skips_) {
    pending_ = line;
  } else {
    SendNow(line);
  }
}

void BackdoorTalk::Abandon() {
  // What was not sent needs no answer.
  if (std::exchange(pending_, std::nullopt)) return;
  skips_ = true;
  if (std::exchange(incomplete_, false)) {
    session_.Send(AbandonLine(std::exchange(statement_, "")) + "\n");
  }
}

bool BackdoorTalk::Poll() {
  Collect();
  BackdoorAnswer answer;
  while (skips_ && !ended_ && TakeAnswer(answer)) Skip(answer);
  return ended_;
}

void BackdoorTalk::Close(absl::Duration timeout) {
  session_.CloseInput();
  const absl::Duration end = Monotonic() + timeout;
  while (!Poll() && Monotonic() < end) {
    pollfd news = {news_fd_, POLLIN, 0};
    poll(&news, 1, PollMs(end - Monotonic()));
  }
}

}  // namespace grove::client::cli
