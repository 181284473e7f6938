#include "server/tasks/fairness_view.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/dispatch.h"
#include "server/tasks/engine.h"
#include "server/tasks/engine_event.h"
#include "server/tasks/list_token.h"
#include "server/tasks/paging.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

using proto::SetMicros;

constexpr int64_t kAuditUs = kUsPerSecond;
constexpr std::string_view kList = "fairness";

v1::TenantShare ViewShare(const EngineState& state, const TenantFigures& figures, int64_t backlog) {
  v1::TenantShare view;
  view.set_tenant(state.directory->tenants()[figures.tenant].resource_name());
  view.set_weight(figures.weight);
  SetMicros(figures.worker_us_total, view.mutable_worker_time_total());
  SetMicros(figures.worker_us, view.mutable_worker_time_10s());
  view.set_share(figures.share);
  view.set_fair_share(figures.fair_share);
  SetMicros(state.slots.shares().OverShareUs(figures.tenant, state.now_us),
            view.mutable_over_share());
  view.set_running(figures.running);
  view.set_backlog(backlog);
  SetMicros(figures.start_p99_us, view.mutable_start_p99());
  SetMicros(figures.longest_gap_us, view.mutable_longest_gap());
  SetMicros(figures.http_us_total, view.mutable_http_time_total());
  SetMicros(figures.http_us, view.mutable_http_time_10s());
  return view;
}

void ViewDaemon(const EngineState& state, const FairnessFigures& figures, v1::Fairness* view) {
  view->set_jain(figures.jain);
  SetMicros(figures.victim_start_p99_us, view->mutable_victim_start_p99());
  SetMicros(figures.longest_gap_us, view->mutable_longest_gap());
  SetMicros(figures.idle_while_backlogged_us, view->mutable_idle_slot_while_backlogged());
  view->set_tenants_active(static_cast<int64_t>(figures.active.size()));
  SetMicros(kFairnessWindowUs, view->mutable_window());
  view->set_slots(CountSlots(state).all);
  view->set_running(static_cast<int64_t>(state.attempts.size()));
}

// By tenant.
std::vector<int64_t> Backlogs(const EngineState& state) {
  std::vector<int64_t> backlogs(state.tenants.size());
  for (size_t i = 0; i < state.queues.size(); ++i) {
    backlogs[state.directory->queues()[i].tenant] += state.queues[i].queued;
  }
  return backlogs;
}

// The figures of one that is not active are its total alone.
TenantFigures FiguresOf(EngineState& state, const FairnessFigures& figures, size_t tenant) {
  auto found = std::find_if(figures.active.begin(), figures.active.end(),
                            [&](const TenantFigures& of) { return of.tenant == tenant; });
  if (found != figures.active.end()) return *found;
  return {.tenant = tenant,
          .weight = tenancy::WeightPercent(state.directory->tenants()[tenant].weight),
          .worker_us_total = state.slots.ledger().WorkerUsTotal(tenant, state.now_us),
          .http_us_total = state.slots.ledger().HttpUsTotal(tenant)};
}

}  // namespace

void AuditFairness(EngineState& state) {
  if (state.now_us < state.audited_us + kAuditUs) return;
  state.audited_us = state.now_us;
  FairnessLedger& ledger = state.slots.ledger();
  ledger.TakeWorkerTime(state.now_us, [&](size_t tenant, int64_t us) {
    state.tallies.push_back({.kind = Tally::Kind::kWorkerTime, .tenant = tenant, .us = us});
  });
  if (const int64_t us = ledger.TakeIdle(state.now_us); us > 0) {
    state.tallies.push_back({.kind = Tally::Kind::kIdleSlots, .us = us});
  }
  ledger.SetIdle(IdleBesideBacklog(state), state.now_us);
}

EngineMicros NextAudit(const EngineState& state) {
  if (state.attempts.empty() && state.backlogged == 0) return INT64_MAX;
  return state.audited_us + kAuditUs;
}

void FillFairness(EngineState& state, TaskCounters& counters) {
  const FairnessFigures figures = state.slots.ledger().Figures(state.now_us);
  counters.jain = figures.jain;
  counters.victim_start_p99_us = figures.victim_start_p99_us;
  counters.longest_gap_us = figures.longest_gap_us;
  for (const TenantFigures& of : figures.active) {
    counters.tenants.push_back(
        {state.directory->tenants()[of.tenant].name, of.share, of.fair_share, of.start_p99_us});
  }
}

absl::StatusOr<v1::GetFairnessResponse> TaskEngine::GetFairness(
    const v1::GetFairnessRequest& request, EngineMicros now_us) const {
  EngineState& state = *state_;
  state.Advance(now_us);
  const FairnessFigures figures = state.slots.ledger().Figures(state.now_us);
  const std::vector<int64_t> backlogs = Backlogs(state);
  v1::GetFairnessResponse response;
  if (!request.parent().empty() && request.parent() != "tenants/-") {
    const auto name = tenancy::ParseTenantName(request.parent());
    if (!name.ok()) return BadField("parent", "NAME_INVALID", Std(name.status().message()));
    const auto tenant = state.directory->FindTenant(*name);
    if (!tenant) return NotInConfig("TENANT", request.parent());
    *response.add_shares() =
        ViewShare(state, FiguresOf(state, figures, *tenant), backlogs[*tenant]);
    return response;
  }
  const auto page_size = PageSize(request.page_size());
  if (!page_size.ok()) return page_size.status();
  std::optional<std::string> after = "";
  if (!request.page_token().empty()) after = DecodeListToken(kList, request.page_token());
  if (!after) return BadPageToken();
  const auto name_of = [&](const TenantFigures& of) {
    return state.directory->tenants()[of.tenant].resource_name();
  };
  std::vector<TenantFigures> shown;
  for (const TenantFigures& of : figures.active) {
    if (name_of(of) > *after) shown.push_back(of);
  }
  std::sort(shown.begin(), shown.end(), [&](const TenantFigures& a, const TenantFigures& b) {
    return name_of(a) < name_of(b);
  });
  if (shown.size() > static_cast<size_t>(*page_size)) {
    shown.resize(*page_size);
    response.set_next_page_token(EncodeListToken(kList, name_of(shown.back())));
  }
  for (const TenantFigures& of : shown) {
    *response.add_shares() = ViewShare(state, of, backlogs[of.tenant]);
  }
  ViewDaemon(state, figures, response.mutable_daemon());
  return response;
}

std::optional<size_t> TaskEngine::CountHttp(std::string_view tenant, int64_t us,
                                            EngineMicros now_us) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  // Nobody's time is taken back, whatever a worker says.
  const auto index = state_->directory->FindTenant(tenant);
  if (index && us > 0) state_->slots.ledger().CountHttp(*index, us, state_->now_us);
  return index;
}

std::string_view TaskEngine::TenantName(size_t tenant) const {
  return state_->directory->tenants()[tenant].name;
}

}  // namespace grove::tasks
