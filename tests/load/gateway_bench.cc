// gateway_bench: attempts a second that one worker at the gateway runs.
//
// usage: gateway_bench ADDRESS [TASKS]
// Spawns volatile tasks of a function of its own over a stream, and ends each with an empty output
// as soon as it starts. Prints `grove METRIC VALUE` lines.
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "grove/v1/worker_gateway_service.grpc.pb.h"

namespace grove {
namespace {

constexpr int kCapacity = 1000;
constexpr int kBatch = 1000;

[[noreturn]] void Fail(const std::string& what) {
  fprintf(stderr, "gateway_bench: %s\n", what.c_str());
  exit(1);
}

void SpawnAll(v1::TaskService::Stub& stub, int tasks) {
  grpc::ClientContext context;
  const auto stream = stub.SpawnTasks(&context);
  std::thread answers([&stream] {
    v1::SpawnTasksResponse response;
    while (stream->Read(&response)) {
      for (const auto& result : response.results()) {
        if (result.has_error()) Fail(result.error().message());
      }
    }
  });
  for (int spawned = 0; spawned < tasks; spawned += kBatch) {
    v1::SpawnTasksRequest request;
    for (int i = 0; i < kBatch && spawned + i < tasks; ++i) {
      v1::TaskSpec& spec = *request.add_specs();
      spec.set_function("bench");
      spec.set_input("{}");
      spec.set_durability(v1::DURABILITY_VOLATILE);
    }
    if (!stream->Write(request)) break;
  }
  stream->WritesDone();
  answers.join();
  if (const grpc::Status status = stream->Finish(); !status.ok()) Fail(status.error_message());
}

void Run(const std::string& address, int tasks) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  const auto channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  const auto gateway = v1::WorkerGatewayService::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = gateway->ConnectWorker(&context);
  v1::ConnectWorkerRequest request;
  v1::WorkerRegistration& registration = *request.mutable_registration();
  registration.set_session("gatewaybench" + std::to_string(absl::ToUnixNanos(absl::Now())));
  registration.set_capacity(kCapacity);
  registration.add_functions()->set_name("bench");
  stream->Write(request);
  v1::ConnectWorkerResponse response;
  if (!stream->Read(&response)) Fail(stream->Finish().error_message());
  const absl::Time begin = absl::Now();
  std::thread spawns([&channel, tasks] {
    const auto stub = v1::TaskService::NewStub(channel);
    SpawnAll(*stub, tasks);
  });
  for (int64_t ended = 0; ended < tasks;) {
    if (!stream->Read(&response)) Fail(stream->Finish().error_message());
    ended += response.acknowledged_size();
    request.Clear();
    for (const v1::AttemptStart& start : response.starts()) {
      v1::AttemptResult& result = *request.add_results();
      result.set_attempt(start.attempt());
      result.mutable_output()->set_data("{}");
    }
    if (request.results_size() > 0) stream->Write(request);
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  spawns.join();
  stream->WritesDone();
  while (stream->Read(&response)) {
  }
  printf("grove gateway_attempts_per_s %.0f\n", tasks / seconds);
}

}  // namespace
}  // namespace grove

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: gateway_bench ADDRESS [TASKS]\n");
    return 2;
  }
  grove::Run(argv[1], argc > 2 ? atoi(argv[2]) : 100'000);
}
