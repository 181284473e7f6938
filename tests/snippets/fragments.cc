// The snippets of the documents that are compiled, each within what its document takes for granted.
//
// A snippet is the file of its name, whose #include lines stand here. Nothing of this is run.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "database/postgres/pool.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/label_scope.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/status_macros.h"
#include "runtime/trace/span.h"
#include "server/application.h"
#include "server/backdoor/backdoor_server.h"
#include "server/builtins.h"
#include "server/http/embedded/embedded_server.h"
#include "server/http/handler/cookies.h"
#include "server/http/handler/form_values.h"
#include "server/http/handler/multipart.h"
#include "server/http/websocket/websocket_handler.h"
#include "server/hub_watch.h"
#include "server/json.h"
#include "server/main.h"
#include "server/topics/topics.h"

namespace hook {

struct Database {
  static absl::StatusOr<std::unique_ptr<Database>> Connect(std::string_view url);
  absl::Status Close();
};

void Register(grove::Application& application, grove::Setting<std::string> url,
              std::unique_ptr<Database>& database) {
#include "tests/snippets/hook.inc"
}

}  // namespace hook

namespace factory {

struct Account {
  explicit Account(int worker);
  absl::StatusOr<grove::Output> Pay(std::string_view amount);
};

void Register(grove::Application& application) {
#include "tests/snippets/factory.inc"
}

}  // namespace factory

namespace settings {

void Register(grove::Application& application, grove::WorkerServices& services) {
#include "tests/snippets/settings.inc"
  ;
}

void Reload(grove::Application& application, grove::Setting<std::string> currency,
            const std::vector<int>& journal) {
#include "tests/snippets/reload.inc"
}

}  // namespace settings

namespace metrics {

void Register(grove::Application& application) {
#include "tests/snippets/metrics.inc"
#include "tests/snippets/series.inc"
}

}  // namespace metrics

namespace middleware {

void Register(grove::Application& application) {
#include "tests/snippets/middleware.inc"
}

struct Cache {
  size_t size() const;
  std::string Find(std::string_view key) const;
  int Erase(std::string_view key);
};

void Inspect(grove::Application& application, Cache& cache) {
#include "tests/snippets/inspection.inc"
}

}  // namespace middleware

namespace topics {

void Talk(grove::WorkerServices& services, const std::string& text) {
#include "tests/snippets/topics.inc"
  ;
}

}  // namespace topics

namespace shared {

void Rows(grove::WorkerServices& services, const std::string& text){
#include "tests/snippets/table.inc"
}

absl::Status Turns(grove::WorkerServices& services) {
#include "tests/snippets/locks.inc"
  return absl::OkStatus();
}

}  // namespace shared

namespace tracing {

struct Order {
  int64_t id = 0;
};

void Span(const Order& order, const absl::Status& charged) {
#include "tests/snippets/span.inc"
}

void Line(grove::WorkerServices& services, const Order& order) {
#include "tests/snippets/log.inc"
}

}  // namespace tracing

namespace schedules {

void Register(grove::Application& application) {
#include "tests/snippets/schedules.inc"
}

}  // namespace schedules

namespace handlers {

std::string NewName();

absl::Status Query(grove::http::Request& request) {
#include "tests/snippets/query.inc"
  return absl::OkStatus();
}

absl::Status Upload(grove::http::Request& request, grove::WorkerServices& services,
                    const std::string& folder) {
#include "tests/snippets/multipart.inc"
  return absl::OkStatus();
}

}  // namespace handlers

namespace embedded {

absl::Status Hello(grove::http::Request& request, grove::http::Response& response);
absl::Status Feed(grove::http::WebSocket& socket, const grove::http::Request& request);
grove::backdoor::BackdoorTable Pools();

absl::Status Serve() {
#include "tests/snippets/embedded.inc"
  ;
}

absl::Status Beside() {
#include "tests/snippets/beside.inc"
  return ended;
}

}  // namespace embedded

namespace json {

#include "tests/snippets/json_fields.inc"

absl::Status Answer(grove::Application& application, grove::http::Request& request,
                    grove::http::Response& response) {
#include "tests/snippets/json.inc"
}

}  // namespace json

namespace functions {

absl::Status Spawn(grove::WorkerServices& services, const std::string& body) {
#include "tests/snippets/spawn.inc"
  return sent.status();
}

void OnBehalf(grove::WorkerServices& services) {
#include "tests/snippets/behalf.inc"
  ;
}

absl::Status Pools(grove::Application& application, grove::TaskContext& context) {
#include "tests/snippets/pools.inc"
  return absl::OkStatus();
}

}  // namespace functions

namespace tasks {

bool ImportRow(int64_t row);
std::vector<grove::SpawnRequest> Parts(grove::TaskContext& context);
absl::StatusOr<grove::Output> Gather(grove::TaskContext& context,
                                     const std::vector<std::string>& parts);

#include "tests/snippets/checkpoint.inc"
#include "tests/snippets/copy.inc"
#include "tests/snippets/suspend.inc"

}  // namespace tasks

namespace fence {

using grove::postgres::RunTransaction;
using grove::postgres::Transaction;

std::unique_ptr<grove::postgres::Pool> pool;
const int64_t cents = 12;
const int64_t from = 7;

#include "tests/snippets/fence.inc"

}  // namespace fence

// Programs as a whole.

namespace shout {
#include "tests/snippets/shout.inc"
}  // namespace shout

namespace celery {
#include "tests/snippets/celery.inc"

namespace {

absl::Status Charge(int64_t, const std::string&) {
  return absl::OkStatus();
}

}  // namespace
}  // namespace celery
