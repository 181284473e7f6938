#include <utility>

#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/quota_flags.h"
#include "client/cli/render.h"
#include "client/cli/tenant_verbs.h"
#include "client/cli/text.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr int64_t kListedKeysMax = 1'000'000;
constexpr int64_t kListedKeys = 100;

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

}  // namespace

absl::Status RunLimits(Command& command) {
  auto parent = command.Parent();
  if (!parent.ok()) return parent.status();
  auto limit = IntegerFlag(command, "limit", kListedKeys, 1, kListedKeysMax);
  if (!limit.ok()) return limit.status();
  v1::ListLimitsRequest request;
  request.set_parent(*parent);
  request.set_key_prefix(command.arguments.ValueOr("key", ""));
  auto limits = command.client->ListLimits(std::move(request), *limit);
  if (!limits.ok()) return limits.status();
  Print(command, *limits, [&] { return RenderLimits(*limits, ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunLimitsSet(Command& command) {
  auto parent = command.Parent();
  if (!parent.ok()) return parent.status();
  v1::SetLimitRequest request;
  request.set_parent(*parent);
  request.mutable_limit()->set_pattern(command.arguments.positional()[0]);
  const auto any = TakeLimit(command, *request.mutable_limit());
  if (!any.ok()) return any.status();
  if (!*any) {
    return UsageError(
        "nothing to bound: give --running_max, --queued_max, --spawns_per_second or "
        "--spawns_per_minute");
  }
  auto limit = command.client->SetLimit(request);
  if (!limit.ok()) return limit.status();
  v1::ListLimitsResponse alone;
  *alone.add_limits() = *limit;
  Print(command, *limit, [&] { return RenderLimits(alone, ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunLimitsDelete(Command& command) {
  auto parent = command.Parent();
  if (!parent.ok()) return parent.status();
  v1::DeleteLimitRequest request;
  request.set_parent(*parent);
  request.set_pattern(command.arguments.positional()[0]);
  if (absl::Status gone = command.client->DeleteLimit(request); !gone.ok()) return gone;
  Print(command, v1::DeleteLimitResponse(), [&] {
    return StrCat("limit ", Escape(request.pattern()), " of tenants/",
                  Escape(ShortName(command.Tenant())), " is gone\n");
  });
  return absl::OkStatus();
}

}  // namespace grove::client::cli
