// Why a task waits, and how many tasks there are.
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

std::string ExpectedText(const v1::WaitExplanation& why, const View& view) {
  return why.has_expected_start_time() ? AgeText(why.expected_start_time(), view.now) : "not known";
}

std::string UsedText(const v1::WaitExplanation& why) {
  return why.limit() == 0 ? "" : absl::StrCat(why.used(), " of ", why.limit());
}

}  // namespace

std::string RenderCounts(const v1::CountTasksResponse& counts, const View& view) {
  Table table({{"STATE", Kind::kState}, "TASKS"});
  for (int number = 1; number < v1::TaskState_ARRAYSIZE; ++number) {
    const std::string state = StateName(static_cast<v1::TaskState>(number));
    const auto found = counts.by_state().find(state);
    if (found == counts.by_state().end()) continue;
    table.Add({state, absl::StrCat(found->second)});
  }
  table.Add({"all", absl::StrCat(counts.total())});
  return table.Render(view.look);
}

std::string RenderExplanation(const v1::ExplainTaskResponse& explained, const View& view) {
  const v1::Task& task = explained.task();
  std::vector<std::pair<std::string, std::string>> fields = {{"name", task.name()},
                                                             {"state", StateName(task.state())}};
  if (explained.has_wait()) {
    fields.emplace_back("waits for", explained.wait().text());
    fields.emplace_back("expected start", ExpectedText(explained.wait(), view));
  } else {
    fields.emplace_back("waits for", "nothing");
  }
  std::string text = RenderFields(fields, view.look);
  if (explained.all_size() < 2) return text;
  Table table({"CAUSE", {"OF", Kind::kId}, "USED", "AHEAD", "WAITS FOR"});
  for (const v1::WaitExplanation& why : explained.all()) {
    table.Add({ShortEnumName(*v1::WaitExplanation::Cause_descriptor(), why.cause()), why.subject(),
               UsedText(why), why.ahead() == 0 ? "" : absl::StrCat(why.ahead()), why.text()});
  }
  return absl::StrCat(text, "\n", table.Render(view.look));
}

}  // namespace grove::client::cli
