// Push and pull: one fiber deals out work, some do it, one gathers what came of it.
//
// Here all are fibers of one hub. Between processes only the addresses differ: "tcp://host:port" or
// "ipc:///path" in place of "inproc://name".
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "zeromq/context.h"
#include "zeromq/socket.h"

namespace {

using namespace grove;
using zeromq::SocketType;

constexpr int kWorkers = 4;
constexpr int kJobs = 1000;

absl::Status DealOut(zeromq::Socket& jobs) {
  for (int i = 1; i <= kJobs; ++i) {
    // Parks while all workers have as many as they may hold (receive_high_water).
    if (absl::Status sent = jobs.Send(std::to_string(i)); !sent.ok()) return sent;
  }
  return absl::OkStatus();
}

absl::Status Work(zeromq::Context& context) {
  auto jobs = zeromq::Socket::Open(context, SocketType::kPull, {.receive_high_water = 10});
  auto results = zeromq::Socket::Open(context, SocketType::kPush);
  if (!jobs.ok() || !results.ok()) return jobs.ok() ? results.status() : jobs.status();
  if (absl::Status done = (*jobs)->Connect("inproc://jobs"); !done.ok()) return done;
  if (absl::Status done = (*results)->Connect("inproc://results"); !done.ok()) return done;
  for (;;) {
    absl::StatusOr<zeromq::Message> job = (*jobs)->Receive();
    if (!job.ok()) return job.status();  // kCancelled: there is no more to do
    const int number = atoi((*job)[0].text().c_str());
    absl::Status sent = (*results)->Send(std::to_string(2 * number));
    if (!sent.ok()) return sent;
  }
}

absl::StatusOr<int> Gather(zeromq::Socket& results) {
  int sum = 0;
  for (int i = 0; i < kJobs; ++i) {
    Timeout patience(absl::Seconds(30));
    absl::StatusOr<zeromq::Message> result = results.Receive();
    if (!result.ok()) return result.status();
    sum += atoi((*result)[0].text().c_str());
  }
  return sum;
}

absl::Status Main() {
  auto context = zeromq::Context::Create();  // after the last fork
  if (!context.ok()) return context.status();
  {
    auto jobs = zeromq::Socket::Open(**context, SocketType::kPush);
    auto results = zeromq::Socket::Open(**context, SocketType::kPull);
    if (!jobs.ok() || !results.ok()) return jobs.ok() ? results.status() : jobs.status();
    if (auto bound = (*jobs)->Bind("inproc://jobs"); !bound.ok()) return bound.status();
    if (auto bound = (*results)->Bind("inproc://results"); !bound.ok()) return bound.status();
    FiberGroup group(FiberGroup::OnFailure::kCancelRest);
    for (int i = 0; i < kWorkers; ++i) {
      auto worker = group.Spawn("worker", [&] { return Work(**context); });
      if (!worker.ok()) return worker.status();
    }
    auto dealer = group.Spawn("dealer", [&] { return DealOut(**jobs); });
    if (!dealer.ok()) return dealer.status();
    absl::StatusOr<int> sum = Gather(**results);
    if (!sum.ok()) return sum.status();
    std::printf("the sum of the results is %d\n", *sum);
    group.Cancel();
    (void)group.Join();  // kCancelled, of the workers
    if (*sum != kJobs * (kJobs + 1)) return absl::InternalError("a job was lost, or done twice");
  }
  return (*context)->Close();  // what was sent has left, or its linger is over
}

}  // namespace

int main() {
  auto hub = grove::Hub::Create();
  const absl::Status status = hub.ok() ? (*hub)->Run(Main) : hub.status();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
