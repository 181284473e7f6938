#include "server/test_kit/test_application.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "http/client/http_client.h"
#include "http/message/chunked.h"
#include "http/websocket/message_budget.h"
#include "runtime/dns/resolver.h"
#include "runtime/hub/check.h"
#include "runtime/hub/fake_clock.h"
#include "runtime/hub/fake_poller.h"
#include "runtime/hub/hub.h"
#include "runtime/io/socket.h"
#include "server/config/load.h"
#include "server/config/problems.h"
#include "server/config/resolve.h"
#include "server/functions/fetch.h"
#include "server/http/serving/server.h"
#include "server/read_settings.h"
#include "server/shared/locks.h"
#include "server/shared/table.h"
#include "server/shared/table_memory.h"
#include "server/test_kit/schedule_runner.h"
#include "server/wall_time.h"
#include "server/worker/attempts.h"
#include "server/worker/hooks.h"
#include "server/worker/made_handlers.h"
#include "server/worker/options.h"
#include "server/worker/periodic.h"
#include "server/worker/program.h"
#include "server/worker/routes.h"

namespace grove::test_kit {
namespace {

using internal::v1::AttemptEnded;

absl::StatusOr<config::v1::Config> ReadConfig(const std::string& text,
                                              const Application& application) {
  if (absl::Status right = application.Check(); !right.ok()) return right;
  absl::StatusOr<config::v1::Config> file = config::ParseConfig(text, "config");
  if (!file.ok()) return file;
  config::Environment environment;
  environment.home = environment.working_directory = "/nonexistent";
  absl::StatusOr<config::v1::Config> config = config::Resolve({}, *file, environment);
  if (!config.ok()) return config;
  config::Problems problems;
  ReadSettings(application.settings(), "application", config->mutable_application(), &problems);
  if (absl::Status right = problems.ToStatus(); !right.ok()) return right;
  return config;
}

std::string Unchunked(std::string_view bytes, bool* whole) {
  std::string body;
  http::ChunkedDecoder decoder;
  for (std::string_view data;;) {
    const auto event = decoder.Next(bytes, SIZE_MAX, data);
    *whole = event == http::ChunkedDecoder::Event::kDone;
    if (event != http::ChunkedDecoder::Event::kData) return body;
    body += data;
  }
}

TestAnswer ParseAnswer(std::string_view text, bool has_body) {
  const size_t head_end = text.find("\r\n\r\n");
  TestAnswer answer;
  if (!text.starts_with("HTTP/1.1 ") || head_end == std::string_view::npos) return {};
  if (!absl::SimpleAtoi(std::string(text.substr(9, 3)), &answer.status)) return {};
  std::string_view lines = text.substr(0, head_end + 2);
  lines.remove_prefix(lines.find("\r\n") + 2);
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return {};
    answer.fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    lines.remove_prefix(end + 2);
  }
  const std::string_view body = text.substr(head_end + 4);
  bool whole = true;
  if (answer.Field("Transfer-Encoding") == "chunked" && has_body) {
    answer.body = Unchunked(body, &whole);
  } else {
    answer.body = std::string(body);
    const std::string length = answer.Field("Content-Length");
    whole = !has_body || length.empty() || length == absl::StrCat(body.size());
  }
  return whole ? answer : TestAnswer{};
}

TestOutcome OutcomeOf(const AttemptEnded& end) {
  switch (end.outcome()) {
    case AttemptEnded::OUTCOME_SUCCEEDED:
      return TestOutcome::kSucceeded;
    case AttemptEnded::OUTCOME_FAILED:
      return TestOutcome::kFailed;
    case AttemptEnded::OUTCOME_CANCELLED:
      return TestOutcome::kCancelled;
    case AttemptEnded::OUTCOME_TIMED_OUT:
      return TestOutcome::kTimedOut;
    case AttemptEnded::OUTCOME_SUSPENDED:
      return TestOutcome::kSuspended;
    default:
      return TestOutcome::kInterrupted;
  }
}

void Fill(const AttemptEnded& end, TestAttempt& attempt) {
  attempt.outcome = OutcomeOf(end);
  attempt.status =
      absl::Status(static_cast<absl::StatusCode>(end.error().code()), end.error().message());
  attempt.output = end.output();
  attempt.content_type = end.output_content_type();
  if (end.has_retry_after_us()) attempt.retry_after = absl::Microseconds(end.retry_after_us());
  attempt.never_again = end.never_again();
  attempt.checkpoint = end.checkpoint();
}

TaskResult ResultOf(const TestAttempt& attempt) {
  TaskResult result;
  result.end = TaskEnd::kFailed;
  if (attempt.outcome == TestOutcome::kSucceeded) result.end = TaskEnd::kSucceeded;
  if (attempt.outcome == TestOutcome::kCancelled) result.end = TaskEnd::kCancelled;
  if (attempt.outcome == TestOutcome::kTimedOut) result.end = TaskEnd::kTimedOut;
  result.status = attempt.status;
  result.output = attempt.output;
  result.content_type = attempt.content_type;
  return result;
}

}  // namespace

class TestApplication::Parts {
 public:
  // `memory` is null where the config wants no shared table.
  Parts(const Application& application, config::v1::Config config,
        std::unique_ptr<functions::FetchClient> fetch, absl::Time begin,
        shared::TableMemory* memory, Clock& clock)
      : config_(std::move(config)),
        application_(application),
        begin_us_(absl::ToUnixMicros(begin)),
        fetch_(std::move(fetch)),
        settings_(SettingsOf(application.settings(), config_.application())),
        table_(memory, clock),
        locks_(memory, clock, getpid()),
        functions_(application.functions()),
        attempts_(functions_, services_, worker::AttemptLimitsOf(config_.tasks())) {}

  // **Parks.**
  absl::Status Run(const std::function<void()>& body) {
    began_ns_ = Hub::Current()->now();
    absl::Status status = pools_.Open(application_.work_pools());
    if (status.ok()) status = hooks_.Start(functions_);
    if (status.ok()) status = Serve();
    if (status.ok()) status = periodic_.Start();
    if (status.ok()) {
      status = RunBeside(body);
    }
    hooks_.Stop(absl::Seconds(1));
    pools_.StopProcesses().IgnoreError();
    http_.reset();
    return status;
  }
  void StopThreads() { pools_.StopThreads(); }

  uint64_t Begin(internal::v1::StartAttempt start) {
    const uint64_t id = ++last_;
    start.set_attempt(id);
    under_way_[id] = std::make_unique<UnderWay>();
    attempts_.Start(std::move(start));
    return id;
  }
  void Cancel(uint64_t id, std::string reason) {
    internal::v1::CancelAttempt cancel;
    cancel.set_attempt(id);
    cancel.set_reason(std::move(reason));
    attempts_.Cancel(cancel);
  }
  absl::StatusOr<TestAttempt> Await(uint64_t id) {
    const auto found = under_way_.find(id);
    GROVE_CHECK(found != under_way_.end(), "no attempt that has begun");
    if (absl::Status ended = found->second->ended.Wait(); !ended.ok()) return ended;
    TestAttempt result = std::move(found->second->result);
    under_way_.erase(id);
    return result;
  }

  http::Server& http() { return *http_; }
  WorkerServices& services() { return services_; }
  SpawnedTasks& spawned() { return spawned_; }
  ScheduleRunner& schedules() { return schedules_; }
  WallMicros wall_us() const { return begin_us_ + (Hub::Current()->now() - began_ns_) / 1000; }

 private:
  struct UnderWay {
    TestAttempt result;
    Event ended;
  };

  absl::Status Serve() {
    absl::StatusOr<http::Router> router =
        worker::BuildRouter(config_, application_, handlers_.Source());
    if (absl::Status failed = handlers_.TakeFailure(); !failed.ok()) return failed;
    if (!router.ok()) return router.status();
    http_.emplace(worker::HttpOptionsOf(config_.http()), *std::move(router), http_stats_);
    return absl::OkStatus();
  }

  absl::Status RunBeside(const std::function<void()>& body) {
    absl::StatusOr<FiberHandle> news = Spawn("news", [this] { return TakeNews(); });
    if (!news.ok()) return news.status();
    absl::Status status = AddDeclaredSchedules();
    if (status.ok()) body();
    schedules_.Stop();
    status.Update(End());
    news->Cancel();
    news->Join().IgnoreError();
    return status;
  }

  // Those of the code, as the daemon makes them when it starts.
  absl::Status AddDeclaredSchedules() {
    internal::v1::Program program = worker::ProgramOf(application_);
    for (internal::v1::DeclaredSchedule& declared : *program.mutable_schedules()) {
      absl::Status added = schedules_.Add(declared.id(), std::move(*declared.mutable_settings()));
      if (!added.ok()) return added;
    }
    return absl::OkStatus();
  }

  absl::Status End() {
    http_->Drain();
    absl::Status status = periodic_.Stop();
    if (status.ok()) status = attempts_.Drain(Hub::Current()->now());
    if (status.ok()) status = http_->AwaitIdle();
    Yield();
    return status;
  }

  absl::Status TakeNews() {
    absl::Status status;
    while ((status = attempts_.news().Wait()).ok()) {
      internal::v1::WorkerFrame frame;
      attempts_.TakeNews(frame);
      for (const internal::v1::AttemptProgress& progress : frame.progress()) {
        const auto found = under_way_.find(progress.attempt());
        if (found == under_way_.end()) continue;
        found->second->result.progress = progress.fraction();
        found->second->result.progress_message = progress.message();
      }
      for (const AttemptEnded& end : frame.ended()) {
        attempts_.Acknowledge(end.attempt());
        const auto found = under_way_.find(end.attempt());
        if (found == under_way_.end()) continue;
        Fill(end, found->second->result);
        found->second->ended.Set();
      }
    }
    return status;
  }

  absl::StatusOr<TaskResult> RunTask(const SpawnedTasks::Task& task) {
    internal::v1::StartAttempt start;
    start.set_task(task.name);
    start.set_tenant("default");
    start.set_function(task.request.function);
    start.set_input(task.request.input);
    start.set_content_type(task.request.content_type);
    start.set_number(1);
    start.set_timeout_ms(absl::ToInt64Milliseconds(task.request.timeout));
    const uint64_t attempt = Begin(std::move(start));
    task_attempts_[task.name] = attempt;
    const absl::StatusOr<TestAttempt> ended = Await(attempt);
    task_attempts_.erase(task.name);
    if (!ended.ok()) return ended.status();
    return ResultOf(*ended);
  }
  void CancelTask(const std::string& task) {
    const auto found = task_attempts_.find(task);
    if (found != task_attempts_.end()) Cancel(found->second, "the next run is due");
  }

  const config::v1::Config config_;
  const Application& application_;
  const WallMicros begin_us_;
  MonotonicNanos began_ns_ = 0;
  const std::unique_ptr<functions::FetchClient> fetch_;
  OffloadPool offload_{{}};
  WorkPools pools_;
  SpawnedTasks spawned_{[this](const SpawnedTasks::Task& task) { return RunTask(task); }};
  http::TenantLabels tenants_;
  Settings settings_;
  shared::Table table_;
  shared::Locks locks_;
  const std::unique_ptr<http::HttpClient> http_client_ = *http::HttpClient::Create();
  const std::unique_ptr<Resolver> resolver_ = *Resolver::Create();
  WorkerServices services_{.worker = 0,
                           .fetch = *fetch_,
                           .offload = offload_,
                           .tasks = spawned_,
                           .tenants = tenants_,
                           .settings = settings_,
                           .pools = pools_,
                           .table = table_,
                           .locks = locks_,
                           .http = http_client_.get(),
                           .resolver = resolver_.get()};
  uint64_t websocket_refused_ = 0;
  http::websocket::MessageBudget websocket_budget_{
      static_cast<uint64_t>(config_.http().websocket_memory_max_bytes()), websocket_refused_};
  http::ServerStats http_stats_;
  worker::MadeHandlers handlers_{application_, services_, websocket_budget_};
  std::optional<http::Server> http_;
  worker::Attempts::Functions functions_;
  worker::Hooks hooks_{application_, services_, settings_};
  worker::Attempts attempts_;
  worker::PeriodicWork periodic_{application_.periodic(), services_};
  uint64_t last_ = 0;
  std::map<uint64_t, std::unique_ptr<UnderWay>> under_way_;
  std::map<std::string, uint64_t> task_attempts_;  // of those that run
  ScheduleRunner schedules_{spawned_, [this] { return wall_us(); },
                            [this](const std::string& task) { CancelTask(task); }};
};

TestApplication::TestApplication(const Application& application, std::string config)
    : application_(application), config_(std::move(config)) {}

TestApplication::~TestApplication() = default;

absl::Status TestApplication::Run(std::function<void()> body) {
  GROVE_CHECK(!std::exchange(has_run_, true), "a TestApplication runs once");
  absl::StatusOr<config::v1::Config> config = ReadConfig(config_, application_);
  if (!config.ok()) return config.status();
  absl::StatusOr<functions::FetchPolicy> policy =
      functions::FetchPolicy::FromConfig(config->fetch());
  if (!policy.ok()) return policy.status();
  absl::StatusOr<std::unique_ptr<functions::FetchClient>> fetch =
      functions::FetchClient::Create(*std::move(policy), peer_.Connect());
  if (!fetch.ok()) return fetch.status();
  FakeClock clock;
  HubOptions options;
  options.clock = &clock;
  options.poller = std::make_unique<FakePoller>(clock);
  absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create(std::move(options));
  if (!hub.ok()) return hub.status();
  std::optional<shared::TableMemory> memory;
  if (const config::v1::SharedTable& table = config->shared_table(); table.rows_max() > 0) {
    absl::StatusOr<shared::TableMemory> made = shared::TableMemory::Create(
        {.rows = table.rows_max(), .value_bytes = table.value_max_bytes()}, /*first_token=*/1);
    if (!made.ok()) return made.status();
    memory.emplace(*std::move(made));
  }
  parts_ = std::make_unique<Parts>(application_, *std::move(config), *std::move(fetch), begin_,
                                   memory ? &*memory : nullptr, clock);
  absl::Status status = (*hub)->Run([&] {
    absl::Status ran = parts_->Run(body);
    peer_.Stop();
    return ran;
  });
  parts_->StopThreads();
  parts_.reset();  // the hub outlives what has timers on it
  return status.ok() ? peer_.Check() : status;
}

TestAnswer TestApplication::Request(std::string_view method, std::string_view target,
                                    std::string_view body, const TestFields& fields) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) return {};
  Socket client = *Socket::Adopt(fds[1]);
  if (!parts_->http().Adopt(*Socket::Adopt(fds[0])).ok()) return {};
  std::string request(method);
  request.append(" ").append(target).append(" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
  for (const auto& [name, value] : fields) absl::StrAppend(&request, name, ": ", value, "\r\n");
  if (!body.empty()) absl::StrAppend(&request, "Content-Length: ", body.size(), "\r\n");
  request.append("\r\n").append(body);
  // A server that refuses the body closes before it has all: the answer counts.
  client.Write(request).IgnoreError();
  std::string answer;
  std::string piece(64 << 10, '\0');
  for (;;) {
    const absl::StatusOr<size_t> got = client.Read(piece);
    if (!got.ok()) return {};
    if (*got == 0) return ParseAnswer(answer, method != "HEAD");
    answer.append(piece, 0, *got);
  }
}

uint64_t TestApplication::Begin(std::string function, std::string input, TestCall call) {
  internal::v1::StartAttempt start;
  start.set_task("tenants/default/queues/default/tasks/called");
  start.set_tenant("default");
  start.set_function(std::move(function));
  start.set_input(std::move(input));
  start.set_content_type(std::move(call.content_type));
  start.set_number(call.number);
  start.set_timeout_ms(absl::ToInt64Milliseconds(call.timeout));
  start.set_checkpoint(std::move(call.checkpoint));
  return parts_->Begin(std::move(start));
}

void TestApplication::Cancel(uint64_t attempt, std::string reason) {
  parts_->Cancel(attempt, std::move(reason));
}

TestAttempt TestApplication::Await(uint64_t attempt) {
  absl::StatusOr<TestAttempt> ended = parts_->Await(attempt);
  if (ended.ok()) return *std::move(ended);
  TestAttempt none;
  none.status = ended.status();
  return none;
}

TestAttempt TestApplication::Call(std::string function, std::string input, TestCall call) {
  return Await(Begin(std::move(function), std::move(input), std::move(call)));
}

void TestApplication::Advance(absl::Duration duration) {
  // What is due at its very end runs, too, and all that comes of it at once: this clock goes on
  // when nothing else is left to do.
  Sleep(duration + absl::Nanoseconds(1)).IgnoreError();
}

absl::Status TestApplication::AddSchedule(std::string_view id, v1::Schedule schedule) {
  return parts_->schedules().Add(id, std::move(schedule));
}

absl::StatusOr<v1::Schedule> TestApplication::GetSchedule(std::string_view id) const {
  return parts_->schedules().Get(id);
}

absl::Time TestApplication::now() const {
  return absl::FromUnixMicros(parts_->wall_us());
}

WorkerServices& TestApplication::services() {
  return parts_->services();
}

SpawnedTasks& TestApplication::spawned() {
  return parts_->spawned();
}

}  // namespace grove::test_kit
