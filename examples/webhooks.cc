// webhooks: tells many receivers of an event, each by a task of its own.
//
// eventlet's dispatch pattern, made to last: a GreenPile of requests dies with its process. A task
// is on disk before it is acknowledged, is tried again while its receiver is down, and keeps to
// what each receiver can take (http.request, docs/functions.md). A second run for the same event
// spawns nothing anew.
//
//   ./dev up &
//   webhooks 127.0.0.1:8091 order-7 https://a.example.org/hook https://b.example.org/hook
#include <iostream>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/status_details.h"
#include "nlohmann/json.hpp"
#include "runtime/runtime.h"

namespace v1 = grove::v1;

absl::Status Publish(const std::string& address, const std::string& event,
                     const std::vector<std::string>& receivers) {
  GROVE_ASSIGN_OR_RETURN(const auto client, grove::client::Client::Create({.address = address}));
  v1::BatchSpawnTasksRequest request;
  request.set_parent("tenants/default");
  for (const std::string& receiver : receivers) {
    v1::TaskSpec& spec = *request.add_specs();
    spec.set_function("http.request");
    spec.set_input(nlohmann::json{{"url", receiver}, {"json", {{"event", event}}}}.dump());
    spec.set_request_id(absl::StrCat(event, " for ", receiver));
    spec.mutable_retry_policy()->set_max_attempts(10);
  }
  GROVE_ASSIGN_OR_RETURN(const auto spawned, client->SpawnBatch(request));
  std::vector<std::string> names;
  for (const auto& result : spawned.results()) {
    if (result.has_error()) return grove::client::ToAbslStatus(result.error());
    names.push_back(result.name());
  }
  GROVE_ASSIGN_OR_RETURN(const auto ended, client->WaitBatch(names, {}));
  for (int i = 0; i < ended.results_size(); ++i) {
    std::cout << receivers[i] << ": " << v1::TaskState_Name(ended.results(i).task().state())
              << '\n';
  }
  return absl::OkStatus();
}

int main(int argc, char** argv) {
  if (argc < 4) return std::cerr << "usage: webhooks CONTROL EVENT RECEIVER...\n", 2;
  const absl::Status published = Publish(argv[1], argv[2], {argv + 3, argv + argc});
  if (!published.ok()) std::cerr << "webhooks: " << published << '\n';
  return published.ok() ? 0 : 1;
}
