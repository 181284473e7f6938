// overload_load: what a daemon still does when far more calls come than it can take.
//
// usage: overload_load ADDRESS FLOOD_TOKEN QUIET_TOKEN OPERATOR_TOKEN [SECONDS]
// One tenant spawns volatile tasks by single calls, first as many at once as the daemon is fastest
// with, then ten times as many; a call that is refused is made again at once, whatever the refusal
// says. Beside it another tenant spawns, and an operator looks at a queue, 50 times a second each.
// Prints `grove METRIC VALUE` lines.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grove/v1/queue_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"

namespace grove {
namespace {

constexpr int kAtPeak = 128;
constexpr int kConnections = 4;
constexpr int kOverload = 10;
constexpr absl::Duration kQuietPause = absl::Milliseconds(20);

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

void Authorize(grpc::ClientContext& context, const std::string& token) {
  context.AddMetadata("authorization", "Bearer " + token);
}

v1::SpawnTaskRequest Echo() {
  v1::SpawnTaskRequest request;
  request.mutable_spec()->set_function("echo");
  request.mutable_spec()->set_input("{}");
  request.mutable_spec()->set_durability(v1::DURABILITY_VOLATILE);
  return request;
}

[[noreturn]] void Fail(const grpc::Status& status) {
  fprintf(stderr, "overload_load: %s\n", status.error_message().c_str());
  exit(1);
}

// Calls one after the other, so many at once, until it is stopped.
class Flood {
 public:
  Flood(const std::string& address, std::string token, int at_once)
      : token_(std::move(token)), running_(at_once) {
    for (int i = 0; i < kConnections; ++i) {
      stubs_.push_back(v1::TaskService::NewStub(Connect(address)));
    }
    for (int i = 0; i < at_once; ++i) (new Call(*this, *stubs_[i % kConnections]))->Begin();
  }
  ~Flood() {
    stop_ = true;
    running_.Wait();
  }

  int64_t accepted() const { return accepted_; }
  int64_t refused() const { return refused_; }

 private:
  struct Call {
    Call(Flood& of, v1::TaskService::Stub& by) : flood(of), stub(by) {}
    void Begin() {
      context = std::make_unique<grpc::ClientContext>();
      Authorize(*context, flood.token_);
      stub.async()->SpawnTask(context.get(), &request, &response,
                              [this](const grpc::Status& status) { End(status); });
    }
    void End(const grpc::Status& status) {
      if (status.ok()) {
        ++flood.accepted_;
      } else if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
        ++flood.refused_;
      } else {
        Fail(status);
      }
      if (!flood.stop_) return Begin();
      BlockingCounter& running = flood.running_;
      delete this;
      running.DecrementCount();
    }
    Flood& flood;
    v1::TaskService::Stub& stub;
    const v1::SpawnTaskRequest request = Echo();
    v1::SpawnTaskResponse response;
    std::unique_ptr<grpc::ClientContext> context;
  };
  using BlockingCounter = absl::BlockingCounter;

  const std::string token_;
  std::vector<std::unique_ptr<v1::TaskService::Stub>> stubs_;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> accepted_ = 0;
  std::atomic<int64_t> refused_ = 0;
  BlockingCounter running_;
};

// The 99th percentile of `call`, at a quiet pace.
template <typename Call>
double P99Micros(absl::Duration time, Call call) {
  std::vector<double> micros;
  for (const absl::Time end = absl::Now() + time; absl::Now() < end;) {
    const absl::Time start = absl::Now();
    if (const grpc::Status status = call(); !status.ok()) Fail(status);
    micros.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
    absl::SleepFor(start + kQuietPause - absl::Now());
  }
  std::sort(micros.begin(), micros.end());
  return micros[micros.size() * 99 / 100];
}

void Report(const std::string& metric, double value) {
  printf("grove %s %.6g\n", metric.c_str(), value);
  fflush(stdout);
}

struct Tokens {
  std::string flood;
  std::string quiet;
  std::string operators;
};

// Accepted a second, with so many calls at once.
double Measure(const std::string& name, const std::string& address, const Tokens& tokens,
               int at_once, absl::Duration time) {
  Flood flood(address, tokens.flood, at_once);
  absl::SleepFor(absl::Seconds(1));
  const int64_t before = flood.accepted();
  const int64_t refused_before = flood.refused();
  double quiet_p99 = 0;
  std::thread quiet([&] {
    const auto stub = v1::TaskService::NewStub(Connect(address));
    quiet_p99 = P99Micros(time, [&] {
      grpc::ClientContext context;
      Authorize(context, tokens.quiet);
      v1::SpawnTaskResponse response;
      return stub->SpawnTask(&context, Echo(), &response);
    });
  });
  const auto stub = v1::QueueService::NewStub(Connect(address));
  v1::GetQueueRequest look;
  look.set_name("tenants/flood/queues/default");
  const double operators_p99 = P99Micros(time, [&] {
    grpc::ClientContext context;
    Authorize(context, tokens.operators);
    v1::GetQueueResponse response;
    return stub->GetQueue(&context, look, &response);
  });
  const double seconds = absl::ToDoubleSeconds(time);
  const double accepted = static_cast<double>(flood.accepted() - before) / seconds;
  quiet.join();
  Report(absl::StrCat(name, "_accepted_per_s"), accepted);
  Report(absl::StrCat(name, "_refused_per_s"),
         static_cast<double>(flood.refused() - refused_before) / seconds);
  Report(absl::StrCat(name, "_quiet_spawn_p99_us"), quiet_p99);
  Report(absl::StrCat(name, "_operator_call_p99_us"), operators_p99);
  return accepted;
}

}  // namespace
}  // namespace grove

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: overload_load ADDRESS FLOOD QUIET OPERATOR [SECONDS] (tokens)\n");
    return 2;
  }
  const grove::Tokens tokens{argv[2], argv[3], argv[4]};
  const absl::Duration time = absl::Seconds(argc > 5 ? atoi(argv[5]) : 10);
  const double peak = grove::Measure("peak", argv[1], tokens, grove::kAtPeak, time);
  const double over =
      grove::Measure("overload", argv[1], tokens, grove::kAtPeak * grove::kOverload, time);
  grove::Report("overload_goodput_ratio", over / peak);
  return 0;
}
