#include "client/fake_grove.h"

#include <grpcpp/grpcpp.h>
#include <algorithm>
#include <map>
#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/fake_error.h"
#include "client/fake_identity.h"
#include "client/fake_operations.h"
#include "client/fake_queues.h"
#include "client/fake_schedules.h"
#include "client/fake_streams.h"
#include "client/fake_tenants.h"
#include "client/fake_workers.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grove/v1/task_service.grpc.pb.h"

namespace grove::client {
namespace {

using grpc::ServerContext;

grpc::Status ToGrpc(const google::rpc::Status& error) {
  return grpc::Status(static_cast<grpc::StatusCode>(error.code()), error.message(),
                      error.SerializeAsString());
}

google::rpc::Status UnknownFunction(const std::string& function) {
  auto error = FakeError(grpc::INVALID_ARGUMENT,
                         absl::StrCat("unknown function \"", function, "\""), "UNKNOWN_FUNCTION");
  google::rpc::BadRequest request;
  auto& violation = *request.add_field_violations();
  violation.set_field("spec.function");
  violation.set_description("must be one of echo, fail, slow, stuck");
  error.add_details()->PackFrom(request);
  return error;
}

// Everything the services share, guarded by `mutex`.
struct Store {
  std::string token;
  std::mutex mutex;
  std::map<std::string, v1::Task> tasks;
  std::vector<std::string> order;
  std::map<std::string, std::string> by_request_id;
  std::vector<int> page_sizes;
  // Waits that still go unanswered.
  int outages = 0;

  grpc::Status Check(const ServerContext& context) const {
    if (token.empty()) return grpc::Status::OK;
    const auto& metadata = context.client_metadata();
    const auto found = metadata.find("authorization");
    const std::string expected = "Bearer " + token;
    if (found != metadata.end() && found->second == expected) return grpc::Status::OK;
    return ToGrpc(FakeError(grpc::UNAUTHENTICATED, "no valid token", "TOKEN_UNKNOWN"));
  }
};

void Succeed(v1::Task& task) {
  task.set_state(v1::TASK_STATE_SUCCEEDED);
  task.set_output(task.spec().input());
  task.set_output_size_bytes(static_cast<int64_t>(task.output().size()));
  task.set_output_content_type("application/json");
}

void End(v1::Task& task) {
  const std::string& function = task.spec().function();
  if (function == "echo") {
    Succeed(task);
  } else if (function == "fail") {
    task.set_state(v1::TASK_STATE_FAILED);
    *task.mutable_error() = FakeError(grpc::UNKNOWN, "it was told\nto fail", "FUNCTION_FAILED");
  } else {
    task.set_state(v1::TASK_STATE_RUNNING);
  }
}

// A look at a "slow" task is what brings it on.
void BringOn(v1::Task& task) {
  if (task.spec().function() != "slow" || task.state() != v1::TASK_STATE_RUNNING) return;
  task.set_progress(task.progress() + 0.25);
  task.set_progress_message("step");
  if (task.progress() >= 1) Succeed(task);
}

v1::Task Shown(const v1::Task& task, v1::TaskView view, v1::TaskView otherwise) {
  v1::Task shown = task;
  if (view == v1::TASK_VIEW_UNSPECIFIED) view = otherwise;
  if (view != v1::TASK_VIEW_FULL) shown.mutable_spec()->clear_input();
  if (view == v1::TASK_VIEW_BASIC) shown.clear_output();
  return shown;
}

class Tasks : public v1::TaskService::Service {
 public:
  explicit Tasks(Store& store) : store_(store) {}

  FakeStreams& streams() { return streams_; }

  grpc::Status SpawnTask(ServerContext* context, const v1::SpawnTaskRequest* request,
                         v1::SpawnTaskResponse* response) override {
    if (auto status = store_.Check(*context); !status.ok()) return status;
    if (streams_.IsBusy()) return ToGrpc(FakeStreams::Busy());
    if (!Knows(request->spec())) return ToGrpc(UnknownFunction(request->spec().function()));
    const std::string parent =
        request->parent().empty() ? CallersTenant(*context) : request->parent();
    *response->mutable_task() = Add(parent, request->spec());
    return grpc::Status::OK;
  }

  grpc::Status BatchSpawnTasks(ServerContext*, const v1::BatchSpawnTasksRequest* request,
                               v1::BatchSpawnTasksResponse* response) override {
    if (streams_.IsBusy()) return ToGrpc(FakeStreams::Busy());
    bool all = true;
    for (v1::TaskSpec spec : request->specs()) {
      const std::string at = absl::StrCat("/", response->results_size());
      if (!request->request_id().empty()) spec.set_request_id(request->request_id() + at);
      Admit(request->parent(), spec, *response->add_results());
      all = all && response->results().rbegin()->has_name();
    }
    if (!request->has_completion()) return grpc::Status::OK;
    v1::TaskSpec last = request->completion();
    for (const auto& result : response->results()) last.add_after(result.name());
    if (!request->request_id().empty()) last.set_request_id(request->request_id() + "/completion");
    if (all) {
      Admit(request->parent(), last, *response->mutable_completion());
    } else {
      response->mutable_completion()->mutable_error()->set_code(grpc::FAILED_PRECONDITION);
    }
    return grpc::Status::OK;
  }

  grpc::Status SpawnTasks(ServerContext* context, FakeStreams::Spawns* stream) override {
    if (auto status = store_.Check(*context); !status.ok()) return status;
    return streams_.Spawn(
        *stream, [this](auto& parent, auto& spec, auto& result) { Admit(parent, spec, result); });
  }

  grpc::Status WatchTasks(ServerContext* context, const v1::WatchTasksRequest* request,
                          grpc::ServerWriter<v1::WatchTasksResponse>* stream) override {
    std::vector<v1::Task> tasks;
    {
      const std::lock_guard<std::mutex> lock(store_.mutex);
      for (const std::string& name : store_.order) {
        tasks.push_back(Shown(store_.tasks[name], request->view(), v1::TASK_VIEW_BASIC));
      }
    }
    return streams_.Watch(*context, *request, tasks, *stream);
  }

  grpc::Status GetTask(ServerContext* context, const v1::GetTaskRequest* request,
                       v1::GetTaskResponse* response) override {
    if (auto status = store_.Check(*context); !status.ok()) return status;
    return Find(request->name(), Full(request->view()), *response->mutable_task());
  }

  // Answers at once: the client must ask again until its own time is over.
  grpc::Status WaitTask(ServerContext*, const v1::WaitTaskRequest* request,
                        v1::WaitTaskResponse* response) override {
    if (IsOut()) return grpc::Status(grpc::UNAVAILABLE, "Socket closed");
    return Find(request->name(), request->view(), *response->mutable_task());
  }

  // Never more than two a page.
  grpc::Status BatchWaitTasks(ServerContext*, const v1::BatchWaitTasksRequest* request,
                              v1::BatchWaitTasksResponse* response) override {
    if (IsOut()) return grpc::Status(grpc::UNAVAILABLE, "Socket closed");
    int next = 0;
    if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &next)) {
      return grpc::Status(grpc::INVALID_ARGUMENT, "page_token");
    }
    for (; next < request->names_size() && response->results_size() < 2; ++next) {
      auto& result = *response->add_results();
      if (!Find(request->names(next), request->view(), *result.mutable_task()).ok()) {
        *result.mutable_error() = FakeError(grpc::NOT_FOUND, "no such task", "TASK_UNKNOWN");
      }
    }
    if (next < request->names_size()) response->set_next_page_token(absl::StrCat(next));
    return grpc::Status::OK;
  }

  grpc::Status ListTasks(ServerContext*, const v1::ListTasksRequest* request,
                         v1::ListTasksResponse* response) override {
    const std::lock_guard<std::mutex> lock(store_.mutex);
    store_.page_sizes.push_back(request->page_size());
    size_t next = 0;
    if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &next)) {
      return grpc::Status(grpc::INVALID_ARGUMENT, "page_token");
    }
    // Never more than three a page, whatever is asked for.
    const int page = std::min(request->page_size(), 3);
    for (; next < store_.order.size() && response->tasks_size() < page; ++next) {
      const v1::Task& task = store_.tasks[store_.order[next]];
      const auto& states = request->states();
      const bool wanted =
          states.empty() || std::find(states.begin(), states.end(), task.state()) != states.end();
      if (wanted && absl::StartsWith(task.name(), request->parent())) {
        *response->add_tasks() = Shown(task, request->view(), v1::TASK_VIEW_BASIC);
      }
    }
    if (next < store_.order.size()) response->set_next_page_token(absl::StrCat(next));
    return grpc::Status::OK;
  }

  grpc::Status CancelTask(ServerContext*, const v1::CancelTaskRequest* request,
                          v1::CancelTaskResponse* response) override {
    {
      const std::lock_guard<std::mutex> lock(store_.mutex);
      const auto found = store_.tasks.find(request->name());
      if (found != store_.tasks.end() && found->second.state() == v1::TASK_STATE_RUNNING) {
        found->second.set_state(v1::TASK_STATE_CANCELLED);
        *found->second.mutable_error() =
            FakeError(grpc::CANCELLED,
                      request->reason() + (request->descendants() ? ", with descendants" : ""),
                      "TASK_CANCELLED");
      }
    }
    return Find(request->name(), v1::TASK_VIEW_BASIC, *response->mutable_task());
  }

  grpc::Status ForceCancelTask(ServerContext*, const v1::ForceCancelTaskRequest* request,
                               v1::ForceCancelTaskResponse* response) override {
    return Change(request->name(), *response,
                  [](v1::Task& task) { task.set_state(v1::TASK_STATE_CANCELLED); });
  }
  grpc::Status PauseTask(ServerContext*, const v1::PauseTaskRequest* request,
                         v1::PauseTaskResponse* response) override {
    return Change(request->name(), *response, [request](v1::Task& task) {
      task.set_paused(true);
      task.set_pause_reason(request->reason());
    });
  }
  grpc::Status ResumeTask(ServerContext*, const v1::ResumeTaskRequest* request,
                          v1::ResumeTaskResponse* response) override {
    return Change(request->name(), *response, [](v1::Task& task) { task.set_paused(false); });
  }
  grpc::Status RetryTask(ServerContext*, const v1::RetryTaskRequest* request,
                         v1::RetryTaskResponse* response) override {
    return Change(request->name(), *response,
                  [](v1::Task& task) { task.set_state(v1::TASK_STATE_QUEUED); });
  }
  grpc::Status UpdateTask(ServerContext*, const v1::UpdateTaskRequest* request,
                          v1::UpdateTaskResponse* response) override {
    return Change(request->task().name(), *response, [request](v1::Task& task) {
      task.mutable_spec()->set_priority(request->task().spec().priority());
      *task.mutable_spec()->mutable_limit_keys() = request->task().spec().limit_keys();
    });
  }
  grpc::Status DeleteTask(ServerContext*, const v1::DeleteTaskRequest* request,
                          v1::DeleteTaskResponse*) override {
    const std::lock_guard<std::mutex> lock(store_.mutex);
    store_.tasks.erase(request->name());
    return grpc::Status::OK;
  }
  // The action is done to every task that the label "pick" chooses, and said in its label "done".
  grpc::Status BatchChangeTasks(ServerContext*, const v1::BatchChangeTasksRequest* request,
                                v1::BatchChangeTasksResponse* response) override {
    const std::lock_guard<std::mutex> lock(store_.mutex);
    const std::string done =
        request->GetDescriptor()->FindFieldByNumber(request->action_case())->name();
    for (auto& [name, task] : store_.tasks) {
      const auto& wanted = request->filter().labels();
      const auto& has = task.spec().labels();
      const auto pick = wanted.find("pick");
      if (pick != wanted.end() && (!has.contains("pick") || has.at("pick") != pick->second)) {
        continue;
      }
      response->set_matched(response->matched() + 1);
      response->add_sample(name);
      if (request->validate_only()) continue;
      response->set_changed(response->changed() + 1);
      (*task.mutable_spec()->mutable_labels())["done"] = done;
    }
    return grpc::Status::OK;
  }
  grpc::Status CountTasks(ServerContext*, const v1::CountTasksRequest*,
                          v1::CountTasksResponse* response) override {
    response->set_total(3);
    (*response->mutable_by_state())["QUEUED"] = 3;
    return grpc::Status::OK;
  }
  grpc::Status ExplainTask(ServerContext*, const v1::ExplainTaskRequest* request,
                           v1::ExplainTaskResponse* response) override {
    auto& why = *response->add_all();
    why.set_cause(v1::WaitExplanation::CAUSE_POOL_FULL);
    why.set_text("pool default is full: 4 of 4 running");
    why.set_used(4);
    why.set_limit(4);
    auto& behind = *response->add_all();
    behind.set_cause(v1::WaitExplanation::CAUSE_BEHIND_OTHERS);
    behind.set_ahead(7);
    *response->mutable_wait() = response->all(0);
    return Find(request->name(), v1::TASK_VIEW_BASIC, *response->mutable_task());
  }

 private:
  template <typename Response, typename Body>
  grpc::Status Change(const std::string& name, Response& response, Body body) {
    {
      const std::lock_guard<std::mutex> lock(store_.mutex);
      const auto found = store_.tasks.find(name);
      if (found != store_.tasks.end()) body(found->second);
    }
    return Find(name, v1::TASK_VIEW_BASIC, *response.mutable_task());
  }

  static bool Knows(const v1::TaskSpec& spec) {
    const std::string& function = spec.function();
    return function == "echo" || function == "fail" || function == "slow" || function == "stuck";
  }

  static v1::TaskView Full(v1::TaskView view) {
    return view == v1::TASK_VIEW_UNSPECIFIED ? v1::TASK_VIEW_FULL : view;
  }

  bool IsOut() {
    const std::lock_guard<std::mutex> lock(store_.mutex);
    return store_.outages > 0 && store_.outages-- > 0;
  }

  void Admit(const std::string& parent, const v1::TaskSpec& spec,
             v1::BatchSpawnTasksResponse::Result& result) {
    if (Knows(spec)) {
      result.set_name(Add(parent, spec).name());
    } else {
      *result.mutable_error() = UnknownFunction(spec.function());
    }
  }

  v1::Task Add(const std::string& parent, const v1::TaskSpec& spec) {
    const std::lock_guard<std::mutex> lock(store_.mutex);
    const auto earlier = store_.by_request_id.find(spec.request_id());
    if (earlier != store_.by_request_id.end()) return store_.tasks[earlier->second];
    v1::Task task;
    const std::string queue = spec.queue().empty() ? "default" : spec.queue();
    const std::string tenant = parent.empty() ? "tenants/default" : parent;
    task.set_name(absl::StrCat(tenant, "/queues/", queue, "/tasks/T", store_.order.size() + 1));
    *task.mutable_spec() = spec;
    task.set_input_size_bytes(static_cast<int64_t>(spec.input().size()));
    End(task);
    store_.tasks[task.name()] = task;
    store_.order.push_back(task.name());
    if (!spec.request_id().empty()) store_.by_request_id[spec.request_id()] = task.name();
    return task;
  }

  grpc::Status Find(const std::string& name, v1::TaskView view, v1::Task& task) {
    const std::lock_guard<std::mutex> lock(store_.mutex);
    const auto found = store_.tasks.find(name);
    if (found == store_.tasks.end()) {
      return ToGrpc(FakeError(grpc::NOT_FOUND, absl::StrCat("no task ", name), "TASK_UNKNOWN"));
    }
    BringOn(found->second);
    task = Shown(found->second, view, v1::TASK_VIEW_BASIC);
    return grpc::Status::OK;
  }

  Store& store_;
  FakeStreams streams_;
};

}  // namespace

struct FakeGrove::State {
  explicit State(const Options& options) : tasks(store) {
    store.token = options.token;
    std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
    if (options.transport == Options::Transport::kTls) {
      const FakeIdentity identity = MakeFakeIdentity();
      certificate = identity.certificate;
      grpc::SslServerCredentialsOptions tls;
      tls.pem_key_cert_pairs.push_back({identity.key, identity.certificate});
      credentials = grpc::SslServerCredentials(tls);
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port);
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &tasks, &queues, &pools, &fairness, &workers, &inspect, &operations, &tenants,
             &schedules, &backdoor}) {
      builder.RegisterService(service);
    }
    server = builder.BuildAndStart();
  }

  Store store;
  Tasks tasks;
  FakeQueues queues;
  FakePools pools;
  FakeFairness fairness;
  FakeWorkers workers;
  FakeInspect inspect;
  FakeOperations operations;
  FakeTenants tenants;
  FakeSchedules schedules;
  FakeBackdoor backdoor;
  std::string certificate;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

FakeGrove::FakeGrove() : FakeGrove(Options()) {}
FakeGrove::FakeGrove(const Options& options) : state_(std::make_unique<State>(options)) {}
FakeGrove::~FakeGrove() {
  state_->server->Shutdown();
}

std::string FakeGrove::address() const {
  return absl::StrCat("127.0.0.1:", state_->port);
}

std::string FakeGrove::certificate() const {
  return state_->certificate;
}

void FakeGrove::LeaveWaitsUnanswered(int count) {
  const std::lock_guard<std::mutex> lock(state_->store.mutex);
  state_->store.outages = count;
}

void FakeGrove::BreakWatches(int count) {
  state_->operations.BreakWatches(count);
}

FakeStreams& FakeGrove::streams() {
  return state_->tasks.streams();
}

void FakeGrove::Forget() {
  const std::lock_guard<std::mutex> lock(state_->store.mutex);
  state_->store.tasks.clear();
  state_->store.order.clear();
  state_->store.by_request_id.clear();
}

std::vector<int> FakeGrove::page_sizes() const {
  const std::lock_guard<std::mutex> lock(state_->store.mutex);
  return state_->store.page_sizes;
}

}  // namespace grove::client
