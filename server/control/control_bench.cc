// control_bench: tasks per second through BatchSpawnTasks and BatchWaitTasks.
//
// Control, a fake worker and the client share this process and its CPUs. Prints
// `grove spawn_volatile_per_s N` and `grove end_to_end_per_s N`.
#include <cstdio>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "server/control/control_fixture.h"
#include "server/log.h"

namespace grove::control {
namespace {

constexpr int kBatch = 1000;

class Bench : public ControlFixture {
 public:
  explicit Bench(int rounds) : rounds_(rounds) {}
  void TestBody() override {
    StartWorker(0);
    StartControl();
    tasks_ = v1::TaskService::NewStub(channel_);
    AwaitWorker();
    double spawn_seconds = 0;
    const absl::Time start = absl::Now();
    for (int round = 0; round < rounds_; ++round) {
      const absl::Time before = absl::Now();
      v1::BatchSpawnTasksResponse spawned = SpawnBatch();
      spawn_seconds += absl::ToDoubleSeconds(absl::Now() - before);
      WaitBatch(spawned);
    }
    const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
    std::printf("grove spawn_volatile_per_s %.0f\n", rounds_ * kBatch / spawn_seconds);
    std::printf("grove end_to_end_per_s %.0f\n", rounds_ * kBatch / seconds);
  }

 private:
  void AwaitWorker() {
    auto inspect = v1::InspectService::NewStub(channel_);
    v1::ListFunctionsResponse functions;
    while (functions.functions_size() == 0) {
      grpc::ClientContext context;
      inspect->ListFunctions(&context, {}, &functions);
    }
  }
  v1::BatchSpawnTasksResponse SpawnBatch() {
    v1::BatchSpawnTasksRequest request;
    for (int i = 0; i < kBatch; ++i) {
      v1::TaskSpec& spec = *request.add_specs();
      spec.set_function("echo");
      spec.set_input("{\"n\":1}");
      spec.set_durability(v1::DURABILITY_VOLATILE);
    }
    grpc::ClientContext context;
    v1::BatchSpawnTasksResponse response;
    EXPECT_TRUE(tasks_->BatchSpawnTasks(&context, request, &response).ok());
    return response;
  }
  void WaitBatch(const v1::BatchSpawnTasksResponse& spawned) {
    v1::BatchWaitTasksRequest request;
    for (const auto& result : spawned.results()) request.add_names(result.name());
    grpc::ClientContext context;
    v1::BatchWaitTasksResponse response;
    EXPECT_TRUE(tasks_->BatchWaitTasks(&context, request, &response).ok());
    for (const auto& result : response.results()) {
      EXPECT_EQ(result.task().state(), v1::TASK_STATE_SUCCEEDED);
    }
  }

  const int rounds_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
};

}  // namespace
}  // namespace grove::control

int main(int argc, char** argv) {
  int rounds = 100;
  if (argc > 1 && (!absl::SimpleAtoi(argv[1], &rounds) || rounds < 1)) {
    std::fprintf(stderr, "usage: %s [BATCHES]\n", argv[0]);
    return 2;
  }
  testing::InitGoogleTest();
  grove::SetUpLog("control_bench", grove::LogFormat::kText, grove::LogLevel::kWarning);
  grove::control::Bench(rounds).TestBody();
  return testing::Test::HasFailure() ? 1 : 0;
}
