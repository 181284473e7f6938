#include <algorithm>

#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/error_line.h"
#include "client/cli/interrupt.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr int64_t kSharesMax = 100000;
constexpr int64_t kListedShares = 1000;
constexpr int64_t kWatchedShares = 20;
constexpr int64_t kLooksMax = 1000000000;
constexpr absl::Duration kIntervalMin = absl::Milliseconds(100);
// The cursor goes home, and what is there is cleared.
constexpr std::string_view kClear = "\033[H\033[J";

// Those with the most worker time first.
void Sort(v1::GetFairnessResponse& response, int64_t limit) {
  auto& shares = *response.mutable_shares();
  std::stable_sort(shares.begin(), shares.end(),
                   [](const auto& a, const auto& b) { return a.share() > b.share(); });
  if (shares.size() > limit) shares.DeleteSubrange(static_cast<int>(limit), shares.size() - limit);
}

absl::Status ShowOnce(Command& command, const v1::GetFairnessRequest& request, int64_t limit) {
  auto response = command.client->GetFairness(request, kSharesMax);
  if (!response.ok()) return response.status();
  Sort(*response, limit);
  const View view = {absl::Now(), command.ToLook()};
  Print(command, *response, [&] { return RenderFairness(*response, view); });
  command.shell.out << std::flush;
  return absl::OkStatus();
}

absl::Status Watch(Command& command, const v1::GetFairnessRequest& request, int64_t limit,
                   absl::Duration interval, int64_t looks) {
  StopOnInterrupt interrupt;
  const bool redraws = command.ForPeople() && command.shell.out_is_terminal;
  for (int64_t i = 0; i < looks; ++i) {
    if (i > 0 && !interrupt.stop().Pause(interval)) break;
    if (redraws) command.shell.out << kClear;
    if (!redraws && i > 0 && command.ForPeople()) command.shell.out << "\n";
    if (absl::Status looked = ShowOnce(command, request, limit); !looked.ok()) return looked;
  }
  return absl::OkStatus();
}

absl::Status RunWith(Command& command, bool watches) {
  v1::GetFairnessRequest request;
  if (const auto tenant = command.arguments.Value("tenant")) {
    auto name = TenantName(*tenant);
    if (!name.ok()) return name.status();
    request.set_parent(*name);
  }
  auto limit =
      IntegerFlag(command, "limit", watches ? kWatchedShares : kListedShares, 1, kSharesMax);
  if (!limit.ok()) return limit.status();
  auto interval = ParseSeconds("--interval", command.arguments.ValueOr("interval", "2"));
  if (!interval.ok()) return interval.status();
  auto looks = IntegerFlag(command, "count", kLooksMax, 1, kLooksMax);
  if (!looks.ok()) return looks.status();
  if (!watches) {
    for (const char* flag : {"interval", "count"}) {
      if (command.arguments.Has(flag)) return UsageError(StrCat("--", flag, " goes with --watch"));
    }
    return ShowOnce(command, request, *limit);
  }
  const bool is_one_document =
      command.format == OutputFormat::kJson || command.format == OutputFormat::kYaml;
  if (is_one_document) return UsageError("it prints many documents: give it -o jsonl");
  return Watch(command, request, *limit, std::max(*interval, kIntervalMin), *looks);
}

}  // namespace

absl::Status RunFairness(Command& command) {
  return RunWith(command, command.arguments.Has("watch"));
}

absl::Status RunTenantsTop(Command& command) {
  return RunWith(command, /*watches=*/true);
}

}  // namespace grove::client::cli
