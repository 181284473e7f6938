#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/color.h"
#include "client/cli/error_line.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/client.h"
#include "client/status_details.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

std::string KindName(v1::Operation::Kind kind) {
  return ShortEnumName(*v1::Operation::Kind_descriptor(), kind);
}

// Of one that has begun.
std::string TookText(const v1::Operation& operation, const View& view) {
  if (!operation.has_start_time()) return "";
  const absl::Time end = operation.has_end_time() ? ToTime(operation.end_time()) : view.now;
  return DurationText(std::max(end - ToTime(operation.start_time()), absl::ZeroDuration()));
}

std::string StepsText(const v1::Operation& operation) {
  if (operation.steps() == 0) return "";
  return absl::StrCat(operation.steps_done(), "/", operation.steps());
}

std::string ErrorText(const v1::Operation& operation) {
  return operation.has_error() ? DescribeError(ToAbslStatus(operation.error())) : "";
}

std::string_view EffectText(v1::ConfigChange::Effect effect) {
  switch (effect) {
    case v1::ConfigChange::EFFECT_IN_PLACE:
      return "in place";
    case v1::ConfigChange::EFFECT_REPLACES_WORKERS:
      return "replaces the workers";
    case v1::ConfigChange::EFFECT_REPLACES_CONTROL:
      return "replaces control";
    case v1::ConfigChange::EFFECT_NEEDS_RESTART:
      return "needs a restart of the daemon; a reload is refused";
    default:
      return "";
  }
}

std::string ValueLine(std::string_view sign, const std::string& key, const std::string& value) {
  return Escape(
      absl::StrCat(std::string(sign), " ", key, ": ", value.empty() ? "(default)" : value));
}

}  // namespace

std::string OperationStateName(v1::Operation::State state) {
  return ShortEnumName(*v1::Operation::State_descriptor(), state);
}

std::string RenderOperations(const List<v1::Operation>& operations, const View& view) {
  Table table({{"OPERATION", Kind::kId},
               {"KIND", Kind::kId},
               {"STATE", Kind::kState},
               "STARTED",
               "TOOK",
               "STEPS",
               "BY",
               "MESSAGE",
               {"ERROR", Kind::kWide}});
  for (const v1::Operation& operation : operations) {
    table.Add({ShortName(operation.name()), KindName(operation.kind()),
               OperationStateName(operation.state()), AgeText(operation.start_time(), view.now),
               TookText(operation, view), StepsText(operation), operation.requested_by(),
               operation.message(), ErrorText(operation)});
  }
  return table.Render(view.look);
}

std::string RenderOperation(const v1::Operation& operation, const View& view) {
  return RenderFields({{"operation", operation.name()},
                       {"kind", KindName(operation.kind())},
                       {"state", OperationStateName(operation.state())},
                       {"message", operation.message()},
                       {"steps", StepsText(operation)},
                       {"requested by", operation.requested_by()},
                       {"started", AgeText(operation.start_time(), view.now)},
                       {"took", TookText(operation, view)},
                       {"error", ErrorText(operation)}},
                      view.look);
}

std::string RenderConfigDiff(const List<v1::ConfigChange>& changes, const View& view) {
  std::string text;
  for (const v1::ConfigChange& change : changes) {
    const std::string before = ValueLine("-", change.key(), change.old_value());
    const std::string after = ValueLine("+", change.key(), change.new_value());
    absl::StrAppend(&text, view.look.colors ? Red(before) : before, "\n",
                    view.look.colors ? Green(after) : after, "  # ",
                    std::string(EffectText(change.effect())), "\n");
  }
  return text;
}

}  // namespace grove::client::cli
