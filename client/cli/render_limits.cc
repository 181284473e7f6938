#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/quota_flags.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

std::string BoundText(int64_t max) {
  return max == 0 ? "" : absl::StrCat(max);
}

std::string UsedText(int64_t used, int64_t max) {
  return max == 0 ? absl::StrCat(used) : absl::StrCat(used, " of ", max);
}

}  // namespace

std::string RenderLimits(const v1::ListLimitsResponse& limits, const View& view) {
  Table bounds(
      {{"LIMIT", Kind::kId}, "RUNNING", "QUEUED", "SPAWNS", "CHANGED", {"FROM", Kind::kWide}});
  for (const v1::Limit& limit : limits.limits()) {
    bounds.Add({limit.pattern(), BoundText(limit.running_max()), BoundText(limit.queued_max()),
                RateText(limit),
                limit.has_update_time() ? AgeText(limit.update_time(), view.now) : "",
                limit.from_config() ? "config" : ""});
  }
  std::string text = bounds.Render(view.look);
  if (limits.keys().empty()) return text;
  Table keys({{"KEY", Kind::kId}, {"LIMIT", Kind::kId}, "RUNNING", "QUEUED"});
  for (const v1::LimitUsage& key : limits.keys()) {
    keys.Add({key.key(), key.pattern(), UsedText(key.running(), key.running_max()),
              UsedText(key.queued(), key.queued_max())});
  }
  return absl::StrCat(text, text.empty() ? "" : "\n", keys.Render(view.look));
}

}  // namespace grove::client::cli
