#include "server/control/debug_app.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::control {
namespace {

using admin::Json;

struct Asked {
  int worker = 0;
  std::string why;  // it did not answer, if it did not
  std::shared_ptr<ValuesQuery> query;
};

absl::StatusOr<std::vector<int>> WorkersOf(const DebugInput& input, const admin::Query& query) {
  const int workers = input.scoreboard.workers();
  if (query.has("worker")) {
    const absl::StatusOr<int64_t> worker = query.Number("worker", 0, workers - 1, 0);
    if (!worker.ok()) return worker.status();
    return std::vector<int>{static_cast<int>(*worker)};
  }
  std::vector<int> wanted;
  for (int worker = 0; worker < workers; ++worker) {
    const metrics::SlotState state = input.scoreboard.slot(worker).state.load();
    if (state == metrics::SlotState::kEmpty || state == metrics::SlotState::kDown) continue;
    wanted.push_back(worker);
  }
  return wanted;
}

// All of them at once. **Parks.**
std::vector<Asked> Ask(const DebugInput& input, const std::vector<int>& workers,
                       const internal::v1::ReadValues& request) {
  std::vector<Asked> asked;
  for (const int worker : workers) {
    Asked& one = asked.emplace_back();
    one.worker = worker;
    one.why = WhyNotAsked(input.scoreboard, input.links, worker, input.hub.ReadClock());
    if (!one.why.empty()) continue;
    one.query = input.links.Find(worker)->QueryValues(request);
    one.why = one.query == nullptr ? "too many ask for its values"
                                   : StrCat("its hub has not answered for ",
                                            absl::ToInt64Seconds(kFibersTimeout), " s");
  }
  const Timeout timeout(kFibersTimeout);
  for (const Asked& one : asked) {
    // After the time-out, answers that are there still count.
    if (one.query != nullptr) one.query->done.Wait().IgnoreError();
  }
  return asked;
}

Json ValueRow(int worker, const internal::v1::ApplicationValue& value) {
  Json row = {{"worker", worker}, {"name", value.name()}, {"description", value.description()}};
  if (value.has_error()) {
    row["error"] = value.error().message();
  } else {
    row["value"] = value.text();
    if (value.cut()) row["cut"] = true;
  }
  return row;
}

}  // namespace

absl::StatusOr<Json> DebugApp(const DebugInput& input, const admin::Query& query) {
  const auto workers = WorkersOf(input, query);
  if (!workers.ok()) return workers.status();
  if (query.has("argument") && !query.has("name")) {
    return absl::InvalidArgumentError("argument: goes with name");
  }
  internal::v1::ReadValues request;
  if (query.has("name")) request.set_name(std::string(query.Text("name")));
  if (query.has("argument")) request.set_argument(std::string(query.Text("argument")));
  Json page = {
      {"processes", Json::array()}, {"values", Json::array()}, {"commands", Json::array()}};
  std::map<std::string, std::string> commands;
  for (const Asked& asked : Ask(input, *workers, request)) {
    Json process = {{"process", StrCat("worker-", asked.worker)}, {"read", "hub"}};
    if (asked.query == nullptr || asked.query->reply == nullptr) {
      // The link may have gone meanwhile, and its queries with it.
      WorkerLink* const link = input.links.Find(asked.worker);
      if (asked.query != nullptr && link != nullptr) link->ForgetQuery(*asked.query);
      process["read"] = asked.why;
      process["unreachable"] = true;
      page["processes"].push_back(std::move(process));
      continue;
    }
    process["more"] = asked.query->reply->more();
    page["processes"].push_back(std::move(process));
    for (const internal::v1::ApplicationValue& value : asked.query->reply->values()) {
      if (value.is_command()) {
        commands.emplace(value.name(), value.description());
      } else {
        page["values"].push_back(ValueRow(asked.worker, value));
      }
    }
  }
  for (const auto& [name, description] : commands) {
    page["commands"].push_back({{"name", name}, {"description", description}});
  }
  return page;
}

}  // namespace grove::control
