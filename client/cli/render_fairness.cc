#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

std::string Percent(double part) {
  return absl::StrFormat("%.1f%%", part * 100);
}

// Negative ones too.
std::string SignedText(const google::protobuf::Duration& duration) {
  const absl::Duration of = ToDuration(duration);
  if (of < absl::ZeroDuration()) return absl::StrCat("-", DurationText(-of));
  return DurationText(of);
}

std::string RenderDaemon(const v1::Fairness& daemon, const View& view) {
  const absl::Duration idle = ToDuration(daemon.idle_slot_while_backlogged());
  return RenderFields({{"Jain", absl::StrFormat("%.4f", daemon.jain())},
                       {"Victim p99", DurationText(ToDuration(daemon.victim_start_p99()))},
                       {"Longest gap", DurationText(ToDuration(daemon.longest_gap()))},
                       {"Idle beside backlog", DurationText(idle)},
                       {"Slots", absl::StrCat(daemon.running(), " of ", daemon.slots(), " held")},
                       {"Tenants active", absl::StrCat(daemon.tenants_active())}},
                      view.look);
}

}  // namespace

std::string RenderFairness(const v1::GetFairnessResponse& fairness, const View& view) {
  Table table({{"TENANT", Kind::kId},
               "WEIGHT",
               "SHARE",
               "FAIR",
               "TIME",
               "RUNNING",
               "BACKLOG",
               "START P99",
               "GAP",
               "HTTP",
               {"AHEAD", Kind::kWide},
               {"TOTAL", Kind::kWide},
               {"HTTP TOTAL", Kind::kWide}});
  for (const v1::TenantShare& of : fairness.shares()) {
    table.Add({ShortName(of.tenant()), absl::StrCat(of.weight(), "%"), Percent(of.share()),
               Percent(of.fair_share()), DurationText(ToDuration(of.worker_time_10s())),
               absl::StrCat(of.running()), absl::StrCat(of.backlog()),
               DurationText(ToDuration(of.start_p99())), DurationText(ToDuration(of.longest_gap())),
               DurationText(ToDuration(of.http_time_10s())), SignedText(of.over_share()),
               DurationText(ToDuration(of.worker_time_total())),
               DurationText(ToDuration(of.http_time_total()))});
  }
  std::string text = fairness.has_daemon() ? RenderDaemon(fairness.daemon(), view) + "\n" : "";
  return text + table.Render(view.look);
}

}  // namespace grove::client::cli
