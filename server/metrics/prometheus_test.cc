#include "server/metrics/prometheus.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "grove/internal/v1/link.pb.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/metrics/metric_table.h"
#include "server/metrics/own_cells.h"
#include "server/metrics/route_cells.h"
#include "server/metrics/work_pool_cells.h"

namespace grove::metrics {
namespace {

std::string_view KindName(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      return "histogram";
  }
  return "";
}

class PrometheusTest : public testing::Test {
 protected:
  PrometheusTest() : board_(*Scoreboard::Create(2)), input_{.scoreboard = board_} {
    input_.version = "1.2.3";
    for (int worker = 0; worker < 2; ++worker) board_.slot(worker).state = SlotState::kDown;
    tasks::TaskCounters::Function function{.tenant = "acme", .name = "echo"};
    function.tasks[v1::TASK_STATE_RUNNING] = 4;
    input_.tasks.functions.push_back(function);
    SharedSeries& series = board_.series();
    const uint32_t task = Number(series.tasks, "acme echo");
    series.task_cells.of[task][TaskCell::kEnded + v1::TASK_STATE_FAILED] = 6;
    series.task_cells
        .of[task][TaskCell::kOutcomes + internal::v1::AttemptEnded::OUTCOME_INTERRUPTED] = 3;
    auto& times = series.function_cells.of[Number(series.functions, "echo")];
    times[FunctionCell::kWait + BucketOf(kTaskTimeBounds, 0.3)] = 1;
    times[FunctionCell::kWait + kTaskTimeCells - 1] = 300'000;
    series.reason_cells.of[Number(series.reasons, "QUEUE_FULL")][0] = 3;
    series.schedule_cells.of[Number(series.schedules, "acme")][2] = 4;
    auto& payloads = series.payload_cells.of[Number(series.payloads, "acme")];
    payloads[PayloadCell::kUploads] = 5;
    payloads[PayloadCell::kReceivedBytes] = 600;
    series.payloads_swept = 7;
    input_.payloads.push_back({.tenant = "acme", .files = 2, .bytes = 300});
    series.call_cells.of[Number(series.calls, "OK grove.v1.TaskService/Spawn")][CallCell::kCalls] =
        2;
    auto& tenant_times = series.tenant_cells.of[Number(series.tenants, "acme")];
    tenant_times[TenantTimeCell::kWorker] = 3'000'000;
    tenant_times[TenantTimeCell::kHttp] = 1'500'000;
    TenantCells& bound = series.bound_cells.of[Number(series.bound_tenants, "acme")];
    bound.refused_requests = 2;
    bound.refused_rate = 3;
    bound.fetch_waits = 4;
    input_.tasks.tenants.push_back({.name = "acme", .share = 0.5, .fair_share = 0.25});
    for (const char* tenant : {"acme", "beta"}) {
      input_.tasks.quotas.push_back({.tenant = tenant, .quota = "queued", .used = 5, .max = 9});
    }
    input_.processes = ReadProcesses(board_);
    RouteCells route_cells(board_, 0);
    route_cells.Of("/hello/{name}", 0, 200).requests->store(7);
    for (int worker = 0; worker < 2; ++worker) {
      const auto pool = WorkPoolCells(board_, worker).Of("processes", "native");
      pool.levels[WorkPoolLevel::kSize] = 2;
      pool.levels[WorkPoolLevel::kBusy] = 1;
      pool.counts[WorkPoolCell::kCalls] = 10;
      pool.counts[WorkPoolCell::kRunMicros] = 1'250'000;
    }
    input_.tasks.queues.push_back({.tenant = "acme",
                                   .name = "mail",
                                   .queued = 5,
                                   .oldest_age_us = 2500000,
                                   .dead_letters = 3});
    input_.tasks.pools.push_back({.tenant = "acme", .name = "default", .size = 10, .running = 2});
  }

  template <typename Names>
  static uint32_t Number(Names& names, std::string_view key) {
    return SeriesIndex(names.directory()).Find(key);
  }
  std::string Render() const { return RenderMetrics(input_); }
  bool Shows(const std::string& line) const {
    return absl::StrContains(StrCat("\n", Render()), StrCat("\n", line, "\n"));
  }

  Scoreboard board_;
  MetricsInput input_;
};

TEST_F(PrometheusTest, EveryRowOfTheTableIsRenderedWithItsTypeAndHelp) {
  const std::string text = Render();
  for (const MetricRow& row : MetricTable()) {
    EXPECT_TRUE(absl::StrContains(text, StrCat("# HELP ", row.name, " ", row.help, "\n")))
        << row.name;
    EXPECT_TRUE(absl::StrContains(text, StrCat("# TYPE ", row.name, " ", KindName(row.kind), "\n")))
        << row.name;
  }
}

TEST_F(PrometheusTest, TheTableFollowsTheNamingRules) {
  std::set<std::string_view> names;
  for (const MetricRow& row : MetricTable()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " stands twice";
    EXPECT_EQ(row.kind == MetricKind::kCounter, row.name.ends_with("_total")) << row.name;
    EXPECT_TRUE(row.name.starts_with("grove_") || row.name.starts_with("process_"));
    EXPECT_TRUE(row.help.ends_with(".")) << row.name;
  }
}

TEST_F(PrometheusTest, PayloadsAreTenantsOwnAndTheRestsTogether) {
  input_.limits.tenants_max = 1;
  for (const char* tenant : {"beta", "gamma"}) {
    input_.payloads.push_back({.tenant = tenant, .files = 1, .bytes = 10});
  }
  EXPECT_TRUE(Shows("grove_payloads{tenant=\"acme\"} 2"));
  EXPECT_TRUE(Shows("grove_payload_bytes{tenant=\"acme\"} 300"));
  EXPECT_TRUE(Shows("grove_payload_uploads_total{tenant=\"acme\"} 5"));
  EXPECT_TRUE(Shows("grove_payload_received_bytes_total{tenant=\"acme\"} 600"));
  EXPECT_TRUE(Shows("grove_payload_refused_total{tenant=\"acme\"} 0"));
  EXPECT_TRUE(Shows("grove_payload_swept_total 7"));
  EXPECT_TRUE(Shows("grove_payload_bytes{tenant=\"_other\"} 20"));
}

TEST_F(PrometheusTest, PoolsOfTheApplicationsAreThoseOfAllWorkersTogether) {
  const auto labelled = [](std::string_view name, std::string_view value) {
    return StrCat("grove_work_pool_", name, "{kind=\"processes\",pool=\"native\"} ", value);
  };
  EXPECT_TRUE(Shows(labelled("size", "4")));
  EXPECT_TRUE(Shows(labelled("busy", "2")));
  EXPECT_TRUE(Shows(labelled("calls_total", "20")));
  EXPECT_TRUE(Shows(labelled("run_seconds_total", "2.5")));
  board_.Fold(0);
  EXPECT_TRUE(Shows(labelled("size", "2")));
  EXPECT_TRUE(Shows(labelled("calls_total", "20")));
}

TEST_F(PrometheusTest, PoolsForWhichThereWasNoPlaceAreOne) {
  EXPECT_FALSE(absl::StrContains(Render(), "pool=\"_other\""));
  for (size_t i = 0; i < kWorkPoolSeriesMax; ++i) {
    WorkPoolCells(board_, 0).Of("threads", StrCat("p", i)).counts[WorkPoolCell::kCalls] = 3;
  }
  EXPECT_TRUE(Shows("grove_work_pool_calls_total{kind=\"_other\",pool=\"_other\"} 3"));
}

TEST_F(PrometheusTest, QuotasAreTenantsOwnAndTheRestsTogether) {
  EXPECT_TRUE(Shows("grove_tenant_quota_used{tenant=\"acme\",quota=\"queued\"} 5"));
  EXPECT_TRUE(Shows("grove_tenant_quota_max{tenant=\"beta\",quota=\"queued\"} 9"));
}

TEST_F(PrometheusTest, WhatHttpTakesAndIsRefusedIsOfEachTenant) {
  EXPECT_TRUE(Shows("grove_tenant_worker_seconds_total{tenant=\"acme\"} 3"));
  EXPECT_TRUE(Shows("grove_tenant_http_seconds_total{tenant=\"acme\"} 1.5"));
  EXPECT_TRUE(Shows("grove_tenant_http_refused_total{tenant=\"acme\",quota=\"http_requests\"} 2"));
  EXPECT_TRUE(Shows("grove_tenant_http_refused_total{tenant=\"acme\",quota=\"http_rate\"} 3"));
  EXPECT_TRUE(Shows("grove_tenant_fetch_waits_total{tenant=\"acme\"} 4"));
}

TEST_F(PrometheusTest, EndsOfProcessesAndOperationsAreCountedByWhy) {
  board_.slot(1).exits.Count(ExitReason::kMaxRss, "max_rss: exit code 0", 1);
  board_.control().exits.Count(ExitReason::kReload, "reload: exit code 0", 1);
  board_.control().operations.ended[3][1] = 5;
  EXPECT_TRUE(Shows("grove_process_exits_total{process=\"worker-1\",reason=\"max_rss\"} 1"));
  EXPECT_TRUE(Shows("grove_process_exits_total{process=\"control\",reason=\"reload\"} 1"));
  EXPECT_TRUE(Shows("grove_operations_total{kind=\"reload\",outcome=\"failed\"} 5"));
}

TEST_F(PrometheusTest, FailedStartsAreCountedFromTheFirstScrapeOn) {
  EXPECT_TRUE(Shows("grove_process_start_failures_total{process=\"control\"} 0"));
  board_.control().worker_start_failures = 3;
  board_.control().control_start_failures = 4;
  EXPECT_TRUE(Shows("grove_process_start_failures_total{process=\"worker\"} 3"));
  EXPECT_TRUE(Shows("grove_process_start_failures_total{process=\"control\"} 4"));
}

TEST_F(PrometheusTest, TheSharedTableIsToldWhole) {
  board_.control().table.rows_max = 1024;
  board_.control().table.rows = 7;
  board_.control().table.locks = 2;
  board_.control().table.refusals = 3;
  EXPECT_TRUE(Shows("grove_shared_table_rows_max 1024"));
  EXPECT_TRUE(Shows("grove_shared_table_rows 7"));
  EXPECT_TRUE(Shows("grove_shared_table_locks 2"));
  EXPECT_TRUE(Shows("grove_shared_table_refused_total 3"));
}

TEST_F(PrometheusTest, MessagesOfTopicsAreSummedOverAWorkersProcesses) {
  board_.slot(1).live.topics_published = 5;
  board_.slot(1).live.topics_unsent = 1;
  board_.Fold(1);
  board_.slot(1).live.topics_published = 2;
  EXPECT_TRUE(Shows("grove_topic_messages_published_total{worker=\"1\"} 7"));
  EXPECT_TRUE(Shows("grove_topic_messages_unsent_total{worker=\"1\"} 1"));
  EXPECT_TRUE(Shows("grove_topic_messages_dropped_total{worker=\"0\"} 0"));
}

TEST_F(PrometheusTest, QuickDeathsAreOfEachWorker) {
  board_.slot(1).quick_deaths = 5;
  EXPECT_TRUE(Shows("grove_worker_quick_deaths{worker=\"0\"} 0"));
  EXPECT_TRUE(Shows("grove_worker_quick_deaths{worker=\"1\"} 5"));
}

TEST_F(PrometheusTest, HttpCodesAreSummedOverWorkersLiveAndDead) {
  board_.slot(0).live.http_responses[404] = 2;
  board_.slot(1).base.http_responses[404] = 3;
  board_.stand_in().live.http_responses[404] = 4;
  EXPECT_TRUE(Shows("grove_http_requests_total{code=\"404\"} 9"));
  board_.Fold(Scoreboard::kStandIn);
  EXPECT_TRUE(Shows("grove_http_requests_total{code=\"404\"} 9"));
  EXPECT_FALSE(absl::StrContains(Render(), "code=\"500\""));
}

TEST_F(PrometheusTest, RefusedRequestsAreSummedByKind) {
  const auto late = static_cast<size_t>(http::RefusalKind::kLate);
  board_.slot(0).live.http_refusals[late] = 2;
  board_.slot(1).base.http_refusals[late] = 3;
  EXPECT_TRUE(Shows("grove_http_parse_errors_by_kind_total{kind=\"late\"} 5"));
  EXPECT_TRUE(Shows("grove_http_parse_errors_by_kind_total{kind=\"framing\"} 0"));
}

TEST_F(PrometheusTest, WorkerIsUpWhenReadyAndLinked) {
  board_.slot(0).state = SlotState::kReady;
  board_.slot(1).state = SlotState::kReady;
  input_.linked = {true, false};
  EXPECT_TRUE(Shows("grove_worker_up{worker=\"0\"} 1"));
  EXPECT_TRUE(Shows("grove_worker_up{worker=\"1\"} 0"));
}

TEST_F(PrometheusTest, AStuckWorkerIsNotUp) {
  input_.linked = {true, true};
  input_.now_monotonic_ns = 100'000'000'000;
  for (const int worker : {0, 1}) {
    board_.slot(worker).state = SlotState::kReady;
    board_.slot(worker).last_turn_ns = 100'000'000'000 - (worker == 0 ? 5 : 6) * 1'000'000'000LL;
  }
  EXPECT_TRUE(Shows("grove_worker_up{worker=\"0\"} 1"));
  EXPECT_TRUE(Shows("grove_worker_up{worker=\"1\"} 0"));
}

TEST_F(PrometheusTest, UnitsAreWhatTheNamesSay) {
  for (const MetricRow& row : MetricTable()) {
    std::string_view name = row.name;
    if (name.ends_with("_total")) name.remove_suffix(6);
    for (const std::string_view unit : {"seconds", "bytes"}) {
      EXPECT_EQ(name.ends_with(StrCat("_", unit)), row.unit == unit) << row.name;
    }
    EXPECT_EQ(row.kind == MetricKind::kHistogram, !row.buckets.empty()) << row.name;
  }
}

TEST_F(PrometheusTest, TellsWhatBecameOfSpans) {
  board_.slot(0).live.spans[0] = 5;
  board_.slot(1).live.spans[0] = 2;
  board_.slot(1).base.spans[1] = 3;
  EXPECT_TRUE(Shows("grove_spans_total{end=\"told\"} 7"));
  EXPECT_TRUE(Shows("grove_spans_total{end=\"dropped\"} 3"));
  EXPECT_TRUE(Shows("grove_spans_total{end=\"failed\"} 0"));
}

TEST_F(PrometheusTest, TellsOfControlAndItsStore) {
  board_.control().restarts = 2;
  board_.control().log_lines_dropped = 3;
  board_.FoldControl();
  board_.control().log_lines_dropped = 4;
  board_.control().supervisor_log_lines_dropped = 5;
  board_.slot(1).live.log_lines_dropped = 6;
  EXPECT_TRUE(Shows("grove_log_lines_dropped_total{process=\"control\"} 7"));
  EXPECT_TRUE(Shows("grove_log_lines_dropped_total{process=\"supervisor\"} 5"));
  EXPECT_TRUE(Shows("grove_log_lines_dropped_total{process=\"worker-0\"} 0"));
  EXPECT_TRUE(Shows("grove_log_lines_dropped_total{process=\"worker-1\"} 6"));
  EXPECT_TRUE(Shows("grove_control_restarts_total 2"));
  EXPECT_TRUE(Shows("grove_audit_failing 0"));
  input_.audit_failing = true;
  input_.audit_waiting_bytes = 17;
  EXPECT_TRUE(Shows("grove_audit_failing 1"));
  EXPECT_TRUE(Shows("grove_audit_waiting_bytes 17"));
  EXPECT_TRUE(Shows("grove_store_failing 0"));
  input_.store_failing = true;
  EXPECT_TRUE(Shows("grove_store_failing 1"));
}

TEST_F(PrometheusTest, TasksAreShownByFunctionAndState) {
  EXPECT_TRUE(Shows("grove_tasks{tenant=\"acme\",function=\"echo\",state=\"running\"} 4"));
  EXPECT_TRUE(
      Shows("grove_tasks_ended_total{tenant=\"acme\",function=\"echo\",state=\"failed\"} 6"));
  EXPECT_TRUE(Shows(
      "grove_task_attempts_total{tenant=\"acme\",function=\"echo\",outcome=\"interrupted\"} 3"));
  EXPECT_TRUE(Shows("grove_tasks_rejected_total{reason=\"QUEUE_FULL\"} 3"));
  EXPECT_TRUE(Shows("grove_schedule_runs_total{tenant=\"acme\",outcome=\"missed\"} 4"));
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"acme\",queue=\"mail\"} 5"));
  EXPECT_TRUE(Shows("grove_queue_oldest_age_seconds{tenant=\"acme\",queue=\"mail\"} 2.5"));
  EXPECT_TRUE(Shows("grove_queue_dead_letters{tenant=\"acme\",queue=\"mail\"} 3"));
  EXPECT_TRUE(Shows("grove_pool_size{tenant=\"acme\",pool=\"default\"} 10"));
}

TEST_F(PrometheusTest, BucketsAreCumulative) {
  EXPECT_TRUE(Shows("grove_task_queue_wait_seconds_bucket{function=\"echo\",le=\"0.1\"} 0"));
  EXPECT_TRUE(Shows("grove_task_queue_wait_seconds_bucket{function=\"echo\",le=\"0.5\"} 1"));
  EXPECT_TRUE(Shows("grove_task_queue_wait_seconds_bucket{function=\"echo\",le=\"+Inf\"} 1"));
  EXPECT_TRUE(Shows("grove_task_queue_wait_seconds_count{function=\"echo\"} 1"));
}

TEST_F(PrometheusTest, NamesBeyondTheLimitAreAddedUpAndThoseUsedMostAreShown) {
  input_.limits.names_max = 2;
  input_.tasks.queues.clear();
  for (int i = 0; i < 5; ++i) {
    input_.tasks.queues.push_back({.tenant = StrCat("t", i), .name = "default", .queued = i + 1});
  }
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"_other\",queue=\"_other\"} 6"));
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"t3\",queue=\"default\"} 4"));
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"t4\",queue=\"default\"} 5"));
  EXPECT_TRUE(Shows("grove_metrics_series_folded 3"));
  // As decided, whoever is used most now.
  input_.tasks.queues[0].queued = 100;
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"t4\",queue=\"default\"} 5"));
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"_other\",queue=\"_other\"} 105"));
}

TEST_F(PrometheusTest, RequestsAreShownByRouteMethodAndCode) {
  http::RouteStats::Cells cells = RouteCells(board_, 1).Of("/hello/{name}", 0, 200);
  cells.requests->store(2);
  cells.durations[0] = 2;
  cells.durations.back() = 500;
  RouteCells(board_, Scoreboard::kStandIn).Of({}, 2, 404).requests->store(1);
  EXPECT_TRUE(
      Shows("grove_http_route_requests_total{route=\"/hello/{name}\",method=\"GET\","
            "code=\"200\"} 9"));
  EXPECT_TRUE(
      Shows("grove_http_route_requests_total{route=\"_none\",method=\"POST\","
            "code=\"404\"} 1"));
  EXPECT_TRUE(Shows("grove_http_route_request_duration_seconds_count{route=\"/hello/{name}\"} 2"));
  EXPECT_TRUE(
      Shows("grove_http_route_request_duration_seconds_sum{route=\"/hello/{name}\"} 0.0005"));
}

TEST_F(PrometheusTest, NoSumOfARouteFallsWhenItsWorkerDies) {
  const char* kLine =
      "grove_http_route_requests_total{route=\"/hello/{name}\",method=\"GET\",code=\"200\"} 7";
  EXPECT_TRUE(Shows(kLine));
  board_.Fold(0);
  EXPECT_TRUE(Shows(kLine));
  EXPECT_EQ(board_.worker_series(0).requests.of[1][0], 0u);
}

TEST_F(PrometheusTest, LabelsMayBeAnyBytes) {
  RouteCells(board_, 0).Of("/a\"b\\c\nd\xff/\xc3\xa9\xc3", 0, 200).requests->store(1);
  EXPECT_TRUE(
      Shows("grove_http_route_requests_total{route=\"/a\\\"b\\\\c\\nd\xef\xbf\xbd/"
            "\xc3\xa9\xef\xbf\xbd\",method=\"GET\",code=\"200\"} 1"));
}

TEST_F(PrometheusTest, EveryProcessIsShownAndItsCpuTimeOutlivesIt) {
  DaemonProcess worker{.name = "worker-0", .index = 0, .pid = 41};
  worker.numbers.cpu_seconds = 3;
  worker.numbers.open_fds = 12;
  input_.processes[0] = worker;
  EXPECT_TRUE(Shows("grove_process_cpu_seconds_total{process=\"worker-0\"} 3"));
  EXPECT_TRUE(Shows("grove_process_open_fds{process=\"worker-0\"} 12"));
  input_.processes[0].pid = 0;
  input_.processes[0].numbers = {};
  EXPECT_TRUE(Shows("grove_process_cpu_seconds_total{process=\"worker-0\"} 3"));
  EXPECT_FALSE(absl::StrContains(Render(), "grove_process_open_fds{process=\"worker-0\"}"));
  input_.processes[0].pid = 42;
  input_.processes[0].numbers.cpu_seconds = 1;
  EXPECT_TRUE(Shows("grove_process_cpu_seconds_total{process=\"worker-0\"} 4"));
}

TEST_F(PrometheusTest, PromtoolAcceptsTheTextWithoutComplaints) {
  if (std::system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "no promtool here";
  const std::string path = testing::TempDir() + "/metrics.txt";
  std::ofstream(path) << Render();
  FILE* promtool = popen(StrCat("promtool check metrics <", path, " 2>&1").c_str(), "r");
  ASSERT_NE(promtool, nullptr);
  std::string said;
  for (int c; (c = fgetc(promtool)) != EOF;) said.push_back(static_cast<char>(c));
  EXPECT_EQ(pclose(promtool), 0);
  EXPECT_EQ(said, "");
}

TEST(ProcessNumbers, DescribeThisProcess) {
  const ProcessNumbers numbers = ProcessNumbers::Of(getpid());
  EXPECT_GT(numbers.resident_bytes, 100000);
  EXPECT_GT(numbers.virtual_bytes, numbers.resident_bytes);
  EXPECT_GE(numbers.threads, 1);
  EXPECT_GE(numbers.open_fds, 3);
  EXPECT_GT(numbers.start_time_seconds, 1.6e9);
  EXPECT_GE(numbers.max_fds, numbers.open_fds);
  EXPECT_EQ(ProcessNumbers::Of(0).resident_bytes, 0);
}

TEST_F(PrometheusTest, ShowsTheApplicationsMetricsAsTheSumOfTheWorkersAndTheDead) {
  OwnMetrics metrics;
  metrics.Counter({.name = "orders_total", .help = "Orders.", .labels = {"kind"}});
  metrics.Gauge({.name = "open_things", .help = "Open."});
  metrics.Gauge({.name = "oldest_seconds", .help = "Oldest.", .largest = true});
  metrics.Histogram({.name = "order_seconds", .help = "Time.", .buckets = {0.1, 1}});
  ASSERT_TRUE(DeclareOwnMetrics(metrics, board_.series().own));
  OwnCells first(board_, 0, metrics), second(board_, 1, metrics);
  first.Find(0, {"a\"b"})->store(3);
  board_.Fold(0);
  first.Find(0, {"a\"b"})->store(4);
  second.Find(0, {"a\"b"})->store(5);
  for (OwnCells* cells : {&first, &second}) {
    const double level = cells == &first ? 2 : 5;
    cells->Find(1, {})->store(GaugeBits(level));
    cells->Find(2, {})->store(GaugeBits(-level));
    cells->Find(3, {})[1].store(1);
    cells->Find(3, {})[4].store(500'000);
  }
  const std::string text = RenderMetrics(input_);
  for (const char* line :
       {"# HELP orders_total Orders.\n# TYPE orders_total counter\n",
        "\norders_total{kind=\"a\\\"b\"} 12\n", "\nopen_things 7\n", "\noldest_seconds -2\n",
        "\norder_seconds_bucket{le=\"0.1\"} 0\n", "\norder_seconds_bucket{le=\"+Inf\"} 2\n",
        "\norder_seconds_sum 1\n", "\norder_seconds_count 2\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace grove::metrics
