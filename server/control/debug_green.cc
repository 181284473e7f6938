#include "server/control/debug_green.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/link/green_list.h"

namespace grove::control {
namespace {

using admin::Json;

struct Wanted {
  std::vector<int> workers;
  size_t limit = 0;
};

absl::StatusOr<Wanted> WantedOf(const DebugInput& input, const admin::Query& query) {
  Wanted wanted;
  const int workers = input.scoreboard.workers();
  for (int worker = 0; worker < workers; ++worker) {
    const metrics::SlotState state = input.scoreboard.slot(worker).state.load();
    if (state == metrics::SlotState::kEmpty || state == metrics::SlotState::kDown) continue;
    wanted.workers.push_back(worker);
  }
  if (query.has("worker")) {
    const absl::StatusOr<int64_t> worker = query.Number("worker", 0, workers - 1, 0);
    if (!worker.ok()) return worker.status();
    wanted.workers = {static_cast<int>(*worker)};
  }
  const absl::StatusOr<int64_t> limit = query.Number("limit", 1, kGreenRowsMax, kGreenRowsDefault);
  if (!limit.ok()) return limit.status();
  wanted.limit = static_cast<size_t>(*limit);
  return wanted;
}

struct Asked {
  int worker = 0;
  std::string why;  // it did not answer, if it did not
  std::shared_ptr<GreenQuery> query;
};

// Each of them at once. **Parks.**
std::vector<Asked> Ask(const DebugInput& input, const std::vector<int>& workers) {
  std::vector<Asked> asked;
  for (const int worker : workers) {
    Asked& one = asked.emplace_back();
    one.worker = worker;
    one.why = WhyNotAsked(input.scoreboard, input.links, worker, input.hub.ReadClock());
    if (!one.why.empty()) continue;
    one.query = input.links.Find(worker)->QueryGreenCalls(link::kGreenCallsPerReplyMax);
    one.why = one.query == nullptr ? "too many ask for its calls"
                                   : StrCat("its hub has not answered for ",
                                            absl::ToInt64Seconds(kFibersTimeout), " s");
  }
  Timeout timeout(kFibersTimeout);
  for (const Asked& one : asked) {
    // After the time-out, answers that are there still count.
    if (one.query != nullptr) one.query->done.Wait().IgnoreError();
  }
  return asked;
}

// The calls of one place, of all workers.
struct Row {
  int workers = 0;
  internal::v1::GreenCall sum;

  uint64_t held() const { return sum.escaped() + sum.refused(); }
  uint64_t all() const { return held() + sum.ready() + sum.parked() + sum.offloaded(); }
};

void Add(const internal::v1::GreenCall& call, Row& row) {
  if (row.workers++ == 0) {
    row.sum = call;
    return;
  }
  row.sum.set_ready(row.sum.ready() + call.ready());
  row.sum.set_parked(row.sum.parked() + call.parked());
  row.sum.set_offloaded(row.sum.offloaded() + call.offloaded());
  row.sum.set_escaped(row.sum.escaped() + call.escaped());
  row.sum.set_refused(row.sum.refused() + call.refused());
  row.sum.set_blocked_us(row.sum.blocked_us() + call.blocked_us());
}

Json RowText(const Row& row) {
  return {{"call", row.sum.function()},
          {"library", row.sum.library()},
          {"caller", row.sum.caller()},
          {"workers", row.workers},
          {"escaped", row.sum.escaped()},
          {"refused", row.sum.refused()},
          {"blocked_s", static_cast<double>(row.sum.blocked_us()) / 1e6},
          {"offloaded", row.sum.offloaded()},
          {"parked", row.sum.parked()},
          {"ready", row.sum.ready()}};
}

std::vector<Row> InOrder(std::vector<Row> rows) {
  // Stable: by library and caller where nothing else tells them apart.
  std::stable_sort(rows.begin(), rows.end(), [](const Row& one, const Row& other) {
    const auto rank = [](const Row& row) {
      return std::tuple(row.held() > 0, row.sum.blocked_us(), row.all());
    };
    return rank(one) > rank(other);
  });
  return rows;
}

}  // namespace

absl::StatusOr<Json> DebugGreen(const DebugInput& input, const admin::Query& query) {
  const absl::StatusOr<Wanted> wanted = WantedOf(input, query);
  if (!wanted.ok()) return wanted.status();
  Json processes = Json::array();
  std::map<std::tuple<std::string, std::string, std::string>, Row> places;
  for (const Asked& asked : Ask(input, wanted->workers)) {
    Json process = {{"process", StrCat("worker-", asked.worker)}};
    if (asked.query == nullptr || asked.query->reply == nullptr) {
      // The link may have gone meanwhile, and its queries with it.
      WorkerLink* const link = input.links.Find(asked.worker);
      if (asked.query != nullptr && link != nullptr) link->ForgetQuery(*asked.query);
      process["read"] = asked.why;
      process["unreachable"] = true;
      processes.push_back(std::move(process));
      continue;
    }
    const internal::v1::ListGreenCallsReply& reply = *asked.query->reply;
    for (const internal::v1::GreenCall& call : reply.calls()) {
      Add(call, places[{call.library(), call.caller(), call.function()}]);
    }
    process["read"] = "hub";
    process["calls"] = reply.calls_size();
    process["more"] = reply.more();
    processes.push_back(std::move(process));
  }
  std::vector<Row> rows;
  rows.reserve(places.size());
  for (auto& [place, row] : places) rows.push_back(std::move(row));
  rows = InOrder(std::move(rows));
  Json page = {{"processes", std::move(processes)},
               {"more", rows.size() > wanted->limit},
               {"calls", Json::array()}};
  rows.resize(std::min(rows.size(), wanted->limit));
  for (const Row& row : rows) page["calls"].push_back(RowText(row));
  return page;
}

}  // namespace grove::control
