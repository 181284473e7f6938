#include "server/control/debug_pages.h"

#include <gnu/libc-version.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>
#include <openssl/crypto.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/base/config.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/debug_app.h"
#include "server/control/debug_fibers.h"
#include "server/control/debug_green.h"
#include "server/metrics/process_numbers.h"
#include "server/metrics/stall_record.h"
#include "server/process/log_setup.h"
#include "server/tenancy/resource_name.h"
#include "server/version.h"

namespace grove::control {
namespace {

using admin::Json;
using admin::Query;
using metrics::Scoreboard;

std::string TimeText(WallMicros time_us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(time_us),
                          absl::UTCTimeZone());
}

// A message in the words of its .proto file.
absl::StatusOr<Json> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto made = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!made.ok()) return absl::InternalError(made.ToString());
  return Json::parse(text);
}

// `field` of a list's answer, also where it is empty.
template <typename Response>
absl::StatusOr<Json> ListPage(const absl::StatusOr<Response>& response, const char* field) {
  if (!response.ok()) return response.status();
  absl::StatusOr<Json> page = ToJson(*response);
  if (page.ok() && !page->contains(field)) (*page)[field] = Json::array();
  return page;
}

// The tenant's resource name; of all of them: none.
std::string ParentOf(std::string_view tenant) {
  return tenant.empty() ? "" : tenancy::FormatTenantName(tenant);
}

absl::StatusOr<Json> Queues(const DebugInput& input, std::string_view tenant = "") {
  v1::ListQueuesRequest request;
  request.set_parent(ParentOf(tenant));
  request.set_page_size(kQueueRowsMax);
  return ListPage(input.driver.engine().ListQueues(request, input.driver.Now()), "queues");
}

absl::StatusOr<Json> Pools(const DebugInput& input, std::string_view tenant = "") {
  v1::ListPoolsRequest request;
  request.set_parent(ParentOf(tenant));
  request.set_page_size(kQueueRowsMax);
  return ListPage(input.driver.engine().ListPools(request), "pools");
}

// The processes that say things, by the names of the log.
std::vector<std::pair<std::string, int>> Speakers(const Scoreboard& scoreboard) {
  std::vector<std::pair<std::string, int>> speakers = {
      {"supervisor", Scoreboard::kSupervisorEvents},
      {"control", Scoreboard::kControlEvents},
      {"stand-in", Scoreboard::kStandIn}};
  for (int worker = 0; worker < scoreboard.workers(); ++worker) {
    speakers.emplace_back(StrCat("worker-", worker), worker);
  }
  return speakers;
}

absl::StatusOr<LogLevel> LevelOf(const Query& query) {
  if (!query.has("level")) return LogLevel::kDebug;
  for (const char* name : {"debug", "info", "warning", "error"}) {
    if (query.Text("level") == name) return process::LogLevelOf(name);
  }
  return absl::InvalidArgumentError("level: want debug, info, warning or error");
}

struct SaidLine {
  std::string process;
  RecentLine line;
};

absl::StatusOr<std::vector<SaidLine>> LinesOf(const DebugInput& input, const Query& query) {
  const absl::StatusOr<LogLevel> level = LevelOf(query);
  if (!level.ok()) return level.status();
  std::vector<SaidLine> said;
  std::string known;
  bool found = false;
  for (const auto& [process, whose] : Speakers(input.scoreboard)) {
    known += StrCat(known.empty() ? "" : ", ", process);
    if (query.has("process") && query.Text("process") != process) continue;
    found = true;
    for (RecentLine& line : input.scoreboard.recent(whose).log.Read()) {
      if (line.level >= static_cast<uint32_t>(*level)) said.push_back({process, std::move(line)});
    }
  }
  if (!found) return absl::InvalidArgumentError(StrCat("process: want one of ", known));
  std::stable_sort(said.begin(), said.end(), [](const SaidLine& a, const SaidLine& b) {
    return a.line.time_us < b.line.time_us;
  });
  return said;
}

absl::StatusOr<Json> LogPage(const DebugInput& input, const Query& query) {
  const absl::StatusOr<int64_t> limit = query.Number("limit", 1, kEventRowsMax, kEventRowsDefault);
  if (!limit.ok()) return limit.status();
  absl::StatusOr<std::vector<SaidLine>> said = LinesOf(input, query);
  if (!said.ok()) return said.status();
  const auto shown = std::min<size_t>(said->size(), static_cast<size_t>(*limit));
  Json lines = Json::array();
  for (auto line = said->end() - static_cast<ptrdiff_t>(shown); line != said->end(); ++line) {
    lines.push_back({{"process", line->process}, {"line", line->line.text}});
  }
  return Json{{"lines", std::move(lines)}};
}

Json StallRow(const std::string& process, const metrics::StallRecord& stall) {
  return {{"process", process},       {"time", TimeText(stall.time_us)},
          {"held_ms", stall.held_ms}, {"ended", stall.ended},
          {"fiber", stall.fiber},     {"name", stall.name},
          {"call", stall.call},       {"spawned_at", stall.spawned_at},
          {"tenant", stall.tenant},   {"task", stall.task},
          {"stack", stall.stack}};
}

absl::StatusOr<Json> StallsPage(const DebugInput& input, const Query& query) {
  const absl::StatusOr<int64_t> limit = query.Number("limit", 1, kEventRowsMax, kEventRowsDefault);
  if (!limit.ok()) return limit.status();
  Json rows = Json::array();
  for (const auto& [process, whose] : Speakers(input.scoreboard)) {
    if (query.has("worker") && StrCat("worker-", query.Text("worker")) != process) continue;
    std::vector<metrics::StallRecord> stalls =
        metrics::DecodeStalls(input.scoreboard.recent(whose).stalls.Read());
    const auto shown = std::min<size_t>(stalls.size(), static_cast<size_t>(*limit));
    for (auto stall = stalls.end() - static_cast<ptrdiff_t>(shown); stall != stalls.end();
         ++stall) {
      rows.push_back(StallRow(process, *stall));
    }
  }
  return Json{{"stalls", std::move(rows)}};
}

Json Libraries() {
  return {{"abseil", std::to_string(ABSL_LTS_RELEASE_VERSION)},
          {"glibc", gnu_get_libc_version()},
          {"grpc", grpc::Version()},
          {"openssl", OpenSSL_version(OPENSSL_VERSION)},
          {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)}};
}

Json ProcessRow(std::string_view name, int64_t pid, WallMicros started_at) {
  const double uptime = started_at == 0 ? 0 : (WallNow() - started_at) / 1e6;
  return {{"process", std::string(name)},
          {"pid", pid},
          {"started", started_at == 0 ? "" : TimeText(started_at)},
          {"uptime_s", uptime},
          {"resident_bytes", metrics::ResidentBytes(pid)}};
}

// What the workers have in common.
Json SharedPage(const DebugInput& input) {
  const metrics::TableNumbers& table = input.scoreboard.control().table;
  Json page = {{"table",
                {{"rows", table.rows.load()},
                 {"rows_max", table.rows_max.load()},
                 {"locks", table.locks.load()},
                 {"refused", table.refusals.load()}}},
               {"topics", Json::array()}};
  using metrics::WorkerCounters;
  for (int worker = 0; worker < input.scoreboard.workers(); ++worker) {
    const metrics::WorkerSlot& slot = input.scoreboard.slot(worker);
    page["topics"].push_back(
        {{"process", StrCat("worker-", worker)},
         {"published", Scoreboard::Total(slot, &WorkerCounters::topics_published)},
         {"delivered", Scoreboard::Total(slot, &WorkerCounters::topics_delivered)},
         {"dropped", Scoreboard::Total(slot, &WorkerCounters::topics_dropped)},
         {"unsent", Scoreboard::Total(slot, &WorkerCounters::topics_unsent)}});
  }
  return page;
}

absl::StatusOr<Json> BuildPage(const DebugInput& input) {
  utsname system{};
  uname(&system);
  Json page = {{"version", std::string(kVersion)},
               {"compiler", __VERSION__},
               {"language", StrCat("C++ ", __cplusplus)},
#ifdef __OPTIMIZE__
               {"optimized", true},
#else
               {"optimized", false},
#endif
#ifdef NDEBUG
               {"assertions", false},
#else
               {"assertions", true},
#endif
               {"libraries", Libraries()},
               {"kernel", StrCat(system.sysname, " ", system.release, " ", system.machine)},
               {"processes", Json::array()}};
  page["processes"].push_back(ProcessRow("supervisor", getppid(), 0));
  page["processes"].push_back(ProcessRow("control", getpid(), input.started_at));
  for (int worker = 0; worker < input.scoreboard.workers(); ++worker) {
    const metrics::WorkerSlot& slot = input.scoreboard.slot(worker);
    if (slot.state.load() == metrics::SlotState::kEmpty) continue;
    page["processes"].push_back(
        ProcessRow(StrCat("worker-", worker), slot.pid.load(), slot.start_time_us.load()));
  }
  return page;
}

// As the supervisor has it, which knows what came from references: their values are not shown.
absl::StatusOr<Json> ConfigPage(const DebugInput& input) {
  const absl::StatusOr<v1::GetConfigResponse> config = input.operations.Config();
  if (!config.ok()) return config.status();
  Json page = Json::parse(config->json(), nullptr, /*allow_exceptions=*/false);
  if (page.is_discarded()) return absl::InternalError("the supervisor's config is no JSON");
  return page;
}

}  // namespace

std::vector<admin::DebugPage> DebugPages(const DebugInput& input) {
  return {
      {"fibers",
       "fibers of all workers and of control",
       {"worker", "limit", "state", "tenant"},
       [input](const Query& query) { return DebugFibers(input, query); },
       [input](const Query& query, std::string_view tenant) {
         return DebugFibers(input, query, tenant);
       }},
      {"stacks",
       "where they stand, those that stand alike together",
       {"worker", "limit", "state", "tenant"},
       [input](const Query& query) { return DebugStacks(input, query); }},
      {"stalls",
       "which fibers held a hub lately, and in what",
       {"worker", "limit"},
       [input](const Query& query) { return StallsPage(input, query); }},
      {"green",
       "what blocking libraries called in GreenScopes, and what held a hub",
       {"worker", "limit"},
       [input](const Query& query) { return DebugGreen(input, query); }},
      {"app",
       "what the application tells of itself in each worker",
       {"worker", "name", "argument"},
       [input](const Query& query) { return DebugApp(input, query); }},
      {"pools",
       "pools and how full they are",
       {},
       [input](const Query&) { return Pools(input); },
       [input](const Query&, std::string_view tenant) { return Pools(input, tenant); }},
      {"queues",
       "queues and what waits in them",
       {},
       [input](const Query&) { return Queues(input); },
       [input](const Query&, std::string_view tenant) { return Queues(input, tenant); }},
      {"shared",
       "the workers' shared table and the messages of their topics",
       {},
       [input](const Query&) { return SharedPage(input); }},
      {"config",
       "the configuration in force, without what its references hold",
       {},
       [input](const Query&) { return ConfigPage(input); }},
      {"build",
       "version, libraries, kernel and processes",
       {},
       [input](const Query&) { return BuildPage(input); }},
      {"log",
       "the last lines of every process's log",
       {"process", "level", "limit"},
       [input](const Query& query) { return LogPage(input, query); }},
  };
}

}  // namespace grove::control
