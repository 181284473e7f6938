#include "server/worker/periodic.h"

#include <stdexcept>

#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"

namespace grove::worker {
namespace {

constexpr MonotonicNanos kSecond = 1'000'000'000;

TEST(NextDue, IsTheDeadlineItselfWhileItIsAhead) {
  EXPECT_EQ(NextDue(5 * kSecond, 4 * kSecond, absl::Seconds(10)), 5 * kSecond);
}

TEST(NextDue, IsOneIntervalAfterADeadlineThatWasMet) {
  EXPECT_EQ(NextDue(5 * kSecond, 5 * kSecond, absl::Seconds(10)), 15 * kSecond);
  EXPECT_EQ(NextDue(5 * kSecond, 5 * kSecond + 1, absl::Seconds(10)), 15 * kSecond);
}

TEST(NextDue, SkipsDeadlinesThatHavePassedAndStaysOnTheGrid) {
  EXPECT_EQ(NextDue(5 * kSecond, 34 * kSecond, absl::Seconds(10)), 35 * kSecond);
  EXPECT_EQ(NextDue(5 * kSecond, 35 * kSecond, absl::Seconds(10)), 45 * kSecond);
}

// Time moves only when every fiber sleeps: then to the next deadline.
class SkippingPoller final : public Poller {
 public:
  explicit SkippingPoller(FakeClock& clock) : clock_(clock) {}
  absl::Status Add(int, uint64_t, Mode) override { return absl::OkStatus(); }
  void Remove(int) override {}
  void Wait(MonotonicNanos now, MonotonicNanos deadline, std::vector<Event>&) override {
    if (deadline > now && deadline != kNever) clock_.AdvanceTo(deadline);
  }

 private:
  FakeClock& clock_;
};

class PeriodicTest : public ::testing::Test {
 protected:
  void Run(const std::vector<Application::Periodic>& entries, absl::Duration length) {
    HubOptions options;
    options.clock = &clock_;
    options.poller = std::make_unique<SkippingPoller>(clock_);
    auto hub = Hub::Create(std::move(options));
    ASSERT_TRUE(hub.ok());
    PeriodicWork work(entries, services_);
    (*hub)
        ->Run([&] {
          start_ = Hub::Current()->now();
          EXPECT_TRUE(work.Start().ok());
          EXPECT_TRUE(Sleep(length).ok());
          EXPECT_TRUE(work.Stop().ok());
        })
        .IgnoreError();
  }
  int64_t SecondsSinceStart() { return (Hub::Current()->now() - start_) / kSecond; }

  FakeClock clock_;
  MonotonicNanos start_ = 0;
  std::unique_ptr<functions::FetchClient> fetch_ =
      *functions::FetchClient::Create(functions::FetchPolicy{});
  OffloadPool offload_{{}};
  WorkerServices services_{.worker = 1, .fetch = *fetch_, .offload = offload_};
};

TEST_F(PeriodicTest, RunsAtFixedIntervalsAlsoAfterFailuresAndExceptions) {
  std::vector<int64_t> times;
  Run({{"tick", [] { return absl::Seconds(10); }, Application::PeriodicScope::kEachWorker,
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
  Run({{"slow", [] { return absl::Seconds(10); }, Application::PeriodicScope::kEachWorker,
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
  Run(entries, absl::Seconds(5));
  EXPECT_EQ(runs, 0);
  services_.worker = 0;
  Run(entries, absl::Milliseconds(3500));
  EXPECT_EQ(runs, 3);
}

}  // namespace
}  // namespace grove::worker
