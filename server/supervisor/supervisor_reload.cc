// A reload: the config is read again, held against the one in force, and taken over where all of it
// can be.
//
// Nothing changes before it is known to be good. Then children that start get the new one; the
// supervisor's own limits and the log level hold at once; and of the children, those that can take
// what has changed over in place (server/config/effect.h) are told to. Who refuses, or does not
// answer in time, is replaced, as all are that read what has changed at their start. A reload that
// finds nothing changed replaces the workers: who asks for it wants what else they have read at
// their start, code and files, to be read again. If the successors do not come up, the config
// before is in force again, also for those that had taken the new one over. So it is where a hook
// of the application refuses what has changed for it.
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/config/change.h"
#include "server/config/http_listeners.h"
#include "server/config/problems.h"
#include "server/log.h"
#include "server/process/config_handover.h"
#include "server/process/log_setup.h"
#include "server/refusal.h"
#include "server/supervisor/supervisor.h"

namespace grove::supervisor {
namespace {

using config::v1::HttpListener;

bool AnyTls(const config::v1::Http& http) {
  return std::any_of(http.listeners().begin(), http.listeners().end(),
                     [](const HttpListener& each) { return each.has_tls(); });
}

WatchLimits LimitsOf(const config::v1::Runtime& runtime) {
  return {.stuck = absl::Milliseconds(runtime.stuck_ms()),
          .stuck_kill = runtime.stuck_kill_ms() == 0 ? absl::InfiniteDuration()
                                                     : absl::Milliseconds(runtime.stuck_kill_ms()),
          .boot = absl::Milliseconds(runtime.boot_timeout_ms())};
}

// The key of a listener that would be bound beside itself; empty: there is none.
std::string SharesOtherwise(const config::v1::Http& old, const config::v1::Http& now) {
  for (int index = 0; index < now.listeners_size(); ++index) {
    for (const HttpListener& each : old.listeners()) {
      if (each.address() == now.listeners(index).address() &&
          each.reuse_port() != now.listeners(index).reuse_port()) {
        return absl::StrCat(config::HttpListenerKey(now, index), ".reuse_port");
      }
    }
  }
  return "";
}

// Why a reload cannot bring these about.
absl::Status CheckChanges(const config::v1::Config& old, const config::v1::Config& now,
                          const std::vector<config::Change>& changes) {
  std::vector<std::string> keys;
  for (const config::Change& change : changes) {
    if (change.effect == config::Effect::kNeedsRestart) keys.push_back(change.key);
  }
  const std::string shared = SharesOtherwise(old.http(), now.http());
  if (!shared.empty()) keys.push_back(shared);
  if (keys.empty()) return absl::OkStatus();
  std::vector<FieldProblem> problems;
  problems.reserve(keys.size());
  for (const std::string& key : keys) problems.push_back({key, "needs a restart"});
  const std::string what =
      absl::StrCat("needs a restart: ", absl::StrJoin(keys, ", "), "; nothing was changed");
  return WithFieldProblems(
      WithReason(absl::FailedPreconditionError(CutMiddle(what, config::kProblemsShownBytesMax)),
                 "NEEDS_RESTART"),
      problems);
}

v1::ConfigChange::Effect EffectToProto(config::Effect effect) {
  switch (effect) {
    case config::Effect::kInPlace:
      return v1::ConfigChange::EFFECT_IN_PLACE;
    case config::Effect::kReplacesWorkers:
      return v1::ConfigChange::EFFECT_REPLACES_WORKERS;
    case config::Effect::kReplacesControl:
      return v1::ConfigChange::EFFECT_REPLACES_CONTROL;
    case config::Effect::kNeedsRestart:
      return v1::ConfigChange::EFFECT_NEEDS_RESTART;
  }
  return v1::ConfigChange::EFFECT_UNSPECIFIED;
}

void CloseIfOpen(int fd) {
  if (fd >= 0) close(fd);
}

bool AnyOf(const std::vector<config::Change>& changes, config::Effect effect) {
  return std::any_of(changes.begin(), changes.end(),
                     [effect](const config::Change& change) { return change.effect == effect; });
}

// For a child to take a config over: one that is stuck for longer is better replaced.
constexpr absl::Duration kConfigPatience = absl::Seconds(10);

}  // namespace

void Supervisor::PrepareReload(int64_t operation, MonotonicNanos now) {
  absl::StatusOr<LoadedConfig> loaded = options_.load_config(/*file=*/"");
  absl::Status status = loaded.status();
  std::vector<config::Change> changes;
  if (status.ok()) {
    changes =
        config::Compare(config_.config, loaded->config, config_.references, loaded->references);
    status = CheckChanges(config_.config, loaded->config, changes);
  }
  // All that can fail comes before anything changes.
  absl::StatusOr<int> fd = status.ok() ? process::ConfigToMemfd(loaded->config) : status;
  status = fd.status();
  if (status.ok()) {
    status = TakeListeners(loaded->config.http());
    if (!status.ok()) close(*fd);
  }
  if (!status.ok()) {
    Log(LogLevel::kError, "not reloading: the config in force stays",
        {{"error", status.message()}});
    return Handle(ReloadRefused{operation, status, now}, now);
  }
  config_before_ = std::move(config_);
  CloseIfOpen(std::exchange(config_before_fd_, std::exchange(config_fd_, -1)));
  TakeConfig(*std::move(loaded), *fd);
  if (!changes.empty()) ++config_generation_;
  TellGeneration();
  reload_ = operation;
  std::vector<std::string> keys;
  keys.reserve(changes.size());
  for (const config::Change& change : changes) keys.push_back(change.key);
  Log(LogLevel::kInfo, "the config was read again",
      {{"generation", config_generation_}, {"changed", absl::StrJoin(keys, ",")}});
  // What a reload before had yet to replace is this one's.
  const bool pending = config_order_.operation != 0;
  config_order_ = {.operation = operation,
                   .until = DeadlineAfter(now, kConfigPatience),
                   .workers = changes.empty() || AnyOf(changes, config::Effect::kReplacesWorkers) ||
                              (pending && config_order_.workers),
                   .control = AnyOf(changes, config::Effect::kReplacesControl) ||
                              (pending && config_order_.control)};
  for (int child = 0; child < kChildren; ++child) {
    const bool replaced = child == kControl ? config_order_.control : config_order_.workers;
    children_[child].config = ConfigAnswer::kNone;  // whatever it has said to a reload before
    if (!changes.empty() && !replaced) SendConfig(child);
  }
  // Workers have them by fork(2) alone.
  if (config_order_.workers) {
    absl::Status renewed = RenewTicketKeys();
    if (!renewed.ok()) Log(LogLevel::kWarning, renewed.message());
  }
  FollowConfig(now);
  if (config_.config.workers() != config_before_->config.workers()) {
    OperationSpec scale{.kind = OperationKind::kScale,
                        .requested_by = absl::StrCat("reload, operation ", operation),
                        .workers = config_.config.workers()};
    Ask(std::move(scale), now).status().IgnoreError();  // Ask() has said it
  }
}

void Supervisor::TakeConfig(LoadedConfig config, int fd) {
  CloseIfOpen(std::exchange(config_fd_, fd));
  config_ = std::move(config);
  config_loaded_at_ = WallNow();
  TakeInPlace();
  if (!level_.level.empty() || LevelInForce() == said_level_) return;
  said_level_ = LevelInForce();
  SetLogLevel(process::LogLevelOf(said_level_));
  for (int child = 0; child < kChildren; ++child) SendLevel(child, /*operation=*/0);
}

void Supervisor::SendConfig(int child) {
  internal::v1::SupervisorMessage message;
  message.mutable_apply_config()->set_generation(config_generation_);
  *message.mutable_apply_config()->mutable_config() = config_.config;
  Child& asked = children_[child];
  const bool sent = asked.channel.open() && asked.channel.Send(message);
  asked.config = sent ? ConfigAnswer::kAwaited : ConfigAnswer::kNone;
}

void Supervisor::TakeConfigApplied(int child, const internal::v1::ConfigApplied& applied) {
  Child& asked = children_[child];
  if (asked.config != ConfigAnswer::kAwaited || applied.generation() != config_generation_) return;
  asked.config = applied.status().code() == 0 ? ConfigAnswer::kTaken : ConfigAnswer::kRefused;
  if (!applied.refused_by_application()) return;
  config_order_.refused = absl::FailedPreconditionError(
      absl::StrCat("the application refuses it: ", applied.status().message()));
}

void Supervisor::FollowConfig(MonotonicNanos now) {
  Operation* operation = state_.operations.Find(config_order_.operation);
  if (operation == nullptr || operation->HasEnded()) {
    config_order_ = {};
    return;
  }
  if (!config_order_.refused.ok()) {
    const absl::Status why = std::exchange(config_order_, {}).refused;
    return Handle(ReloadRefused{operation->number, why, now}, now);
  }
  ReloadPrepared prepared{.operation = operation->number,
                          .now = now,
                          .workers = config_order_.workers,
                          .control = config_order_.control};
  int taken = 0, awaited = 0;
  for (int child = 0; child < kChildren; ++child) {
    const Child& each = children_[child];
    if (!each.channel.open() || each.config == ConfigAnswer::kNone) continue;
    if (each.config == ConfigAnswer::kTaken) {
      ++taken;
      continue;
    }
    if (each.config == ConfigAnswer::kAwaited) ++awaited;
    if (child == kControl) prepared.control = true;
    if (child < state_.wanted) prepared.slots.push_back(child);
  }
  prepared.in_place = taken == 0 ? ""
                                 : absl::StrCat(taken, taken == 1 ? " process" : " processes",
                                                " took it over in place");
  if (awaited > 0 && now < config_order_.until) {
    return state_.operations.Progress(*operation, taken, taken + awaited,
                                      "waiting for the processes to take it over");
  }
  if (awaited > 0) {
    Log(LogLevel::kWarning, "processes that did not take the config over in time are replaced",
        {{"processes", awaited}});
  }
  config_order_ = {};
  Handle(prepared, now);
}

void Supervisor::TakeInPlace() {
  state_.drain_timeout = absl::Milliseconds(config_.config.drain_timeout_ms());
  state_.limits = LimitsOf(config_.config.runtime());
  const config::v1::Recycle& recycle = config_.config.recycle();
  state_.recycle = {.requests = recycle.max_requests(),
                    .age = absl::Milliseconds(recycle.max_age_ms()),
                    .rss_bytes = recycle.max_rss_bytes(),
                    .jitter_percent = recycle.jitter_percent()};
}

void Supervisor::EndReload(const Operation& reload) {
  if (reload.number != reload_) return;
  reload_ = 0;
  std::optional<LoadedConfig> before = std::exchange(config_before_, std::nullopt);
  const int fd = std::exchange(config_before_fd_, -1);
  if (reload.state != OperationState::kFailed) {
    CloseIfOpen(fd);
    return DropListenersBefore();
  }
  GoBackToListeners(before->config.http());
  TakeConfig(*std::move(before), fd);
  ++config_generation_;
  TellGeneration();
  for (int child = 0; child < kChildren; ++child) SendConfig(child);
  Log(LogLevel::kWarning, "back to the config before the reload",
      {{"generation", config_generation_}});
}

void Supervisor::TellGeneration() {
  scoreboard_.control().config_generation.store(config_generation_, std::memory_order_relaxed);
}

v1::GetConfigResponse Supervisor::DescribeConfig(const v1::GetConfigRequest& request) const {
  v1::GetConfigResponse response;
  config::FormatOptions options{.defaults = request.defaults(), .references = config_.references};
  response.set_yaml(config::FormatConfig(config_.config, options));
  options.json = true;
  response.set_json(config::FormatConfig(config_.config, options));
  response.set_generation(config_generation_);
  response.mutable_load_time()->set_seconds(config_loaded_at_ / 1'000'000);
  for (const std::string& file : config_.files) response.add_files(file);
  return response;
}

absl::StatusOr<v1::DiffConfigResponse> Supervisor::DiffConfig(
    const v1::DiffConfigRequest& request) const {
  const absl::StatusOr<LoadedConfig> loaded = options_.load_config(request.file());
  if (!loaded.ok()) return WithCode(absl::StatusCode::kInvalidArgument, loaded.status());
  v1::DiffConfigResponse response;
  for (const config::Change& change :
       config::Compare(config_.config, loaded->config, config_.references, loaded->references)) {
    v1::ConfigChange& described = *response.add_changes();
    described.set_key(change.key);
    described.set_old_value(change.old_value);
    described.set_new_value(change.new_value);
    described.set_effect(EffectToProto(change.effect));
  }
  return response;
}

absl::Status Supervisor::RenewTicketKeys() {
  return AnyTls(config_.config.http()) ? ticket_keys_.Renew() : absl::OkStatus();
}

}  // namespace grove::supervisor
