// Spawns a batch of tasks, waits for all, and prints what each came to.
//
//   thumbnails 127.0.0.1:8091 one.png two.png three.png
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/status_details.h"

namespace {

namespace v1 = grove::v1;
using grove::client::Client;

void Print(const char* what, const absl::Status& status) {
  fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
}

// A second run with the same names spawns nothing anew: it finds the tasks of the first.
v1::BatchSpawnTasksRequest RequestFor(const std::vector<std::string>& images) {
  v1::BatchSpawnTasksRequest request;
  request.set_parent("tenants/default");
  for (const std::string& image : images) {
    v1::TaskSpec& spec = *request.add_specs();
    spec.set_function("echo");  // stands for one of your own
    spec.set_input("{\"image\": \"" + image + "\"}");
    spec.set_request_id("thumbnail-" + image);
    spec.mutable_retry_policy()->set_max_attempts(5);
    (*spec.mutable_labels())["job"] = "thumbnails";
  }
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  auto client = Client::Create({.address = argv[1]});
  if (!client.ok()) return Print("client", client.status()), 1;
  const auto spawned = (*client)->SpawnBatch(RequestFor({argv + 2, argv + argc}));
  if (!spawned.ok()) return Print("spawn", spawned.status()), 1;

  std::vector<std::string> names;
  for (const auto& result : spawned->results()) {
    if (result.has_name()) names.push_back(result.name());
    // Of those that a full queue refuses, grove::client::RetryDelayOf() says when to come again.
    if (result.has_error()) Print("refused", grove::client::ToAbslStatus(result.error()));
  }
  // Outlasts a restart of the daemon.
  const auto waited = (*client)->WaitBatch(names, {.timeout = absl::Minutes(5)});
  if (!waited.ok()) return Print("wait", waited.status()), 1;
  for (const auto& result : waited->results()) {
    const v1::Task& task = result.task();
    printf("%s %s\n", v1::TaskState_Name(task.state()).c_str(), task.output().c_str());
  }
  return 0;
}
