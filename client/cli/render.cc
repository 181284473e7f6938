#include "client/cli/render.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/error_line.h"
#include "client/cli/names.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/client.h"
#include "client/status_details.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

std::string ErrorText(const google::rpc::Status& error) {
  return error.code() == 0 ? "" : DescribeError(ToAbslStatus(error));
}

// From the first attempt's start to the end, or until now.
std::string RunText(const v1::Task& task, const View& view) {
  if (task.attempts().empty()) return "";
  const absl::Time start = ToTime(task.attempts(0).start_time());
  const absl::Time end = task.has_end_time() ? ToTime(task.end_time()) : view.now;
  return DurationText(std::max(end - start, absl::ZeroDuration()));
}

// The most telling thing about a task in its state.
std::string NoteText(const v1::Task& task, const View& view) {
  if (task.has_error()) return ErrorText(task.error());
  if (task.state() == v1::TASK_STATE_SCHEDULED && task.has_schedule_time()) {
    return absl::StrCat("starts ", AgeText(task.schedule_time(), view.now));
  }
  if (task.state() == v1::TASK_STATE_RUNNING && task.progress() > 0) {
    return absl::StrFormat("%.0f%% %s", task.progress() * 100, task.progress_message());
  }
  return task.waiting_reason();
}

std::string BodyText(const std::string& bytes, const std::string& content_type) {
  if (bytes.empty()) return "";
  if (IsUtf8(bytes)) return bytes;
  return absl::StrCat("(", BytesText(static_cast<int64_t>(bytes.size())), " of ",
                      content_type.empty() ? "binary data" : content_type, ")");
}

// Of what the view left out, or what is empty.
std::string SizeText(int64_t bytes) {
  return bytes == 0 ? "" : BytesText(bytes);
}

// The bytes themselves, or how many there are.
std::string BodyOrSize(const std::string& bytes, const std::string& content_type, int64_t size) {
  if (bytes.empty() && size > 0) return absl::StrCat("(", BytesText(size), ", not shown)");
  return BodyText(bytes, content_type);
}

std::string LastWorker(const v1::Task& task) {
  if (task.attempts().empty()) return "";
  return ShortName(task.attempts(task.attempts_size() - 1).worker());
}

std::string LabelsText(const v1::TaskSpec& spec) {
  std::vector<std::string> pairs;
  for (const auto& [key, value] : spec.labels()) pairs.push_back(absl::StrCat(key, "=", value));
  std::sort(pairs.begin(), pairs.end());
  std::string out;
  for (const std::string& pair : pairs) absl::StrAppend(&out, out.empty() ? "" : " ", pair);
  return out;
}

template <typename Enum>
std::string EnumText(Enum value) {
  return ShortEnumName(*google::protobuf::GetEnumDescriptor<Enum>(), value);
}

std::string CodesText(const v1::RetryPolicy& policy) {
  std::string text;
  for (const int32_t code : policy.not_retried_codes()) {
    const auto status_code = static_cast<absl::StatusCode>(code);
    absl::StrAppend(&text, text.empty() ? "" : " ", absl::StatusCodeToString(status_code));
  }
  return text;
}

// "1s to 1m"; of a task that is tried once nothing.
std::string BackoffText(const v1::RetryPolicy& policy) {
  if (policy.max_attempts() <= 1) return "";
  return absl::StrCat(DurationText(ToDuration(policy.initial_backoff())), " to ",
                      DurationText(ToDuration(policy.max_backoff())));
}

std::string RenderAttempts(const v1::Task& task, const View& view) {
  if (task.attempts().empty()) return "";
  Table table({{"ATTEMPT", Kind::kId},
               {"STATE", Kind::kState},
               "WORKER",
               "PID",
               "FIBER",
               "STARTED",
               "TOOK",
               "ERROR"});
  for (const v1::Attempt& attempt : task.attempts()) {
    const absl::Time end = attempt.has_end_time() ? ToTime(attempt.end_time()) : view.now;
    table.Add({absl::StrCat(attempt.number()), EnumText(attempt.state()),
               ShortName(attempt.worker()), absl::StrCat(attempt.worker_pid()),
               ShortName(attempt.fiber()), AgeText(attempt.start_time(), view.now),
               DurationText(std::max(end - ToTime(attempt.start_time()), absl::ZeroDuration())),
               ErrorText(attempt.error())});
  }
  return "\n" + table.Render(view.look);
}

// "acme/mail" of "tenants/acme/queues/mail": unambiguous over all tenants.
std::string TenantAndName(const std::string& name) {
  const std::string owner = name.substr(0, name.find('/', sizeof("tenants/") - 1));
  return absl::StrCat(ShortName(owner), "/", ShortName(name));
}

// "0/17", as names.h takes it.
std::string ShortFiberName(const v1::Fiber& fiber) {
  const std::string worker = ShortName(fiber.name().substr(0, fiber.name().find("/fibers/")));
  return absl::StrCat(worker, "/", ShortName(fiber.name()));
}

std::string StackBytesText(const v1::Fiber& fiber) {
  if (fiber.stack_bytes() == 0) return "";
  return absl::StrCat(BytesText(fiber.stack_used_bytes()), " of ", BytesText(fiber.stack_bytes()),
                      " touched");
}

// When the next process of a worker comes, and why it does not come at once.
std::string RestartText(const v1::Worker& worker) {
  std::vector<std::string> parts;
  if (worker.has_restart_delay()) {
    parts.push_back(absl::StrCat("restarts in ", DurationText(ToDuration(worker.restart_delay()))));
  }
  if (worker.quick_deaths() >= 2) {
    parts.push_back(
        absl::StrCat("died ", worker.quick_deaths(), " times in a row (", worker.last_exit(), ")"));
  }
  return absl::StrJoin(parts, ", ");
}

// Whose tasks a worker at the gateway runs, and what it says of itself.
std::string GatewayText(const v1::Worker& worker) {
  std::vector<std::string> parts = {absl::StrCat("runs tasks of ", ShortName(worker.tenant()))};
  if (!worker.host().empty()) parts.push_back(absl::StrCat("on ", worker.host()));
  if (!worker.runtime().empty()) parts.push_back(worker.runtime());
  return absl::StrJoin(parts, ", ");
}

// The first few: there may be thousands.
std::string NamesText(const google::protobuf::RepeatedPtrField<std::string>& names) {
  constexpr int kShown = 5;
  std::vector<std::string> shown(names.begin(), names.begin() + std::min(names.size(), kShown));
  if (names.size() > kShown) {
    shown.push_back(absl::StrCat("and ", names.size() - kShown, " more"));
  }
  return absl::StrJoin(shown, ", ");
}

std::string AfterText(const v1::TaskSpec& spec) {
  const bool needs_success = spec.after_condition() == v1::AFTER_CONDITION_SUCCEEDED;
  return absl::StrCat(NamesText(spec.after()), needs_success ? ", if succeeded" : "");
}

std::string SequenceText(const v1::TaskSpec& spec) {
  const bool halts = spec.sequence().on_failure() == v1::Sequence::ON_FAILURE_HALT;
  return absl::StrCat(spec.sequence().key(), halts ? ", halts it if it fails" : "");
}

}  // namespace

std::string TaskNote(const v1::Task& task, const View& view) {
  return NoteText(task, view);
}

std::string StateName(v1::TaskState state) {
  return EnumText(state);
}

std::string RenderTasks(const List<v1::Task>& tasks, const View& view) {
  Table table({{"TASK", Kind::kId},
               {"FUNCTION", Kind::kId},
               {"STATE", Kind::kState},
               "AGE",
               "RUN",
               "ATTEMPTS",
               {"WORKER", Kind::kWide},
               {"PRIORITY", Kind::kWide},
               {"INPUT", Kind::kWide},
               {"OUTPUT", Kind::kWide},
               {"LABELS", Kind::kWide},
               "NOTE"});
  for (const v1::Task& task : tasks) {
    const v1::TaskSpec& spec = task.spec();
    table.Add({ShortTaskName(task.name()), spec.function(), StateName(task.state()),
               AgeText(task.create_time(), view.now), RunText(task, view),
               absl::StrCat(task.attempts_size()), LastWorker(task), absl::StrCat(spec.priority()),
               SizeText(task.input_size_bytes()), SizeText(task.output_size_bytes()),
               LabelsText(spec), NoteText(task, view)});
  }
  return table.Render(view.look);
}

std::string RenderTask(const v1::Task& task, const View& view) {
  const v1::TaskSpec& spec = task.spec();
  const bool running = task.state() == v1::TASK_STATE_RUNNING;
  const auto age = [&](bool has, const google::protobuf::Timestamp& time) {
    return has ? AgeText(time, view.now) : std::string();
  };
  return RenderFields(
             {
                 {"name", task.name()},
                 {"function", spec.function()},
                 {"parent", task.parent_task()},
                 {"retry of", task.retry_of()},
                 {"state", StateName(task.state())},
                 {"waiting", task.waiting_reason()},
                 {"progress", running && task.progress() > 0 ? NoteText(task, view) : ""},
                 {"created", age(task.has_create_time(), task.create_time())},
                 {"scheduled", age(task.has_schedule_time(), task.schedule_time())},
                 {"ended", age(task.has_end_time(), task.end_time())},
                 {"priority", spec.priority() == 0 ? "" : absl::StrCat(spec.priority())},
                 {"timeout", spec.has_timeout() ? DurationText(ToDuration(spec.timeout())) : ""},
                 {"start timeout", spec.has_schedule_to_start_timeout()
                                       ? DurationText(ToDuration(spec.schedule_to_start_timeout()))
                                       : ""},
                 {"heartbeat timeout", spec.has_heartbeat_timeout()
                                           ? DurationText(ToDuration(spec.heartbeat_timeout()))
                                           : ""},
                 {"max attempts", spec.retry_policy().max_attempts() == 0
                                      ? ""
                                      : absl::StrCat(spec.retry_policy().max_attempts())},
                 {"back-off", BackoffText(spec.retry_policy())},
                 {"not retried", CodesText(spec.retry_policy())},
                 {"request id", spec.request_id()},
                 {"unique key", spec.unique_key().key()},
                 {"limit key", absl::StrJoin(spec.limit_keys(), "/")},
                 {"slot cost", spec.slot_cost() <= 1 ? "" : absl::StrCat(spec.slot_cost())},
                 {"after", AfterText(spec)},
                 {"sequence", SequenceText(spec)},
                 {"suspended for", NamesText(task.suspended_for())},
                 {"webhook", spec.webhook().url()},
                 {"told by", task.webhook_task()},
                 {"labels", LabelsText(spec)},
                 {"durability", spec.durability() == 0 ? "" : EnumText(spec.durability())},
                 {"input payload", spec.input_payload()},
                 {"output payload", task.output_payload()},
                 {"input", BodyOrSize(spec.input(), spec.content_type(), task.input_size_bytes())},
                 {"output",
                  BodyOrSize(task.output(), task.output_content_type(), task.output_size_bytes())},
                 {"checkpoint", BodyText(task.checkpoint(), "")},
                 {"error", ErrorText(task.error())},
             },
             view.look) +
         RenderAttempts(task, view);
}

std::string RenderQueues(const List<v1::Queue>& queues, const View& view) {
  Table table({{"QUEUE", Kind::kId},
               {"STATE", Kind::kState},
               "ORDER",
               {"POOL", Kind::kId},
               "QUEUED",
               "SCHEDULED",
               "RUNNING",
               "OLDEST",
               "DEPTH MAX",
               "SPAWNED",
               "REJECTED",
               "ENDED",
               "DEAD LETTERS",
               "KEPT FOR",
               "DEAD FOR",
               "WAITS FOR"});
  for (const v1::Queue& queue : queues) {
    const absl::Duration oldest = ToDuration(queue.oldest_age());
    table.Add({TenantAndName(queue.name()), EnumText(queue.state()), EnumText(queue.order()),
               ShortName(queue.pool()), absl::StrCat(queue.queued()),
               absl::StrCat(queue.scheduled()), absl::StrCat(queue.running()),
               oldest == absl::ZeroDuration() ? "" : DurationText(oldest),
               absl::StrCat(queue.depth_max()), absl::StrCat(queue.spawned_total()),
               absl::StrCat(queue.rejected_total()), absl::StrCat(queue.ended()),
               absl::StrCat(queue.dead_letters()), DurationText(ToDuration(queue.retention())),
               DurationText(ToDuration(queue.dead_letter_retention())), queue.waiting_reason()});
  }
  return table.Render(view.look);
}

std::string RenderPools(const List<v1::Pool>& pools, const View& view) {
  Table table({{"POOL", Kind::kId}, "SIZE", "RUNNING", "FREE", "WAITING"});
  for (const v1::Pool& pool : pools) {
    table.Add({TenantAndName(pool.name()), absl::StrCat(pool.size()), absl::StrCat(pool.running()),
               absl::StrCat(pool.free()), absl::StrCat(pool.waiting())});
  }
  return table.Render(view.look);
}

std::string RenderWorkers(const List<v1::Worker>& workers, const View& view) {
  Table table({{"WORKER", Kind::kId},
               {"STATE", Kind::kState},
               {"PID", Kind::kId},
               "GENERATION",
               "STARTED",
               "FIBERS",
               "TASKS",
               "CONNECTIONS",
               "REQUESTS",
               "LAST TURN",
               "MEMORY",
               "LINKED",
               {"CONFIG", Kind::kWide},
               {"LAST EXIT", Kind::kWide},
               "NOTE"});
  for (const v1::Worker& worker : workers) {
    // Of one at the gateway most is its own affair.
    const bool is_own = worker.tenant().empty();
    const auto own = [is_own](const std::string& text) { return is_own ? text : std::string(); };
    table.Add({ShortName(worker.name()), EnumText(worker.state()), absl::StrCat(worker.pid()),
               own(absl::StrCat(worker.generation())), AgeText(worker.start_time(), view.now),
               own(absl::StrCat(worker.fibers())), absl::StrCat(worker.tasks_running()),
               own(absl::StrCat(worker.http_connections())),
               own(absl::StrCat(worker.http_requests_total())),
               own(DurationText(absl::Seconds(worker.hub_idle_seconds())) + " ago"),
               own(BytesText(worker.rss_bytes())), worker.linked() ? "yes" : "no",
               own(absl::StrCat(worker.config_generation())), worker.last_exit(),
               is_own ? RestartText(worker) : GatewayText(worker)});
  }
  return table.Render(view.look);
}

std::string RenderStacks(const List<v1::Fiber>& fibers, const View& view) {
  std::string text;
  for (const v1::Fiber& fiber : fibers) {
    if (!text.empty()) text += "\n";
    text += RenderFields({{"fiber", ShortFiberName(fiber)},
                          {"name", fiber.display_name()},
                          {"group", fiber.group()},
                          {"state", EnumText(fiber.state())},
                          {"waits for", fiber.waiting_for()},
                          {"age", DurationText(ToDuration(fiber.age()))},
                          {"run time", DurationText(ToDuration(fiber.run_time()))},
                          {"switches", absl::StrCat(fiber.switches())},
                          {"tenant", fiber.tenant()},
                          {"task", ShortTaskName(fiber.task())},
                          {"spawned at", fiber.spawn_site()},
                          {"stack", StackBytesText(fiber)}},
                         view.look);
    for (const std::string& frame : fiber.stack()) {
      absl::StrAppend(&text, "    ", Escape(frame), "\n");
    }
  }
  return text;
}

std::string RenderFibers(const List<v1::Fiber>& fibers, const View& view) {
  Table table({{"FIBER", Kind::kId},
               "NAME",
               {"STATE", Kind::kState},
               "WAITS FOR",
               "AGE",
               "SWITCHES",
               {"GROUP", Kind::kWide},
               {"RUN TIME", Kind::kWide},
               "TENANT",
               {"TASK", Kind::kId},
               "SPAWNED AT"});
  for (const v1::Fiber& fiber : fibers) {
    table.Add({ShortFiberName(fiber), fiber.display_name(), EnumText(fiber.state()),
               fiber.waiting_for(), DurationText(ToDuration(fiber.age())),
               absl::StrCat(fiber.switches()), fiber.group(),
               DurationText(ToDuration(fiber.run_time())), fiber.tenant(),
               ShortTaskName(fiber.task()), fiber.spawn_site()});
  }
  return table.Render(view.look);
}

std::string RenderFunctions(const List<v1::Function>& functions, const View& view) {
  Table table({{"FUNCTION", Kind::kId},
               "TIMEOUT",
               "ATTEMPTS",
               "AT ONCE",
               {"QUEUE", Kind::kWide},
               {"BACK-OFF", Kind::kWide},
               {"NOT RETRIED", Kind::kWide},
               {"START TIMEOUT", Kind::kWide},
               {"HEARTBEAT", Kind::kWide},
               {"SLOTS", Kind::kWide},
               "DESCRIPTION",
               "EXAMPLE INPUT"});
  const auto text = [](bool has, const google::protobuf::Duration& duration) {
    return has ? DurationText(ToDuration(duration)) : std::string();
  };
  for (const v1::Function& function : functions) {
    const v1::RetryPolicy& retry = function.retry_policy();
    table.Add({FunctionName(function.name()),
               text(function.has_default_timeout(), function.default_timeout()),
               absl::StrCat(std::max(retry.max_attempts(), 1)),
               function.concurrency_max() == 0 ? "" : absl::StrCat(function.concurrency_max()),
               function.queue(), BackoffText(retry), CodesText(retry),
               text(function.has_schedule_to_start_timeout(), function.schedule_to_start_timeout()),
               text(function.has_heartbeat_timeout(), function.heartbeat_timeout()),
               absl::StrCat(std::max(function.slot_cost(), 1)), function.description(),
               function.input_example()});
  }
  return table.Render(view.look);
}

}  // namespace grove::client::cli
