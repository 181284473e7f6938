// ticker: an application of one's own. It serves HTTP, runs tasks that clients spawn over gRPC, and
// does something every ten seconds beside them.
//
//   ticker &
//   curl http://127.0.0.1:8090/count
//   curl http://127.0.0.1:8090/primes/100000
//   grovectl spawn ticker.primes '100000' --wait
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "server/application.h"
#include "server/log.h"
#include "server/main.h"

ABSL_FLAG(absl::Duration, tick_interval, absl::Seconds(10), "how often the ticker ticks");

namespace {

// Every worker process has its own. Fibers of a worker never run at the same time, so there is
// nothing to lock.
int ticks = 0;

absl::Status Tick(grove::WorkerServices& services) {
  ++ticks;
  grove::Log(grove::LogLevel::kInfo, "tick", {{"ticks", ticks}, {"worker", services.worker}});
  return absl::OkStatus();
}

// GET /count: how often this worker has ticked.
absl::Status Count(grove::http::Request&, grove::http::Response& response) {
  return response.Send(200, "text/plain", absl::StrCat(ticks, "\n"));
}

bool IsPrime(int64_t number) {
  for (int64_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return number >= 2;
}

// A task: the number of primes below its input. It computes for long, so it lets others run now and
// then, which is also where a time-out or a cancellation reaches it.
absl::StatusOr<grove::Output> Primes(grove::TaskContext& context) {
  int64_t limit = 0;
  if (!absl::SimpleAtoi(std::string(context.input()), &limit) || limit < 0) {
    return absl::InvalidArgumentError("the input must be a number, 0 or above");
  }
  int64_t primes = 0;
  for (int64_t number = 0; number < limit; ++number) {
    if (IsPrime(number)) ++primes;
    if (number % 1000 != 999) continue;
    context.ReportProgress(static_cast<double>(number) / limit, "counting");
    if (absl::Status status = grove::Sleep(absl::ZeroDuration()); !status.ok()) return status;
  }
  return grove::Output{absl::StrCat(primes), "application/json"};
}

// GET /primes/{limit}: the same for a client of HTTP, as a task: it takes its turn with all others,
// on whichever worker has room, and this fiber waits.
grove::http::Handler PrimesHandler(grove::WorkerServices& services) {
  return [&services](grove::http::Request& request, grove::http::Response& response) {
    const std::string limit(*request.Param("limit"));
    const auto task =
        services.tasks.Spawn({.function = "ticker.primes", .input = limit, .durable = false});
    if (!task.ok()) return task.status();  // 429 if the queue is full, 400 for no function
    const auto result = services.tasks.Wait(*task, absl::Seconds(60));
    if (!result.ok()) return result.status();
    if (!result->status.ok()) return result->status;
    return response.Send(200, result->content_type, result->output + "\n");
  };
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("ticker");
  application.Handle("GET", "/count", Count);
  application.AddHandlerFactory("primes", PrimesHandler);
  application.AddRoute("GET", "/primes/{limit}", "primes");
  application.AddFunction(
      "ticker.primes", Primes,
      {.description = "counts the primes below a number", .input_example = "100000"});
  // The flags are parsed inside Main, which asks for the interval once it has them.
  application.AddPeriodic(
      "tick", [] { return absl::GetFlag(FLAGS_tick_interval); }, Tick,
      grove::Application::PeriodicScope::kEachWorker);
  return grove::Main(argc, argv, application);
}
