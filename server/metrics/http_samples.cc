#include "server/metrics/http_samples.h"

#include <array>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "http/message/refusal.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/serving/stats.h"
#include "server/metrics/label_set.h"
#include "server/tracing/span_end.h"

namespace grove::metrics {
namespace {

uint64_t Load(const WorkerCounters::Counter& counter) {
  return counter.load(std::memory_order_relaxed);
}

// What is told of all workers together counts the stand-in too, whose slot comes after theirs.
void AddByCode(const Scoreboard& board, MetricFamilies& families) {
  for (int code = 0; code < WorkerCounters::kHttpCodes; ++code) {
    uint64_t total = 0;
    board.ForEachSlot([&](const WorkerSlot& slot) {
      total += Load(slot.base.http_responses[code]) + Load(slot.live.http_responses[code]);
    });
    // 200 stands from the start, so that rates have a first sample.
    if (total > 0 || code == 200) families.Add("grove_http_requests_total", {StrCat(code)}, total);
  }
}

// Live and dead, of all workers and the stand-in.
template <size_t kCount>
std::array<uint64_t, kCount> Sums(
    const Scoreboard& board,
    std::array<WorkerCounters::Counter, kCount> WorkerCounters::*counters) {
  std::array<uint64_t, kCount> sums{};
  board.ForEachSlot([&](const WorkerSlot& slot) {
    for (size_t i = 0; i < kCount; ++i) {
      sums[i] += Load((slot.base.*counters)[i]) + Load((slot.live.*counters)[i]);
    }
  });
  return sums;
}

uint64_t Sum(const Scoreboard& board, WorkerCounters::Counter WorkerCounters::*counter) {
  uint64_t sum = 0;
  board.ForEachSlot([&](const WorkerSlot& slot) { sum += Scoreboard::Total(slot, counter); });
  return sum;
}

void AddTotals(const Scoreboard& board, MetricFamilies& families) {
  const auto methods = Sums(board, &WorkerCounters::http_methods);
  for (size_t i = 0; i < methods.size(); ++i) {
    families.Add("grove_http_requests_by_method_total", {std::string(http::kCountedMethods[i])},
                 methods[i]);
  }
  const auto refusals = Sums(board, &WorkerCounters::http_refusals);
  for (size_t i = 0; i < refusals.size(); ++i) {
    families.Add("grove_http_parse_errors_by_kind_total", {std::string(http::kRefusalKinds[i])},
                 refusals[i]);
  }
  const auto timeouts = Sums(board, &WorkerCounters::http_timeouts);
  for (size_t i = 0; i < timeouts.size(); ++i) {
    families.Add("grove_http_timeouts_total", {std::string(http::kTimedOut[i])}, timeouts[i]);
  }
  families.AddHistogram(
      "grove_http_request_duration_seconds", {}, Sums(board, &WorkerCounters::http_durations),
      static_cast<double>(Sum(board, &WorkerCounters::http_duration_microseconds)) / 1e6);
  const auto outcomes = Sums(board, &WorkerCounters::fetch_outcomes);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    families.Add("grove_fetches_total", {std::string(functions::kFetchOutcomes[i].name)},
                 outcomes[i]);
  }
  const auto spans = Sums(board, &WorkerCounters::spans);
  static_assert(spans.size() == tracing::kSpanEnds.size());
  for (size_t i = 0; i < spans.size(); ++i) {
    families.Add("grove_spans_total", {std::string(tracing::kSpanEnds[i])}, spans[i]);
  }
  const auto put_off = Sums(board, &WorkerCounters::origin_put_off);
  for (size_t i = 0; i < put_off.size(); ++i) {
    families.Add("grove_origin_put_off_total", {std::string(functions::kOriginBounds[i])},
                 put_off[i]);
  }
  families.Add("grove_origin_breaker_openings_total", {},
               Sum(board, &WorkerCounters::origin_breaker_openings));
  families.AddHistogram(
      "grove_fetch_duration_seconds", {}, Sums(board, &WorkerCounters::fetch_durations),
      static_cast<double>(Sum(board, &WorkerCounters::fetch_duration_microseconds)) / 1e6);
}

// The dead's cells and every worker's.
template <typename Cells>
std::vector<const Cells*> AllCells(const Scoreboard& board, Cells WorkerSeries::*cells) {
  std::vector<const Cells*> all = {&(board.series().dead.*cells)};
  for (int worker = 0; worker < board.workers(); ++worker) {
    all.push_back(&(board.worker_series(worker).*cells));
  }
  all.push_back(&(board.worker_series(Scoreboard::kStandIn).*cells));
  return all;
}

template <size_t kMax, size_t kCells>
std::array<uint64_t, kCells> SumOf(const std::vector<const SeriesCells<kMax, kCells>*>& all,
                                   uint32_t number) {
  std::array<uint64_t, kCells> sum{};
  for (const SeriesCells<kMax, kCells>* cells : all) {
    for (size_t i = 0; i < kCells; ++i) sum[i] += Load(cells->of[number][i]);
  }
  return sum;
}

struct RequestKey {
  std::string_view method, code, route;

  // "GET 200 /pattern".
  static RequestKey Of(std::string_view key) {
    const size_t first = key.find(' ');
    const size_t second = key.find(' ', first + 1);
    return {key.substr(0, first), key.substr(first + 1, second - first - 1),
            key.substr(second + 1)};
  }
};

LabelSet AdmitRoutes(const MetricsInput& input,
                     const std::vector<std::pair<std::string, uint64_t>>& requests) {
  LabelSet routes(input.scoreboard.series().shown_routes.directory(), input.limits.routes_max);
  std::vector<LabelSet::Candidate> candidates;
  candidates.reserve(requests.size());
  for (const auto& [key, count] : requests) {
    candidates.push_back({std::string(RequestKey::Of(key).route), static_cast<double>(count)});
  }
  routes.Admit(std::move(candidates));
  return routes;
}

void AddRouteDurations(Scoreboard& board, uint32_t claimed, LabelSet& routes,
                       MetricFamilies& families) {
  const auto all = AllCells(board, &WorkerSeries::routes);
  const SeriesDirectory names = board.series().routes.directory();
  std::map<std::string, std::array<uint64_t, kRouteCells>> shown;
  for (uint32_t number = 0; number <= claimed; ++number) {
    const bool is_other = number == kOtherSeries;
    if (!is_other && names.key(number).empty()) continue;
    const auto sum = SumOf(all, number);
    if (is_other && sum == decltype(sum){}) continue;
    auto& into = shown[is_other ? kOther : routes.Shown(names.key(number))];
    for (size_t i = 0; i < into.size(); ++i) into[i] += sum[i];
  }
  for (const auto& [route, cells] : shown) {
    families.AddHistogram("grove_http_route_request_duration_seconds", {route},
                          absl::MakeConstSpan(cells).first(kRouteCells - 1),
                          static_cast<double>(cells.back()) / 1e6);
  }
}

size_t AddByRoute(const MetricsInput& input, MetricFamilies& families) {
  Scoreboard& board = input.scoreboard;
  const auto all = AllCells(board, &WorkerSeries::requests);
  const SeriesDirectory names = board.series().requests.directory();
  // Before the requests, whose key comes first: so each of these has been decided on.
  const uint32_t routes_claimed = board.series().routes.directory().claimed();
  std::vector<std::pair<std::string, uint64_t>> requests;
  for (uint32_t number = 1; number <= names.claimed(); ++number) {
    if (names.key(number).empty()) continue;
    requests.emplace_back(names.key(number), SumOf(all, number)[0]);
  }
  LabelSet routes = AdmitRoutes(input, requests);
  std::map<std::tuple<std::string, std::string, std::string>, uint64_t> shown;
  for (const auto& [key, count] : requests) {
    const RequestKey of = RequestKey::Of(key);
    shown[{routes.Shown(of.route), std::string(of.method), std::string(of.code)}] += count;
  }
  if (const uint64_t other = SumOf(all, kOtherSeries)[0]; other > 0) {
    shown[{kOther, kOther, kOther}] += other;
  }
  for (const auto& [labels, count] : shown) {
    const auto& [route, method, code] = labels;
    families.Add("grove_http_route_requests_total", {route, method, code}, count);
  }
  AddRouteDurations(board, routes_claimed, routes, families);
  return routes.folded();
}

}  // namespace

size_t AddHttp(const MetricsInput& input, MetricFamilies& families) {
  AddByCode(input.scoreboard, families);
  AddTotals(input.scoreboard, families);
  return AddByRoute(input, families);
}

}  // namespace grove::metrics
