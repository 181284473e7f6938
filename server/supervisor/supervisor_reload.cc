// A reload: the config is read again, held against the one in force, and taken over where all of it
// can be.
//
// Nothing changes before it is known to be good. Then children that start get the new one; the
// supervisor's own limits and the log level hold at once; workers are replaced in any case, since
// certificates and other files that the config names may be others while the config is the same;
// and control is, where it reads what has changed. If the successors do not come up, the config
// before is in force again for all that start from then on.
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/config/change.h"
#include "server/log.h"
#include "server/process/config_handover.h"
#include "server/process/log_setup.h"
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

bool SameSocket(const HttpListener& one, const HttpListener& other) {
  return one.address() == other.address() && one.unix_mode() == other.unix_mode() &&
         one.reuse_port() == other.reuse_port() && one.backlog() == other.backlog() &&
         one.name() == other.name();
}

bool SameSockets(const config::v1::Http& one, const config::v1::Http& other) {
  return std::equal(one.listeners().begin(), one.listeners().end(), other.listeners().begin(),
                    other.listeners().end(), SameSocket);
}

// Why a reload cannot bring these about.
absl::Status CheckChanges(const config::v1::Config& old, const config::v1::Config& now,
                          const std::vector<config::Change>& changes) {
  std::vector<std::string> keys;
  for (const config::Change& change : changes) {
    if (change.effect == config::Effect::kNeedsRestart) keys.push_back(change.key);
  }
  if (!SameSockets(old.http(), now.http())) keys.push_back("http.listeners (their sockets)");
  if (keys.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("needs a restart: ", absl::StrJoin(keys, ", "), "; nothing was changed"));
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

// It drains for as long as the workers.
bool ConcernsControl(const config::Change& change) {
  return change.effect == config::Effect::kReplacesControl || change.key == "drain_timeout_ms";
}

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
  LoadedConfig before = config_;
  if (status.ok()) status = TakeConfig(*std::move(loaded));
  if (!status.ok()) {
    Log(LogLevel::kError, "not reloading: the config in force stays",
        {{"error", status.message()}});
    return Handle(ReloadRefused{operation, status, now}, now);
  }
  if (!changes.empty()) ++config_generation_;
  config_before_ = std::move(before);
  reload_ = operation;
  std::vector<std::string> keys;
  for (const config::Change& change : changes) keys.push_back(change.key);
  Log(LogLevel::kInfo, "the config was read again",
      {{"generation", config_generation_}, {"changed", absl::StrJoin(keys, ",")}});
  if (absl::Status renewed = RenewTicketKeys(); !renewed.ok()) {
    Log(LogLevel::kWarning, renewed.message());
  }
  const bool control = std::any_of(changes.begin(), changes.end(), ConcernsControl);
  Handle(ReloadPrepared{.operation = operation, .now = now, .control = control}, now);
  if (config_.config.workers() != config_before_->config.workers()) {
    OperationSpec scale{.kind = OperationKind::kScale,
                        .requested_by = absl::StrCat("reload, operation ", operation),
                        .workers = config_.config.workers()};
    Ask(std::move(scale), now).status().IgnoreError();  // Ask() has said it
  }
}

absl::Status Supervisor::TakeConfig(LoadedConfig config) {
  absl::StatusOr<int> fd = process::ConfigToMemfd(config.config);
  if (!fd.ok()) return fd.status();
  close(std::exchange(config_fd_, *fd));
  config_ = std::move(config);
  config_loaded_at_ = WallNow();
  TakeInPlace();
  if (!level_.level.empty() || LevelInForce() == said_level_) return absl::OkStatus();
  said_level_ = LevelInForce();
  SetLogLevel(process::LogLevelOf(said_level_));
  for (int child = 0; child < kChildren; ++child) SendLevel(child, /*operation=*/0);
  return absl::OkStatus();
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
  if (reload.state != OperationState::kFailed) return;
  if (absl::Status back = TakeConfig(*std::move(before)); !back.ok()) {
    return Log(LogLevel::kError, "cannot go back to the config before",
               {{"error", back.message()}});
  }
  ++config_generation_;
  Log(LogLevel::kWarning, "back to the config before the reload, for processes that start",
      {{"generation", config_generation_}});
}

v1::GetConfigResponse Supervisor::DescribeConfig(const v1::GetConfigRequest& request) const {
  v1::GetConfigResponse response;
  response.set_yaml(config::FormatConfig(
      config_.config, {.defaults = request.defaults(), .references = config_.references}));
  response.set_generation(config_generation_);
  response.mutable_load_time()->set_seconds(config_loaded_at_ / 1'000'000);
  for (const std::string& file : config_.files) response.add_files(file);
  return response;
}

absl::StatusOr<v1::DiffConfigResponse> Supervisor::DiffConfig(
    const v1::DiffConfigRequest& request) const {
  const absl::StatusOr<LoadedConfig> loaded = options_.load_config(request.file());
  if (!loaded.ok()) return absl::InvalidArgumentError(loaded.status().message());
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
