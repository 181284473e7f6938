#include "server/control/fake_worker.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "proto/well_known_times.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"
#include "server/link/frame.h"

namespace grove::control {
namespace {

using internal::v1::AttemptEnded;

int Listen(const std::string& path) {
  absl::StatusOr<int> fd = BindListener(*SocketAddress::Parse("unix:" + path));
  EXPECT_TRUE(fd.ok()) << fd.status();
  return fd.value_or(-1);
}

internal::v1::WorkerFrame Hello(int worker) {
  internal::v1::WorkerFrame frame;
  internal::v1::Hello& hello = *frame.mutable_hello();
  hello.set_worker(worker);
  hello.set_pid(getpid());
  hello.set_incarnation(static_cast<uint64_t>(absl::GetCurrentTimeNanos()));
  hello.set_capacity(100'000);
  for (const char* name : {"echo", "fail", "hang"}) {
    internal::v1::FunctionDescription& function = *hello.add_functions();
    function.set_name(name);
    function.set_description("for tests");
  }
  return frame;
}

AttemptEnded Ended(uint64_t attempt, AttemptEnded::Outcome outcome) {
  AttemptEnded ended;
  ended.set_attempt(attempt);
  ended.set_outcome(outcome);
  ended.set_start_time_us(absl::GetCurrentTimeNanos() / 1000);
  ended.set_end_time_us(ended.start_time_us());
  return ended;
}

}  // namespace

FakeWorker::FakeWorker(int worker, const std::string& path)
    : worker_(worker), listen_fd_(Listen(path)) {
  hub_ = *Hub::Create({.stack_bytes = 256 * 1024});
  thread_ = std::thread([this] {
    RunOn(*hub_, [this] {
      serving_ = *Spawn("serve", [this] { Serve(); });
      serving_.Join().IgnoreError();
      serving_ = FiberHandle();
    });
  });
}

FakeWorker::~FakeWorker() {
  hub_->Post([this] {
    if (serving_) serving_.Cancel();
  });
  thread_.join();
}

void FakeWorker::Serve() {
  absl::StatusOr<Listener> listener = Listener::Adopt(listen_fd_);
  ASSERT_TRUE(listener.ok()) << listener.status();
  for (;;) {
    absl::StatusOr<Socket> socket = listener->Accept();
    if (!socket.ok()) return;
    Answer(*socket);
    if (Hub::Current()->running()->cancelled()) return;
  }
}

void FakeWorker::Answer(Socket& socket) {
  if (!link::WriteFrame(socket, Hello(worker_).SerializeAsString()).ok()) return;
  for (;;) {
    absl::StatusOr<std::string> bytes = link::ReadFrame(socket);
    if (!bytes.ok()) return;
    internal::v1::ControlFrame control;
    ASSERT_TRUE(control.ParseFromString(*bytes));
    internal::v1::WorkerFrame frame;
    for (const auto& start : control.start()) Start(start, frame);
    for (const auto& cancel : control.cancel()) Cancel(cancel.attempt(), frame);
    for (const auto& request : control.list_fibers()) ListFibers(request, frame);
    if (!link::WriteFrame(socket, frame.SerializeAsString()).ok()) return;
  }
}

void FakeWorker::Start(const internal::v1::StartAttempt& start, internal::v1::WorkerFrame& frame) {
  ++started_;
  internal::v1::AttemptStarted& started = *frame.add_started();
  started.set_attempt(start.attempt());
  started.set_fiber(17);
  if (start.function() == "hang") {
    hanging_.insert(start.attempt());
  } else if (start.function() == "fail") {
    AttemptEnded ended = Ended(start.attempt(), AttemptEnded::OUTCOME_FAILED);
    ended.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
    ended.mutable_error()->set_message("as asked");
    *frame.add_ended() = ended;
  } else {
    AttemptEnded ended = Ended(start.attempt(), AttemptEnded::OUTCOME_SUCCEEDED);
    ended.set_output(start.input());
    ended.set_output_content_type(start.content_type());
    *frame.add_ended() = ended;
  }
}

void FakeWorker::Cancel(uint64_t attempt, internal::v1::WorkerFrame& frame) {
  if (hanging_.erase(attempt) == 0) return;
  ++cancelled_;
  *frame.add_ended() = Ended(attempt, AttemptEnded::OUTCOME_CANCELLED);
}

void FakeWorker::ListFibers(const internal::v1::ListFibers& request,
                            internal::v1::WorkerFrame& frame) {
  fibers_asked_for_ = request.limit();
  if (silent_) return;
  constexpr uint64_t kFibers = 5;
  internal::v1::ListFibersReply& reply = *frame.add_fibers();
  reply.set_request(request.request());
  for (uint64_t id = request.after() + 1; id <= kFibers; ++id) {
    if (reply.fibers_size() == request.limit()) {
      reply.set_more(true);
      break;
    }
    auto& fiber = *reply.add_fibers();
    fiber.set_name(absl::StrCat("workers/", worker_, "/fibers/", id));
    fiber.set_display_name(absl::StrCat("fiber-", id));
    fiber.set_state(v1::Fiber::STATE_PARKED);
    proto::SetMicros(1'500'000, fiber.mutable_age());
    if (!request.stacks()) continue;
    fiber.add_stack("grove::Event::Wait()+0x5e");
    fiber.set_stack_used_bytes(8192);
    fiber.set_stack_bytes(65536);
  }
}

}  // namespace grove::control
