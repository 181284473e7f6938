#include "server/worker/control_link.h"

#include <unistd.h>

#include <random>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/arena.h"
#include "proto/well_known_times.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/io/serve.h"
#include "runtime/sync/queue.h"
#include "server/link/fiber_list.h"
#include "server/link/green_list.h"
#include "server/link/session.h"
#include "server/log.h"
#include "server/process/daemon_number.h"
#include "server/process/peer_credentials.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {
namespace {

// Longer ones name nobody.
constexpr size_t kTenantBytesMax = 255;

// Unique per process, also across restarts of the machine's pids: the daemon's number, and a random
// one.
uint64_t NewIncarnation() {
  std::random_device random;
  return static_cast<uint64_t>(process::DaemonNumber()) << 32 | static_cast<uint32_t>(random());
}

// Zero is left unset: the service's own default.
void FillRetry(const RetryDefaults& options, v1::RetryPolicy& retry) {
  retry.set_max_attempts(options.max_attempts);
  retry.set_backoff_multiplier(options.backoff_multiplier);
  if (options.initial_backoff > absl::ZeroDuration()) {
    proto::SetMicros(absl::ToInt64Microseconds(options.initial_backoff),
                     retry.mutable_initial_backoff());
  }
  if (options.max_backoff > absl::ZeroDuration()) {
    proto::SetMicros(absl::ToInt64Microseconds(options.max_backoff), retry.mutable_max_backoff());
  }
  if (options.jitter.has_value()) retry.set_jitter(*options.jitter);
}

void FillOptions(const FunctionOptions& options, internal::v1::FunctionDescription& function) {
  function.set_default_timeout_ms(absl::ToInt64Milliseconds(options.default_timeout));
  for (const absl::StatusCode code : options.not_retried) {
    function.add_not_retried(static_cast<int>(code));
  }
  FillRetry(options.retry, *function.mutable_retry());
  function.set_queue(options.queue);
  function.set_concurrency_max(options.concurrency_max);
  function.set_slot_cost(options.slot_cost);
  function.set_streams_input(options.streams_input);
  function.set_heartbeat_timeout_ms(absl::ToInt64Milliseconds(options.heartbeat_timeout));
  function.set_schedule_to_start_timeout_ms(
      absl::ToInt64Milliseconds(options.schedule_to_start_timeout));
}

}  // namespace

struct ControlLink::Conversation {
  link::Session session;
  using ListRequest = std::variant<internal::v1::ListFibers, internal::v1::ListGreenCalls,
                                   internal::v1::ReadValues>;
  Queue<ListRequest> list_requests{kFiberRequestsMax};
  std::vector<internal::v1::ListFibersReply> lists;
  std::vector<internal::v1::ListGreenCallsReply> green_lists;
  std::vector<internal::v1::ReadValuesReply> values;
  std::vector<internal::v1::InjectReply> injected;
  // Those that answer beside the conversation; null before it and after.
  FiberGroup* beside = nullptr;
  bool drain_told = false;
  // Of control's frames none has come yet.
  bool is_new = true;
};

ControlLink::ControlLink(int worker, const Attempts::Functions& functions, Attempts& attempts,
                         OffloadPool& offload, LinkedTaskClient& inside, http::TenantLabels& labels,
                         TenantQuotas& quotas)
    : worker_(worker),
      incarnation_(NewIncarnation()),
      functions_(functions),
      attempts_(attempts),
      offload_(offload),
      inside_(inside),
      labels_(labels),
      quotas_(quotas) {
  inside_.Attach(incarnation_, attempts_.news());
}

absl::Status ControlLink::Run(Listener& listener) {
  StreamServer server({.concurrency = kConversationsMax, .name = "link"});
  return server.Serve(listener, [this](Socket& socket) -> absl::Status {
    if (absl::Status peer = process::CheckPeer(socket); !peer.ok()) {
      Log(LogLevel::kWarning, "refused a connection to the link", {{"error", peer.message()}});
      return absl::OkStatus();
    }
    const absl::Status status = Serve(std::move(socket));
    if (!status.ok() && !absl::IsCancelled(status) && !absl::IsAborted(status)) {
      Log(LogLevel::kWarning, "the link to control broke", {{"error", status.message()}});
    }
    return absl::OkStatus();
  });
}

absl::Status ControlLink::Serve(Socket socket) {
  if (current_ != nullptr) {
    current_->session.End(absl::AbortedError("another control has connected"));
  }
  Conversation with{.session = link::Session(std::move(socket))};
  current_ = &with;
  inside_.LinkUp();
  absl::Status status = with.session.Write(Greeting().SerializeAsString());
  if (status.ok()) status = Converse(with);
  if (current_ == &with) {
    current_ = nullptr;
    inside_.LinkDown();
  }
  return absl::IsOutOfRange(status) ? absl::OkStatus() : status;
}

absl::Status ControlLink::Converse(Conversation& with) {
  // They use what is on this stack, so even a cancelled fiber waits for them.
  FiberGroup lists(FiberGroup::OnFailure::kLetRestRun, "link");
  with.beside = &lists;
  absl::Status status = lists.Spawn("link.lists", [&] { return AnswerLists(with); }).status();
  if (status.ok()) {
    status = with.session.Run([&](std::string_view bytes) { return Obey(with, bytes); },
                              [&] { return NextFrame(with); });
  }
  with.beside = nullptr;
  lists.Cancel();
  lists.Join().IgnoreError();
  return status;
}

internal::v1::WorkerFrame ControlLink::Greeting() {
  internal::v1::WorkerFrame frame;
  internal::v1::Hello& hello = *frame.mutable_hello();
  hello.set_worker(worker_);
  hello.set_pid(getpid());
  hello.set_incarnation(incarnation_);
  for (const auto& [name, entry] : functions_) {
    internal::v1::FunctionDescription& function = *hello.add_functions();
    function.set_name(name);
    function.set_description(entry.options.description);
    function.set_input_example(entry.options.input_example);
    FillOptions(entry.options, function);
  }
  if (desk_ != nullptr) *hello.mutable_program() = desk_->Program();
  attempts_.FillHello(hello);
  frame.set_draining(draining_);
  return frame;
}

absl::Status ControlLink::Obey(Conversation& with, std::string_view bytes) {
  internal::v1::ControlFrame frame;
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("a frame of control's is malformed");
  }
  if (std::exchange(with.is_new, false)) {
    quotas_.TakeAll(frame.bounds());
  } else {
    quotas_.Take(frame.bounds());
  }
  if (frame.has_payload_bounds()) attempts_.set_payload_bounds(frame.payload_bounds());
  for (const uint64_t attempt : frame.acknowledged()) attempts_.Acknowledge(attempt);
  for (internal::v1::StartAttempt& start : *frame.mutable_start()) {
    attempts_.Start(std::move(start));
  }
  for (const internal::v1::CancelAttempt& cancel : frame.cancel()) attempts_.Cancel(cancel);
  for (internal::v1::ListFibers& request : *frame.mutable_list_fibers()) {
    with.list_requests.TryPut(std::move(request));
  }
  for (const internal::v1::ListGreenCalls& request : frame.list_green_calls()) {
    with.list_requests.TryPut(request);
  }
  for (internal::v1::ReadValues& request : *frame.mutable_read_values()) {
    with.list_requests.TryPut(std::move(request));
  }
  for (internal::v1::Inject& inject : *frame.mutable_inject()) {
    TakeInjected(with, std::move(inject));
  }
  inside_.TakeAnswers(frame);
  return absl::OkStatus();
}

void ControlLink::TakeInjected(Conversation& with, internal::v1::Inject inject) {
  if (desk_ == nullptr || with.beside == nullptr) return;
  // Where there is no fiber for it, control hears nothing, and says so in time.
  with.beside
      ->Spawn("link.inject",
              [this, &with, inject = std::move(inject)] {
                internal::v1::InjectReply reply = desk_->Inject(inject);
                with.injected.push_back(std::move(reply));
                attempts_.news().Set();
                return absl::OkStatus();
              })
      .status()
      .IgnoreError();
}

absl::StatusOr<std::string> ControlLink::NextFrame(Conversation& with) {
  for (;;) {
    if (absl::Status status = attempts_.news().Wait(); !status.ok()) return status;
    // To the end of the run queue: what other fibers say in this turn goes into the same frame.
    Yield();
    // What is gathered is told once: the next control's conversation shall have it.
    if (!with.session.ended().ok()) return with.session.ended();
    google::protobuf::Arena arena;
    auto& frame = *google::protobuf::Arena::CreateMessage<internal::v1::WorkerFrame>(&arena);
    if (Gather(with, frame)) return frame.SerializeAsString();
  }
}

absl::Status ControlLink::AnswerLists(Conversation& with) {
  for (;;) {
    absl::StatusOr<Conversation::ListRequest> request = with.list_requests.Get();
    if (!request.ok()) return request.status();
    // Get() doesn't park for what is there, and so doesn't hear that the conversation is over.
    if (Hub::Current()->running()->cancelled()) return absl::CancelledError("the link is over");
    if (const auto* fibers = std::get_if<internal::v1::ListFibers>(&*request)) {
      with.lists.push_back(link::ListFibers(*fibers, absl::StrCat("workers/", worker_), offload_));
    } else if (const auto* calls = std::get_if<internal::v1::ListGreenCalls>(&*request)) {
      with.green_lists.push_back(link::ListGreenCalls(*calls, offload_));
    } else if (desk_ != nullptr) {
      with.values.push_back(desk_->ReadValues(std::get<internal::v1::ReadValues>(*request)));
    }
    attempts_.news().Set();
  }
}

bool ControlLink::Gather(Conversation& with, internal::v1::WorkerFrame& frame) {
  bool any = attempts_.TakeNews(frame);
  any |= inside_.TakeNews(frame);
  if (inside_.has_news()) attempts_.news().Set();
  if (std::exchange(usage_due_, false)) {
    labels_.TakeRunTimes([&](const std::string& tenant, int64_t us) {
      internal::v1::TenantUsage& usage = *frame.add_usage();
      usage.set_tenant(Utf8Text(tenant, kTenantBytesMax));
      usage.set_http_us(us);
    });
    any |= frame.usage_size() > 0;
  }
  for (internal::v1::ListFibersReply& list : std::exchange(with.lists, {})) {
    *frame.add_fibers() = std::move(list);
    any = true;
  }
  for (internal::v1::ListGreenCallsReply& list : std::exchange(with.green_lists, {})) {
    *frame.add_green_calls() = std::move(list);
    any = true;
  }
  for (internal::v1::ReadValuesReply& reply : std::exchange(with.values, {})) {
    *frame.add_values() = std::move(reply);
    any = true;
  }
  for (internal::v1::InjectReply& reply : std::exchange(with.injected, {})) {
    *frame.add_injected() = std::move(reply);
    any = true;
  }
  if (draining_ && !with.drain_told) {
    with.drain_told = true;
    frame.set_draining(true);
    any = true;
  }
  return any;
}

void ControlLink::TellUsage() {
  usage_due_ = true;
  attempts_.news().Set();
}

void ControlLink::AnnounceDrain() {
  draining_ = true;
  attempts_.news().Set();
}

}  // namespace grove::worker
