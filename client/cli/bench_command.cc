// grovectl bench: a load, and what the daemon made of it.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "client/cli/bench_load.h"
#include "client/cli/command.h"
#include "client/cli/error_line.h"
#include "client/cli/names.h"
#include "client/cli/progress.h"
#include "client/cli/task_commands.h"
#include "client/cli/text.h"
#include "client/cli/waiting.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kRateMax = 10e6;
constexpr int64_t kBenchTasksMax = int64_t{1} << 40;
constexpr char kDefaultDuration[] = "10s";

double Milliseconds(absl::Duration duration) {
  return std::round(absl::ToDoubleMilliseconds(duration) * 1000) / 1000;
}

Json ToJson(const Latencies& latencies) {
  return {{"p50", Milliseconds(latencies.Quantile(0.5))},
          {"p90", Milliseconds(latencies.Quantile(0.9))},
          {"p99", Milliseconds(latencies.Quantile(0.99))},
          {"max", Milliseconds(latencies.longest())}};
}

double PerSecond(int64_t count, absl::Duration took) {
  return std::round(static_cast<double>(count) / std::max(absl::ToDoubleSeconds(took), 1e-9));
}

Json ToJson(const BenchPlan& plan, const BenchResult& result) {
  const BenchCount& count = result.count;
  Json json = {{"function", plan.one.spec().function()},
               {"durability",
                plan.one.spec().durability() == v1::DURABILITY_VOLATILE ? "VOLATILE" : "DURABLE"},
               {"stream", plan.streams},
               {"batch", plan.batch},
               {"concurrency", plan.callers},
               {"rate", plan.rate},
               {"seconds", absl::ToDoubleSeconds(count.took)},
               {"accepted", count.accepted},
               {"refused", count.refused},
               {"accepted_per_s", PerSecond(count.accepted, count.took)},
               {"accepted_ms", ToJson(result.accepted)}};
  if (plan.waits) {
    json["done"] = count.ended;
    json["failed"] = count.failed;
    json["done_per_s"] = PerSecond(count.ended, count.took);
    json["done_ms"] = ToJson(result.ended);
  }
  json["reasons"] = result.reasons;
  return json;
}

std::string LatencyText(const Latencies& latencies) {
  return StrCat("p50 ", DurationText(latencies.Quantile(0.5)), ", p90 ",
                DurationText(latencies.Quantile(0.9)), ", p99 ",
                DurationText(latencies.Quantile(0.99)), ", max ",
                DurationText(latencies.longest()));
}

std::string ToText(const BenchPlan& plan, const BenchResult& result) {
  const BenchCount& count = result.count;
  std::string text =
      absl::StrFormat("accepted  %d in %s, %.0f/s; %s\n", count.accepted, DurationText(count.took),
                      PerSecond(count.accepted, count.took), LatencyText(result.accepted));
  if (plan.waits) {
    absl::StrAppendFormat(&text, "done      %d, %.0f/s; %s\n", count.ended,
                          PerSecond(count.ended, count.took), LatencyText(result.ended));
  }
  if (count.refused > 0) StrAppend(&text, "refused   ", count.refused, "\n");
  if (count.failed > 0) StrAppend(&text, "failed    ", count.failed, "\n");
  for (const auto& [reason, times] : result.reasons) {
    StrAppend(&text, "  ", Escape(reason), " ", times, "\n");
  }
  return text;
}

// How much, and for how long.
absl::Status SetBounds(const Command& command, BenchPlan& plan) {
  const Arguments& arguments = command.arguments;
  if (const auto rate = arguments.Value("rate")) {
    if (!absl::SimpleAtod(*rate, &plan.rate) || !(plan.rate > 0 && plan.rate <= kRateMax)) {
      return UsageError(StrCat("--rate: \"", *rate, "\" is no number of tasks a second"));
    }
  }
  const auto callers = IntegerFlag(command, "concurrency", 1, 1, kBenchCallersMax);
  if (!callers.ok()) return callers.status();
  plan.callers = *callers;
  const auto batch = IntegerFlag(command, "batch", 1, 1, kBenchBatchMax);
  if (!batch.ok()) return batch.status();
  plan.batch = *batch;
  const auto count = IntegerFlag(command, "count", kBenchTasksMax, 1, kBenchTasksMax);
  if (!count.ok()) return count.status();
  plan.count = *count;
  if (arguments.Value("count") && !arguments.Value("duration")) return absl::OkStatus();
  const auto duration = ParseSeconds("--duration", arguments.ValueOr("duration", kDefaultDuration));
  if (!duration.ok()) return duration.status();
  plan.duration = *duration;
  return absl::OkStatus();
}

absl::StatusOr<BenchPlan> PlanOf(const Command& command) {
  const Arguments& arguments = command.arguments;
  BenchPlan plan;
  const auto parent = command.Parent();
  if (!parent.ok()) return parent.status();
  plan.one.set_parent(*parent);
  v1::TaskSpec& spec = *plan.one.mutable_spec();
  spec.set_function(FunctionName(arguments.ValueOr("function", "echo")));
  spec.set_queue(arguments.ValueOr("queue", ""));
  spec.set_input(arguments.ValueOr("input", "{}"));
  if (arguments.Has("volatile") && arguments.Has("durable")) {
    return UsageError("--durable and --volatile exclude each other");
  }
  spec.set_durability(arguments.Has("volatile") ? v1::DURABILITY_VOLATILE : v1::DURABILITY_DURABLE);
  plan.streams = arguments.Has("stream");
  plan.waits = arguments.Has("wait");
  if (absl::Status bounds = SetBounds(command, plan); !bounds.ok()) return bounds;
  return plan;
}

}  // namespace

absl::Status RunBench(Command& command) {
  absl::StatusOr<BenchPlan> plan = PlanOf(command);
  if (!plan.ok()) return plan.status();
  StopOnInterrupt interrupt;
  Progress progress(command.shell);
  BenchLoad load(*command.client, *plan, interrupt.stop());
  const BenchResult result = load.Run([&](const BenchCount& count) {
    progress.Show(StrCat(DurationText(count.took), ": accepted ", count.accepted,
                         plan->waits ? StrCat(", done ", count.ended) : "",
                         count.refused > 0 ? StrCat(", refused ", count.refused) : ""));
  });
  progress.Clear();
  Print(command, ToJson(*plan, result), [&] { return ToText(*plan, result); });
  return result.status;
}

}  // namespace grove::client::cli
