#include "server/worker/periodic.h"

#include <stdexcept>

#include "runtime/hub/hub_fixture.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"

namespace grove::worker {
namespace {

constexpr MonotonicNanos kSecond = 1'000'000'000;

class PeriodicTest : public HubTest {
 protected:
  void RunWork(const std::vector<Application::Periodic>& entries, absl::Duration length) {
    PeriodicWork work(entries, services_);
    Run([&] {
      start_ = Hub::Current()->now();
      ASSERT_TRUE(work.Start().ok());
      ASSERT_TRUE(Sleep(length).ok());
      ASSERT_TRUE(work.Stop().ok());
    });
  }
  int64_t SecondsSinceStart() { return (Hub::Current()->now() - start_) / kSecond; }

  MonotonicNanos start_ = 0;
  std::unique_ptr<functions::FetchClient> fetch_ =
      *functions::FetchClient::Create(functions::FetchPolicy{});
  OffloadPool offload_{{}};
  WorkerServices services_{.worker = 1, .fetch = *fetch_, .offload = offload_};
};

TEST_F(PeriodicTest, RunsAtFixedIntervalsAlsoAfterFailuresAndExceptions) {
  std::vector<int64_t> times;
  RunWork({{"tick", [] { return absl::Seconds(10); }, Application::PeriodicScope::kEachWorker,
            [&](WorkerServices&) -> absl::Status {
              times.push_back(SecondsSinceStart());
              if (times.size() == 1) return absl::UnavailableError("once");
              if (times.size() == 2) throw std::runtime_error("twice");
              return Sleep(absl::Seconds(3));
            }}},
          absl::Seconds(41));
  EXPECT_EQ(times, (std::vector<int64_t>{10, 20, 30, 40}));
}

TEST_F(PeriodicTest, ALongRunSkipsDeadlinesAndNeverOverlaps) {
  std::vector<int64_t> times;
  RunWork({{"slow", [] { return absl::Seconds(10); }, Application::PeriodicScope::kEachWorker,
            [&](WorkerServices&) {
              times.push_back(SecondsSinceStart());
              return Sleep(absl::Seconds(25));
            }}},
          absl::Seconds(75));
  EXPECT_EQ(times, (std::vector<int64_t>{10, 40, 70}));
}

TEST_F(PeriodicTest, WorkOfOneWorkerRunsInWorkerZeroAlone) {
  int runs = 0;
  const std::vector<Application::Periodic> entries = {{"one", [] { return absl::Seconds(1); },
                                                       Application::PeriodicScope::kOneWorker,
                                                       [&](WorkerServices&) {
                                                         ++runs;
                                                         return absl::OkStatus();
                                                       }}};
  RunWork(entries, absl::Seconds(5));
  EXPECT_EQ(runs, 0);
  services_.worker = 0;
  RunWork(entries, absl::Milliseconds(3500));
  EXPECT_EQ(runs, 3);
}

}  // namespace
}  // namespace grove::worker
