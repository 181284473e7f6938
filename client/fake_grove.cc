#include "client/fake_grove.h"

#include <grpcpp/grpcpp.h>
#include <algorithm>
#include <map>
#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/fake_identity.h"
#include "client/fake_operations.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grove/v1/backdoor_service.grpc.pb.h"
#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/pool_service.grpc.pb.h"
#include "grove/v1/queue_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "grove/v1/worker_service.grpc.pb.h"

namespace grove::client {
namespace {

using grpc::ServerContext;

google::rpc::Status Error(int code, const std::string& message, const std::string& reason) {
  google::rpc::Status error;
  error.set_code(code);
  error.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("grove");
  error.add_details()->PackFrom(info);
  return error;
}

grpc::Status ToGrpc(const google::rpc::Status& error) {
  return grpc::Status(static_cast<grpc::StatusCode>(error.code()), error.message(),
                      error.SerializeAsString());
}

google::rpc::Status UnknownFunction(const std::string& function) {
  auto error = Error(grpc::INVALID_ARGUMENT, absl::StrCat("unknown function \"", function, "\""),
                     "UNKNOWN_FUNCTION");
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
  std::vector<int> page_sizes;
  int64_t pool_size = 10;
  // Waits that still go unanswered.
  int outages = 0;

  grpc::Status Check(const ServerContext& context) const {
    if (token.empty()) return grpc::Status::OK;
    const auto& metadata = context.client_metadata();
    const auto found = metadata.find("authorization");
    const std::string expected = "Bearer " + token;
    if (found != metadata.end() && found->second == expected) return grpc::Status::OK;
    return ToGrpc(Error(grpc::UNAUTHENTICATED, "no valid token", "TOKEN_UNKNOWN"));
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
    *task.mutable_error() = Error(grpc::UNKNOWN, "it was told\nto fail", "FUNCTION_FAILED");
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

  grpc::Status SpawnTask(ServerContext* context, const v1::SpawnTaskRequest* request,
                         v1::SpawnTaskResponse* response) override {
    if (auto status = store_.Check(*context); !status.ok()) return status;
    if (!Knows(request->spec())) return ToGrpc(UnknownFunction(request->spec().function()));
    *response->mutable_task() = Add(request->parent(), request->spec());
    return grpc::Status::OK;
  }

  grpc::Status BatchSpawnTasks(ServerContext*, const v1::BatchSpawnTasksRequest* request,
                               v1::BatchSpawnTasksResponse* response) override {
    for (const auto& spec : request->specs()) {
      auto& result = *response->add_results();
      if (Knows(spec)) {
        result.set_name(Add(request->parent(), spec).name());
      } else {
        *result.mutable_error() = UnknownFunction(spec.function());
      }
    }
    return grpc::Status::OK;
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
        *result.mutable_error() = Error(grpc::NOT_FOUND, "no such task", "TASK_UNKNOWN");
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
            Error(grpc::CANCELLED, request->reason(), "TASK_CANCELLED");
      }
    }
    return Find(request->name(), v1::TASK_VIEW_BASIC, *response->mutable_task());
  }

 private:
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

  v1::Task Add(const std::string& parent, const v1::TaskSpec& spec) {
    const std::lock_guard<std::mutex> lock(store_.mutex);
    v1::Task task;
    const std::string queue = spec.queue().empty() ? "default" : spec.queue();
    task.set_name(absl::StrCat(parent, "/queues/", queue, "/tasks/T", store_.order.size() + 1));
    *task.mutable_spec() = spec;
    task.set_input_size_bytes(static_cast<int64_t>(spec.input().size()));
    End(task);
    store_.tasks[task.name()] = task;
    store_.order.push_back(task.name());
    return task;
  }

  grpc::Status Find(const std::string& name, v1::TaskView view, v1::Task& task) {
    const std::lock_guard<std::mutex> lock(store_.mutex);
    const auto found = store_.tasks.find(name);
    if (found == store_.tasks.end()) {
      return ToGrpc(Error(grpc::NOT_FOUND, absl::StrCat("no task ", name), "TASK_UNKNOWN"));
    }
    BringOn(found->second);
    task = Shown(found->second, view, v1::TASK_VIEW_BASIC);
    return grpc::Status::OK;
  }

  Store& store_;
};

class Queues : public v1::QueueService::Service {
 public:
  grpc::Status ListQueues(ServerContext*, const v1::ListQueuesRequest*,
                          v1::ListQueuesResponse* response) override {
    Fill("tenants/default/queues/default", *response->add_queues());
    return grpc::Status::OK;
  }
  grpc::Status GetQueue(ServerContext*, const v1::GetQueueRequest* request,
                        v1::GetQueueResponse* response) override {
    Fill(request->name(), *response->mutable_queue());
    return grpc::Status::OK;
  }

 private:
  static void Fill(const std::string& name, v1::Queue& queue) {
    queue.set_name(name);
    queue.set_state(v1::Queue::STATE_PAUSED);
    queue.set_order(v1::Queue::ORDER_FIFO);
    queue.set_pool("tenants/default/pools/default");
  }
};

class Pools : public v1::PoolService::Service {
 public:
  explicit Pools(Store& store) : store_(store) {}
  grpc::Status ListPools(ServerContext*, const v1::ListPoolsRequest*,
                         v1::ListPoolsResponse* response) override {
    Fill("tenants/default/pools/default", *response->add_pools());
    return grpc::Status::OK;
  }
  grpc::Status GetPool(ServerContext*, const v1::GetPoolRequest* request,
                       v1::GetPoolResponse* response) override {
    Fill(request->name(), *response->mutable_pool());
    return grpc::Status::OK;
  }
  grpc::Status ResizePool(ServerContext*, const v1::ResizePoolRequest* request,
                          v1::ResizePoolResponse* response) override {
    store_.pool_size = request->size();
    Fill(request->name(), *response->mutable_pool());
    return grpc::Status::OK;
  }

 private:
  void Fill(const std::string& name, v1::Pool& pool) {
    pool.set_name(name);
    pool.set_size(store_.pool_size);
  }
  Store& store_;
};

class Workers : public v1::WorkerService::Service {
 public:
  grpc::Status ListWorkers(ServerContext*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse* response) override {
    auto& worker = *response->add_workers();
    worker.set_name("workers/0");
    worker.set_state(v1::Worker::STATE_READY);
    return grpc::Status::OK;
  }
};

class Inspect : public v1::InspectService::Service {
 public:
  // Worker 1 never answers.
  grpc::Status ListFibers(ServerContext*, const v1::ListFibersRequest* request,
                          v1::ListFibersResponse* response) override {
    auto& fiber = *response->add_fibers();
    fiber.set_name("workers/0/fibers/17");
    fiber.set_display_name("main");
    fiber.set_state(v1::Fiber::STATE_PARKED);
    if (request->view() == v1::FIBER_VIEW_FULL) fiber.add_stack("grove::Event::Wait()+0x5e");
    if (request->parent() != "workers/0") response->add_unreachable("workers/1");
    if (request->page_token().empty()) response->set_next_page_token("2");
    return grpc::Status::OK;
  }
  grpc::Status GetFiber(ServerContext*, const v1::GetFiberRequest* request,
                        v1::Fiber* fiber) override {
    if (request->name() != "workers/0/fibers/17") {
      return {grpc::StatusCode::NOT_FOUND, "no " + request->name()};
    }
    fiber->set_name(request->name());
    fiber->add_stack("grove::Event::Wait()+0x5e");
    return grpc::Status::OK;
  }
  grpc::Status ListFunctions(ServerContext*, const v1::ListFunctionsRequest*,
                             v1::ListFunctionsResponse* response) override {
    auto& function = *response->add_functions();
    function.set_name("functions/echo");
    function.set_description("Returns its input.");
    return grpc::Status::OK;
  }
};

class Backdoor : public v1::BackdoorService::Service {
 public:
  grpc::Status OpenSession(
      ServerContext*,
      grpc::ServerReaderWriter<v1::OpenSessionResponse, v1::OpenSessionRequest>* stream) override {
    v1::OpenSessionRequest request;
    if (!stream->Read(&request) || request.worker() != "workers/0") {
      return ToGrpc(Error(grpc::NOT_FOUND, "no such worker", "WORKER_UNKNOWN"));
    }
    const auto say = [&](const std::string& text) {
      v1::OpenSessionResponse response;
      response.set_output(text);
      stream->Write(response);
    };
    say("grove worker 0, pid 1. Lua 5.4\n> ");
    while (stream->Read(&request)) {
      for (const std::string& line : Lines(request.input())) say(Answer(line));
    }
    say("\n");
    return grpc::Status::OK;
  }

 private:
  static std::vector<std::string> Lines(const std::string& text) {
    std::vector<std::string> lines = absl::StrSplit(text, '\n');
    lines.pop_back();
    return lines;
  }
  static std::string Answer(const std::string& line) {
    if (line == "do") return ">> ";
    if (absl::StartsWith(line, "bad")) return "before\nerror: " + line + "\n> ";
    return line + "\n> ";
  }
};

}  // namespace

struct FakeGrove::State {
  explicit State(const Options& options) : tasks(store), pools(store) {
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
             &tasks, &queues, &pools, &workers, &inspect, &operations, &backdoor}) {
      builder.RegisterService(service);
    }
    server = builder.BuildAndStart();
  }

  Store store;
  Tasks tasks;
  Queues queues;
  Pools pools;
  Workers workers;
  Inspect inspect;
  FakeOperations operations;
  Backdoor backdoor;
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

void FakeGrove::Forget() {
  const std::lock_guard<std::mutex> lock(state_->store.mutex);
  state_->store.tasks.clear();
  state_->store.order.clear();
}

std::vector<int> FakeGrove::page_sizes() const {
  const std::lock_guard<std::mutex> lock(state_->store.mutex);
  return state_->store.page_sizes;
}

}  // namespace grove::client
