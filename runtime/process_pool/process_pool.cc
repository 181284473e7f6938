#include "runtime/process_pool/process_pool.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/subprocess.h"
#include "runtime/process_pool/process_wire.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "runtime/sync/event.h"
#include "runtime/sync/result_event.h"
#include "runtime/sync/semaphore.h"

namespace grove {
namespace {

double Seconds(MonotonicNanos nanos) {
  return static_cast<double>(nanos) / 1e9;
}

// 0 if it has ended.
size_t ResidentBytes(pid_t pid) {
  const std::string path = absl::StrFormat("/proc/%d/statm", pid);
  FILE* const file = fopen(path.c_str(), "re");
  if (file == nullptr) return 0;
  size_t total = 0;
  size_t resident = 0;
  const bool read = fscanf(file, "%zu %zu", &total, &resident) == 2;
  fclose(file);
  return read ? resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

// "was ended by SIGSEGV (Segmentation fault)", "ended with exit code 3".
std::string EndText(const ExitStatus& end) {
  if (end.signal == 0) return absl::StrFormat("ended with exit code %d", end.code);
  const char* const name = sigabbrev_np(end.signal);
  return absl::StrFormat("was ended by SIG%s (%s)", name == nullptr ? "?" : name,
                         strsignal(end.signal));
}

}  // namespace

struct ProcessPool::PendingCall {
  enum class Stage { kQueued, kRunning, kEnded };

  std::string function;
  std::string request;
  MonotonicNanos queued_at;
  Stage stage = Stage::kQueued;
  bool kill = false;     // its fiber has left, and on_interrupt says so
  Slot* slot = nullptr;  // while it runs
  ResultEvent<std::string> result;
};

struct ProcessPool::State {
  explicit State(ProcessPoolOptions from) : options(std::move(from)) {}

  absl::Status Failure(absl::StatusCode code, std::string_view what) const {
    return absl::Status(code, StrCat("process pool \"", options.name, "\": ", what));
  }
  absl::Status Stopped() const { return Failure(absl::StatusCode::kUnavailable, "it has stopped"); }
  // A call that waits is answered without having run.
  void DropQueued() {
    for (const std::shared_ptr<PendingCall>& call : std::exchange(queue, {})) {
      call->stage = PendingCall::Stage::kEnded;
      ++stats.dropped;
      call->result.Send(Stopped()).IgnoreError();
    }
  }

  const ProcessPoolOptions options;
  std::deque<std::shared_ptr<PendingCall>> queue;
  // A permit for each queued call; more, if a call left the queue, or to wake the slots at the end.
  Semaphore available{0};
  bool stopping = false;
  Event stopped;           // set with `stopping`: ends pauses
  ProcessPoolStats stats;  // but for queued
};

// One process, its predecessors and successors, and the fiber that feeds them.
class ProcessPool::Slot {
 public:
  explicit Slot(State& state) : state_(state), backoff_(state.options.restart) {}

  // Until the pool stops and its queue is empty, or this fiber is cancelled.
  void Run() {
    while (Pause().ok() && state_.available.Acquire().ok()) {
      if (!state_.queue.empty()) {
        std::shared_ptr<PendingCall> call = std::move(state_.queue.front());
        state_.queue.pop_front();
        Serve(*call);
      } else if (state_.stopping) {
        break;
      }
    }
    EndProcess();
  }
  void Kill() {
    if (process_.has_value()) process_->Signal(SIGKILL).IgnoreError();
  }

 private:
  using Stage = PendingCall::Stage;

  // After processes that ended without a reply.
  absl::Status Pause() {
    if (failures_ < 2) return absl::OkStatus();
    return WithSilentTimeout(backoff_.Next(), [this] { return state_.stopped.Wait(); });
  }
  void Serve(PendingCall& call);
  absl::Status StartProcess();
  // Whether it has ended while it had nothing to do.
  bool HasEndedIdle() const {
    char byte;
    return recv(channel_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
  }
  // An error of the function's is a reply; the status is whether there is one.
  absl::Status Exchange(const PendingCall& call, absl::StatusOr<std::string>& reply);
  // Of a call that got none, for `why`; the process is gone afterwards.
  absl::Status NoReply(const PendingCall& call, const absl::Status& why);
  void RecycleIfWorn();
  // By the end of its socket; by SIGKILL after `end_grace`, or at once if this fiber is cancelled.
  std::optional<ExitStatus> EndProcess();

  State& state_;
  std::optional<Subprocess> process_;
  Socket channel_;
  uint64_t calls_ = 0;  // of this process
  int failures_ = 0;    // processes in a row that ended without a reply
  Backoff backoff_;
};

void ProcessPool::Slot::Serve(PendingCall& call) {
  Hub& hub = *Hub::Current();
  const MonotonicNanos began = hub.ReadClock();
  state_.stats.queue_seconds += Seconds(began - call.queued_at);
  call.stage = Stage::kRunning;
  call.slot = this;
  ++state_.stats.busy;
  absl::StatusOr<std::string> reply = std::string();
  absl::Status status;
  if (process_.has_value() && HasEndedIdle()) EndProcess();
  if (!process_.has_value()) status = StartProcess();
  if (status.ok()) {
    {
      Timeout limit(state_.options.call_time_max);
      status = Exchange(call, reply);
    }
    if (!status.ok()) status = NoReply(call, status);
  }
  state_.stats.run_seconds += Seconds(hub.ReadClock() - began);
  --state_.stats.busy;
  call.slot = nullptr;
  call.stage = Stage::kEnded;
  if (!status.ok()) {
    call.result.Send(status).IgnoreError();
    return;
  }
  failures_ = 0;
  backoff_.Reset();
  ++calls_;
  ++state_.stats.completed;
  call.result.Send(std::move(reply)).IgnoreError();
  RecycleIfWorn();
}

absl::Status ProcessPool::Slot::StartProcess() {
  int ends[2];
  absl::Status failed;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    failed = ErrnoStatus(errno, "socketpair");
  } else {
    constexpr auto kInherit = SubprocessOptions::Stream::kInherit;
    absl::StatusOr<Socket> channel = Socket::Adopt(ends[0]);
    absl::StatusOr<Subprocess> started =
        Subprocess::Start(state_.options.command, {.out = kInherit,
                                                   .err = kInherit,
                                                   .descriptors = {ends[1]},
                                                   .environment = state_.options.environment});
    close(ends[1]);
    failed = channel.ok() ? started.status() : channel.status();
    if (failed.ok()) {
      process_.emplace(*std::move(started));
      channel_ = *std::move(channel);
      calls_ = 0;
      ++state_.stats.started;
      ++state_.stats.processes;
      return absl::OkStatus();
    }
  }
  ++state_.stats.start_failures;
  failures_ += 2;  // the next pauses already: it will hardly do better at once
  return state_.Failure(absl::StatusCode::kUnavailable, Std(failed.message()));
}

absl::Status ProcessPool::Slot::Exchange(const PendingCall& call,
                                         absl::StatusOr<std::string>& reply) {
  ProcessRequestHead head{static_cast<uint32_t>(call.function.size()),
                          static_cast<uint32_t>(call.request.size())};
  iovec parts[3] = {{&head, sizeof(head)},
                    {const_cast<char*>(call.function.data()), call.function.size()},
                    {const_cast<char*>(call.request.data()), call.request.size()}};
  if (absl::Status sent = channel_.Writev(parts); !sent.ok()) return sent;
  ProcessReplyHead reply_head;
  char* const head_bytes = reinterpret_cast<char*>(&reply_head);
  absl::Status got = channel_.ReadFull({head_bytes, sizeof(reply_head)});
  if (!got.ok()) return got;
  if (reply_head.reply_bytes > state_.options.message_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the reply of \"%s\" has %d bytes, more than message_bytes_max (%d)",
                        call.function, reply_head.reply_bytes, state_.options.message_bytes_max));
  }
  std::string bytes(reply_head.reply_bytes, '\0');
  if (got = channel_.ReadFull(bytes); !got.ok()) return got;
  const auto code = static_cast<absl::StatusCode>(reply_head.code);
  if (code == absl::StatusCode::kOk) {
    reply = std::move(bytes);
  } else {
    reply = absl::Status(code, bytes);
  }
  return absl::OkStatus();
}

absl::Status ProcessPool::Slot::NoReply(const PendingCall& call, const absl::Status& why) {
  using Code = absl::StatusCode;
  const pid_t pid = process_->pid();
  const bool overdue = absl::IsDeadlineExceeded(why);  // call_time_max: nothing else bounds it
  const bool too_long = absl::IsResourceExhausted(why);
  const bool cancelled = absl::IsCancelled(why);
  // Also one that is ending by itself, for what it has started: how it ends is settled by then.
  Kill();
  const std::optional<ExitStatus> end = EndProcess();
  if (cancelled) return state_.Stopped();
  if (call.kill) {
    ++state_.stats.killed;
    return why;  // nobody hears it
  }
  if (overdue) {
    ++state_.stats.timed_out;
    return state_.Failure(
        Code::kDeadlineExceeded,
        absl::StrFormat("\"%s\" ran for longer than %s: process %d was killed", call.function,
                        absl::FormatDuration(state_.options.call_time_max), pid));
  }
  ++failures_;
  ++state_.stats.crashed;
  if (too_long) return state_.Failure(Code::kResourceExhausted, Std(why.message()));
  return state_.Failure(Code::kInternal,
                        absl::StrFormat("process %d %s in \"%s\"", pid,
                                        end.has_value() ? EndText(*end) : "ended", call.function));
}

void ProcessPool::Slot::RecycleIfWorn() {
  const ProcessPoolOptions& options = state_.options;
  const bool many = options.calls_max != 0 && calls_ >= options.calls_max;
  const bool large =
      options.rss_bytes_max != 0 && ResidentBytes(process_->pid()) > options.rss_bytes_max;
  if (!many && !large) return;
  ++state_.stats.recycled;
  EndProcess();
}

std::optional<ExitStatus> ProcessPool::Slot::EndProcess() {
  if (!process_.has_value()) return std::nullopt;
  channel_.Close();
  absl::StatusOr<ExitStatus> end = ExitStatus();
  {
    Timeout grace(state_.options.end_grace);
    end = process_->Wait();
  }
  if (!end.ok()) {
    Kill();
    end = process_->Wait();
  }
  // If this fiber is cancelled it was not waited for: the destructor does.
  process_.reset();
  --state_.stats.processes;
  return end.ok() ? std::optional<ExitStatus>(*end) : std::nullopt;
}

// --- The pool -----------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<ProcessPool>> ProcessPool::Create(ProcessPoolOptions options) {
  const auto refuse = [&options](std::string_view what) {
    return absl::InvalidArgumentError(StrCat("process pool \"", options.name, "\": ", what));
  };
  if (options.command.empty()) return refuse("command is empty");
  if (options.processes < 1) return refuse("processes must be 1 at least");
  if (options.message_bytes_max > UINT32_MAX) return refuse("message_bytes_max is 4 GiB at most");
  std::unique_ptr<ProcessPool> pool(new ProcessPool(std::make_shared<State>(std::move(options))));
  for (int i = 0; i < pool->state_->options.processes; ++i) {
    absl::StatusOr<FiberHandle> fiber =
        Spawn(SpawnOptions{.name = "process slot"}, [state = pool->state_] { Slot(*state).Run(); });
    if (!fiber.ok()) return fiber.status();  // the pool cancels those there are
    pool->fibers_.push_back(*std::move(fiber));
  }
  return pool;
}

ProcessPool::ProcessPool(std::shared_ptr<State> state) : state_(std::move(state)) {}

ProcessPool::~ProcessPool() {
  Abort();
}

void ProcessPool::Abort() {
  state_->stopping = true;
  state_->DropQueued();
  for (FiberHandle& fiber : fibers_) fiber.Cancel();
}

absl::StatusOr<std::string> ProcessPool::Call(std::string_view function, std::string request) {
  const std::shared_ptr<State> state = state_;  // the pool may die meanwhile
  if (state->stopping) return state->Stopped();
  if (request.size() > state->options.message_bytes_max || function.size() > 1024) {
    return state->Failure(absl::StatusCode::kInvalidArgument,
                          StrCat("a request of ", request.size(), " bytes is too long"));
  }
  if (state->queue.size() >= state->options.queue_max) {
    ++state->stats.rejected;
    return state->Failure(absl::StatusCode::kResourceExhausted,
                          "too many calls wait for a process");
  }
  auto call = std::make_shared<PendingCall>();
  call->function = function;
  call->request = std::move(request);
  call->queued_at = Hub::CurrentOrDie().ReadClock();
  state->queue.push_back(call);
  state->available.Release();
  bool waited = false;
  absl::StatusOr<std::string> result = call->result.Wait(&waited);
  if (waited || call->stage == PendingCall::Stage::kEnded) return result;
  if (call->stage == PendingCall::Stage::kQueued) {
    state->queue.erase(std::find(state->queue.begin(), state->queue.end(), call));
    ++state->stats.dropped;
  } else if (state->options.on_interrupt == ProcessPoolOptions::OnInterrupt::kKill) {
    call->kill = true;
    call->slot->Kill();
  } else {
    ++state->stats.abandoned;
  }
  return result;
}

absl::Status ProcessPool::Stop() {
  state_->stopping = true;
  state_->stopped.Set();
  for (size_t i = 0; i < fibers_.size(); ++i) state_->available.Release();
  absl::Status status;
  for (FiberHandle& fiber : fibers_) {
    if (status.ok()) status = fiber.Join();
  }
  if (!status.ok()) Abort();
  for (FiberHandle& fiber : fibers_) fiber.AwaitEnd();
  fibers_.clear();
  return status;
}

ProcessPoolStats ProcessPool::stats() const {
  ProcessPoolStats stats = state_->stats;
  stats.queued = state_->queue.size();
  return stats;
}

}  // namespace grove
