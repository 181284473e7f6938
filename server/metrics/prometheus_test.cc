#include "server/metrics/prometheus.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/metrics/metric_table.h"

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
    tasks::TaskCounters::Function function{.name = "echo"};
    function.tasks[v1::TASK_STATE_RUNNING] = 4;
    function.tasks_ended[v1::TASK_STATE_FAILED] = 6;
    function.attempts_ended[internal::v1::AttemptEnded::OUTCOME_INTERRUPTED] = 3;
    input_.tasks.functions.push_back(function);
    input_.tasks.queues.push_back(
        {.tenant = "acme", .name = "mail", .queued = 5, .oldest_age_us = 2500000});
    input_.tasks.pools.push_back({.tenant = "acme", .name = "default", .size = 10, .running = 2});
    input_.tasks.rejected["QUEUE_FULL"] = 2;
    input_.rejected["QUEUE_FULL"] = 1;
    input_.queue_wait.Observe(0.3);
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

TEST_F(PrometheusTest, HttpCodesAreSummedOverWorkersLiveAndDead) {
  board_.slot(0).live.http_responses[404] = 2;
  board_.slot(1).base.http_responses[404] = 3;
  board_.stand_in().live.http_responses[404] = 4;
  EXPECT_TRUE(Shows("grove_http_requests_total{code=\"404\"} 9"));
  board_.Fold(Scoreboard::kStandIn);
  EXPECT_TRUE(Shows("grove_http_requests_total{code=\"404\"} 9"));
  EXPECT_FALSE(absl::StrContains(Render(), "code=\"500\""));
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
  EXPECT_TRUE(Shows("grove_store_failing 0"));
  input_.store_failing = true;
  EXPECT_TRUE(Shows("grove_store_failing 1"));
}

TEST_F(PrometheusTest, TasksAreShownByFunctionAndState) {
  EXPECT_TRUE(Shows("grove_tasks{function=\"echo\",state=\"running\"} 4"));
  EXPECT_TRUE(Shows("grove_tasks_ended_total{function=\"echo\",state=\"failed\"} 6"));
  EXPECT_TRUE(Shows("grove_task_attempts_total{function=\"echo\",outcome=\"interrupted\"} 3"));
  EXPECT_TRUE(Shows("grove_tasks_rejected_total{reason=\"QUEUE_FULL\"} 3"));
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"acme\",queue=\"mail\"} 5"));
  EXPECT_TRUE(Shows("grove_queue_oldest_age_seconds{tenant=\"acme\",queue=\"mail\"} 2.5"));
  EXPECT_TRUE(Shows("grove_pool_size{tenant=\"acme\",pool=\"default\"} 10"));
}

TEST_F(PrometheusTest, BucketsAreCumulative) {
  EXPECT_TRUE(Shows("grove_task_queue_wait_seconds_bucket{le=\"0.1\"} 0"));
  EXPECT_TRUE(Shows("grove_task_queue_wait_seconds_bucket{le=\"0.5\"} 1"));
  EXPECT_TRUE(Shows("grove_task_queue_wait_seconds_bucket{le=\"+Inf\"} 1"));
  EXPECT_TRUE(Shows("grove_task_queue_wait_seconds_count 1"));
}

TEST_F(PrometheusTest, SeriesBeyondTheLimitAreAddedUp) {
  input_.tasks.queues.clear();
  for (size_t i = 0; i < kSeriesMax + 3; ++i) {
    input_.tasks.queues.push_back({.tenant = StrCat("t", i), .name = "default", .queued = 2});
  }
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"_other\",queue=\"_other\"} 6"));
  EXPECT_TRUE(Shows("grove_queue_depth{tenant=\"t199\",queue=\"default\"} 2"));
  EXPECT_FALSE(absl::StrContains(Render(), "tenant=\"t200\""));
  EXPECT_TRUE(Shows("grove_metrics_series_folded 3"));
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
  const ProcessNumbers numbers = ProcessNumbers::Read();
  EXPECT_GT(numbers.resident_bytes, 100000);
  EXPECT_GT(numbers.virtual_bytes, numbers.resident_bytes);
  EXPECT_GE(numbers.threads, 1);
  EXPECT_GE(numbers.open_fds, 3);
  EXPECT_GT(numbers.start_time_seconds, 1.6e9);
  EXPECT_NEAR(static_cast<double>(ResidentBytes(getpid())),
              static_cast<double>(numbers.resident_bytes), 4e6);
  EXPECT_EQ(ResidentBytes(0), 0);
}

}  // namespace
}  // namespace grove::metrics
