#include "server/application.h"

#include <time.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/handler/route_pattern.h"
#include "server/schedules/cron.h"
#include "server/tenancy/resource_name.h"

namespace grove {
namespace {

// As in DNS.
constexpr size_t kFunctionNameBytesMax = 253;
// As of grove.v1.TaskSpec.
constexpr int kAttemptsMax = 100;
constexpr double kMultiplierMax = 10;
constexpr int kSlotCostMax = 1000;
// Each with an input of 64 KiB still fits a message of the link.
constexpr size_t kSchedulesMax = 200;
constexpr size_t kScheduleInputMax = 64 << 10;
constexpr absl::Duration kDurationMax = absl::Hours(24);
// A timer that fires more often starves everything else.
constexpr absl::Duration kPeriodicIntervalMin = absl::Milliseconds(1);

bool IsFunctionName(std::string_view name) {
  if (name.empty() || name.size() > kFunctionNameBytesMax) return false;
  char before = '.';
  for (const char c : name) {
    const bool word = absl::ascii_islower(c) || absl::ascii_isdigit(c);
    if (!word && c != '.' && c != '-' && c != '_') return false;
    if (!word && !absl::ascii_isalnum(before)) return false;  // "a..b", ".a", "-a"
    before = c;
  }
  return absl::ascii_isalnum(before);
}

// What the service would refuse each task for that leaves it to the function.
std::vector<std::string> MistakesOf(const FunctionOptions& options) {
  std::vector<std::string> mistakes;
  const std::pair<const char*, absl::Duration> durations[] = {
      {"default_timeout", options.default_timeout},
      {"schedule_to_start_timeout", options.schedule_to_start_timeout},
      {"heartbeat_timeout", options.heartbeat_timeout},
      {"retry.initial_backoff", options.retry.initial_backoff},
      {"retry.max_backoff", options.retry.max_backoff}};
  for (const auto& [name, duration] : durations) {
    if (duration < absl::ZeroDuration()) mistakes.push_back(absl::StrCat(name, " is negative"));
    if (duration > kDurationMax) mistakes.push_back(absl::StrCat(name, " is more than a day"));
  }
  const RetryDefaults& retry = options.retry;
  if (retry.max_attempts < 0 || retry.max_attempts > kAttemptsMax) {
    mistakes.push_back(absl::StrCat("retry.max_attempts is not 0 to ", kAttemptsMax));
  }
  const double multiplier = retry.backoff_multiplier;
  if (multiplier != 0 && !(multiplier >= 1 && multiplier <= kMultiplierMax)) {
    mistakes.push_back(
        absl::StrCat("retry.backoff_multiplier is neither 0 nor 1 to ", kMultiplierMax));
  }
  if (retry.jitter.has_value() && !(*retry.jitter >= 0 && *retry.jitter <= 1)) {
    mistakes.push_back("retry.jitter is not 0 to 1");
  }
  if (retry.max_backoff > absl::ZeroDuration() && retry.max_backoff < retry.initial_backoff) {
    mistakes.push_back("retry.max_backoff is shorter than retry.initial_backoff");
  }
  if (options.concurrency_max < 0) mistakes.push_back("concurrency_max is negative");
  if (options.slot_cost < 0 || options.slot_cost > kSlotCostMax) {
    mistakes.push_back(absl::StrCat("slot_cost is not 0 to ", kSlotCostMax));
  }
  return mistakes;
}

// Of what is wrong whatever the daemon has; the rest control says once it knows functions, queues
// and tenants.
std::vector<std::string> MistakesOf(std::string_view id, const ScheduleOptions& options,
                                    const SpawnRequest& task) {
  std::vector<std::string> mistakes;
  if (!tenancy::IsShortName(id)) {
    mistakes.push_back(absl::StrCat("its name must be 1 to ", tenancy::kShortNameMax,
                                    " lower-case letters, digits, \"-\", \"_\" and \".\", a "
                                    "letter or digit at both ends"));
  }
  if (!tenancy::IsShortName(options.tenant)) mistakes.push_back("tenant is no tenant's short name");
  if (options.cron.empty() && options.every == absl::ZeroDuration()) {
    mistakes.push_back("it has neither cron expressions nor an interval");
  }
  for (const std::string& text : options.cron) {
    const auto cron = schedules::CronExpression::Parse(text);
    if (!cron.ok()) {
      mistakes.push_back(absl::StrCat("cron \"", text, "\": ", cron.status().message()));
    }
  }
  const std::pair<const char*, absl::Duration> durations[] = {
      {"every", options.every},
      {"offset", options.offset},
      {"jitter", options.jitter},
      {"catchup_window", options.catchup_window}};
  for (const auto& [name, duration] : durations) {
    if (duration < absl::ZeroDuration()) mistakes.push_back(absl::StrCat(name, " is negative"));
  }
  if (task.function.empty()) mistakes.push_back("its task has no function");
  if (task.input.size() > kScheduleInputMax) {
    mistakes.push_back(absl::StrCat("its task's input is more than ", kScheduleInputMax,
                                    " bytes: make it a payload"));
  }
  const std::pair<const char*, bool> own[] = {{"request_id", !task.request_id.empty()},
                                              {"delay", task.delay != absl::ZeroDuration()},
                                              {"after", !task.after.empty() || task.after_success}};
  for (const auto& [name, is_set] : own) {
    if (is_set) {
      mistakes.push_back(absl::StrCat("its task has ", name, ", which a schedule's cannot have"));
    }
  }
  return mistakes;
}

int64_t NanosSinceBoot() {
  timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return since_boot.tv_sec * int64_t{1'000'000'000} + since_boot.tv_nsec;
}

}  // namespace

Application::Application(std::string name)
    : name_(std::move(name)), made_at_ns_(NanosSinceBoot()) {}

void Application::AddFunction(std::string name, Function function, FunctionOptions options) {
  if (function == nullptr) mistakes_.push_back(absl::StrCat("function \"", name, "\" is empty"));
  AddFunctionEntry(std::move(name), {std::move(function), std::move(options)});
}

void Application::AddFunctionFactory(std::string name, FunctionFactory factory,
                                     FunctionOptions options) {
  if (factory == nullptr) {
    mistakes_.push_back(absl::StrCat("the factory of function \"", name, "\" is empty"));
  }
  AddFunctionEntry(std::move(name), {nullptr, std::move(options), std::move(factory)});
}

void Application::AddFunctionEntry(std::string name, FunctionEntry entry) {
  if (!IsFunctionName(name)) {
    mistakes_.push_back(absl::StrCat("function \"", name,
                                     "\": a name is lower-case letters and digits, with single "
                                     "'.', '-' or '_' between them"));
  }
  for (const std::string& mistake : MistakesOf(entry.options)) {
    mistakes_.push_back(absl::StrCat("function \"", name, "\": ", mistake));
  }
  const auto [place, added] = functions_.try_emplace(std::move(name), std::move(entry));
  if (!added) mistakes_.push_back(absl::StrCat("function \"", place->first, "\" is added twice"));
}

void Application::AddHandler(std::string name, http::Handler handler) {
  if (handler == nullptr) {
    mistakes_.push_back(absl::StrCat("handler \"", name, "\" is empty"));
  }
  AddHandlerFactory(std::move(name),
                    [handler = std::move(handler)](WorkerServices&) { return handler; });
}

void Application::CheckHandler(const std::string& name, bool empty) {
  if (name.empty()) mistakes_.push_back("a handler has no name");
  if (empty) mistakes_.push_back(absl::StrCat("the factory of handler \"", name, "\" is empty"));
  if (handlers_.contains(name) || folder_handlers_.contains(name) || websockets_.contains(name)) {
    mistakes_.push_back(absl::StrCat("handler \"", name, "\" is added twice"));
  }
}

void Application::AddHandlerFactory(std::string name, HandlerFactory factory) {
  CheckHandler(name, factory == nullptr);
  handlers_.emplace(std::move(name), std::move(factory));
}

void Application::AddFolderHandlerFactory(std::string name, FolderHandlerFactory factory) {
  CheckHandler(name, factory == nullptr);
  folder_handlers_.emplace(std::move(name), std::move(factory));
}

void Application::AddWebSocket(std::string name, http::WebSocketFunction function,
                               http::WebSocketOptions options) {
  if (function == nullptr) {
    mistakes_.push_back(absl::StrCat("handler \"", name, "\" is empty"));
  }
  AddWebSocketFactory(
      std::move(name), [function = std::move(function)](WorkerServices&) { return function; },
      std::move(options));
}

void Application::AddWebSocketFactory(std::string name, WebSocketFactory factory,
                                      http::WebSocketOptions options) {
  CheckHandler(name, factory == nullptr);
  websockets_.try_emplace(std::move(name), WebSocketEntry{std::move(factory), std::move(options)});
}

void Application::AddRoute(std::string method, std::string path, std::string handler) {
  routes_.push_back({std::move(method), std::move(path), std::move(handler)});
}

void Application::Handle(std::string method, std::string path, http::Handler handler) {
  // GET and POST of one path are two handlers.
  const bool taken = handlers_.contains(path) || websockets_.contains(path);
  std::string name = taken ? absl::StrCat(method, " ", path) : path;
  AddHandler(name, std::move(handler));
  AddRoute(std::move(method), std::move(path), std::move(name));
}

void Application::HandleWebSocket(std::string path, http::WebSocketFunction function,
                                  http::WebSocketOptions options) {
  // A path may also have a handler for other methods.
  std::string name = handlers_.contains(path) ? absl::StrCat("GET ", path) : path;
  AddWebSocket(name, std::move(function), std::move(options));
  AddRoute("GET", std::move(path), std::move(name));
}

void Application::AddPeriodic(std::string name, absl::Duration interval, PeriodicBody body,
                              PeriodicScope scope) {
  AddPeriodic(
      std::move(name), [interval] { return interval; }, std::move(body), scope);
}

void Application::AddPeriodic(std::string name, Interval interval, PeriodicBody body,
                              PeriodicScope scope) {
  if (body == nullptr || interval == nullptr) {
    mistakes_.push_back(absl::StrCat("periodic work \"", name, "\" is empty"));
    return;
  }
  periodic_.push_back({std::move(name), std::move(interval), scope, std::move(body)});
}

void Application::AddMiddleware(std::string name, MiddlewareFactory factory,
                                SettingsSchema options) {
  if (name.empty()) mistakes_.push_back("a middleware has no name");
  if (factory == nullptr) {
    mistakes_.push_back(absl::StrCat("the factory of middleware \"", name, "\" is empty"));
  }
  for (const std::string& mistake : options.Mistakes()) {
    mistakes_.push_back(absl::StrCat("middleware \"", name, "\": ", mistake));
  }
  MiddlewareEntry entry{std::move(factory), std::move(options)};
  const auto [place, added] = middleware_.try_emplace(std::move(name), std::move(entry));
  if (!added) mistakes_.push_back(absl::StrCat("middleware \"", place->first, "\" is added twice"));
}

void Application::AddValue(std::string name, std::string description, Inspection value) {
  AddInspection(std::move(name),
                {InspectionKind::kValue, std::move(description), std::move(value)});
}

void Application::AddCommand(std::string name, std::string description, Inspection command) {
  AddInspection(std::move(name),
                {InspectionKind::kCommand, std::move(description), std::move(command)});
}

void Application::AddInspection(std::string name, InspectionEntry entry) {
  const char* const what = entry.kind == InspectionKind::kValue ? "value" : "command";
  if (name.empty()) mistakes_.push_back(absl::StrCat("a ", what, " has no name"));
  if (entry.description.empty() || entry.inspection == nullptr) {
    mistakes_.push_back(absl::StrCat(
        what, " \"", name, "\" ", entry.inspection == nullptr ? "is empty" : "has no description"));
  }
  const auto [place, added] = inspections_.try_emplace(std::move(name), std::move(entry));
  if (!added) {
    mistakes_.push_back(absl::StrCat(what, " \"", place->first, "\" is added twice"));
  }
}

void Application::AddSchedule(std::string id, ScheduleOptions options, SpawnRequest task) {
  for (const std::string& mistake : MistakesOf(id, options, task)) {
    mistakes_.push_back(absl::StrCat("schedule \"", id, "\": ", mistake));
  }
  const bool twice = std::any_of(schedules_.begin(), schedules_.end(), [&](const auto& each) {
    return each.id == id && each.options.tenant == options.tenant;
  });
  if (twice) mistakes_.push_back(absl::StrCat("schedule \"", id, "\" is added twice"));
  if (schedules_.size() == kSchedulesMax) {
    mistakes_.push_back(absl::StrCat("schedule \"", id, "\": there are ", kSchedulesMax,
                                     " in the code already, the most"));
  }
  schedules_.push_back({std::move(id), std::move(options), std::move(task)});
}

void Application::AddHook(std::string_view kind, HookEntry entry, std::vector<HookEntry>& hooks) {
  const std::string what = absl::StrCat(std::string(kind), " hook \"", entry.name, "\"");
  if (entry.name.empty()) mistakes_.push_back(what + " has no name");
  if (entry.hook == nullptr) mistakes_.push_back(what + " is empty");
  if (entry.timeout <= absl::ZeroDuration()) mistakes_.push_back(what + " has no time");
  hooks.push_back(std::move(entry));
}

void Application::OnStart(std::string name, Hook hook, absl::Duration timeout) {
  AddHook("start", {std::move(name), std::move(hook), timeout}, start_hooks_);
}

void Application::OnStop(std::string name, Hook hook, absl::Duration timeout) {
  AddHook("stop", {std::move(name), std::move(hook), timeout}, stop_hooks_);
}

void Application::OnReload(std::string name, ReloadHook hook) {
  if (name.empty()) mistakes_.push_back("a reload hook has no name");
  if (hook == nullptr) mistakes_.push_back(absl::StrCat("reload hook \"", name, "\" is empty"));
  reload_hooks_.push_back({std::move(name), std::move(hook)});
}

void Application::CheckPool(const std::string& name, std::string_view what, int size) {
  const auto mistake = [&](std::string_view why) {
    mistakes_.push_back(StrCat("pool \"", name, "\": ", why));
  };
  if (!IsFunctionName(name)) mistake("its name is not one that a function may have");
  if (size < 1 || size > kWorkPoolSizeMax) {
    mistake(StrCat(what, " is ", size, ", must be 1 to ", kWorkPoolSizeMax));
  }
  const auto is_taken = [&](const auto& pools) {
    return std::any_of(pools.begin(), pools.end(),
                       [&](const auto& pool) { return pool.name == name; });
  };
  if (is_taken(work_pools_.offload) || is_taken(work_pools_.processes)) mistake("is added twice");
  if (work_pools_.offload.size() + work_pools_.processes.size() == kWorkPoolsMax) {
    mistake(StrCat("there are ", kWorkPoolsMax, " pools already"));
  }
}

void Application::AddOffloadPool(OffloadPool::Options options) {
  CheckPool(options.name, "threads", options.threads);
  work_pools_.offload.push_back(std::move(options));
}

void Application::AddProcessPool(ProcessPoolOptions options) {
  CheckPool(options.name, "processes", options.processes);
  if (options.command.empty()) {
    mistakes_.push_back(StrCat("pool \"", options.name, "\": its command is empty"));
  }
  work_pools_.processes.push_back(std::move(options));
}

absl::Status Application::Check() const {
  std::vector<std::string> mistakes = mistakes_;
  for (auto& more : {settings_.Mistakes(), metrics_.Mistakes()}) {
    mistakes.insert(mistakes.end(), more.begin(), more.end());
  }
  std::set<std::pair<std::string, std::string>> seen;
  for (const Route& route : routes_) {
    const std::string what =
        absl::StrCat("route ", route.method.empty() ? "*" : route.method, " ", route.path);
    if (const auto pattern = http::RoutePattern::Parse(route.path); !pattern.ok()) {
      mistakes.push_back(absl::StrCat(what, ": ", pattern.status().message()));
    }
    if (folder_handlers_.contains(route.handler)) {
      mistakes.push_back(absl::StrCat(what, ": handler \"", route.handler,
                                      "\" needs a folder, which only the config can name"));
    } else if (!handlers_.contains(route.handler) && !websockets_.contains(route.handler)) {
      mistakes.push_back(absl::StrCat(what, ": no handler \"", route.handler, "\" was added"));
    }
    if (!seen.insert({route.method, route.path}).second) {
      mistakes.push_back(absl::StrCat(what, " is added twice"));
    }
  }
  for (const Periodic& entry : periodic_) {
    const absl::Duration interval = entry.interval();
    if (interval >= kPeriodicIntervalMin && interval != absl::InfiniteDuration()) continue;
    mistakes.push_back(absl::StrCat("periodic work \"", entry.name, "\": interval is ",
                                    absl::FormatDuration(interval), ", but must be at least ",
                                    absl::FormatDuration(kPeriodicIntervalMin), " and finite"));
  }
  if (mistakes.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("application \"", name_, "\": ", absl::StrJoin(mistakes, "; ")));
}

}  // namespace grove
