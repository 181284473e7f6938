#include "runtime/repeat/retry.h"

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

class RetryTest : public HubTest {
 protected:
  // Notes at which second it is called, and fails until it has been called `calls` times.
  auto Succeeding(size_t calls, const absl::Status& failure = absl::UnavailableError("down")) {
    return [this, calls, failure]() -> absl::StatusOr<size_t> {
      at_.push_back((hub_->now() - begun_) / 1'000'000'000);
      if (at_.size() < calls) return failure;
      return calls;
    };
  }

  const MonotonicNanos begun_ = clock_.Now();
  std::vector<int64_t> at_;
};

TEST_F(RetryTest, PausesGrowByTheirStepUpToTheirMax) {
  Run([this] {
    EXPECT_EQ(*Retry({}, Succeeding(9)), 9u);
    EXPECT_EQ(at_, (std::vector<int64_t>{0, 10, 30, 60, 100, 150, 210, 270, 330}));
  });
}

TEST_F(RetryTest, ReturnsTheLastFailureAfterItsRetries) {
  Run([this] {
    EXPECT_EQ(Retry({.retries_max = 2}, Succeeding(9)).status(), absl::UnavailableError("down"));
    EXPECT_EQ(at_.size(), 3u);
    at_.clear();
    EXPECT_TRUE(absl::IsUnavailable(Retry({.retries_max = 0}, Succeeding(9)).status()));
    EXPECT_EQ(at_.size(), 1u);
  });
}

TEST_F(RetryTest, OnlyNamedCodesAreRetried) {
  Run([this] {
    EXPECT_TRUE(absl::IsNotFound(Retry({}, Succeeding(2, absl::NotFoundError("no"))).status()));
    EXPECT_EQ(at_.size(), 1u);
    at_.clear();
    const RetryOptions options{.retried = {absl::StatusCode::kNotFound}};
    EXPECT_EQ(*Retry(options, Succeeding(2, absl::NotFoundError("no"))), 2u);
    int calls = 0;
    EXPECT_TRUE(Retry({}, [&calls] {
                  return ++calls == 1 ? absl::UnavailableError("") : absl::OkStatus();
                }).ok());
  });
}

TEST_F(RetryTest, JitterComesFromTheInjectedNumbers) {
  Run([this] {
    EXPECT_TRUE(Retry({.jitter = 0.5, .random = [] { return 0.8; }}, Succeeding(3)).ok());
    EXPECT_EQ(at_, (std::vector<int64_t>{0, 14, 42}));
  });
}

TEST_F(RetryTest, ATimeoutOfTheCallersEndsAPause) {
  Run([this] {
    Timeout timeout(absl::Seconds(15));
    EXPECT_TRUE(absl::IsDeadlineExceeded(Retry({}, Succeeding(9)).status()));
    EXPECT_EQ(at_.size(), 2u);
  });
}

TEST_F(RetryTest, RefusesOptionsThatCannotBe) {
  Run([this] {
    EXPECT_TRUE(absl::IsInvalidArgument(Retry({.retries_max = -2}, Succeeding(1)).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(Retry({.jitter = 0.1}, Succeeding(1)).status()));
    EXPECT_TRUE(
        absl::IsInvalidArgument(Retry({.pause_step = -absl::Seconds(1)}, Succeeding(1)).status()));
    EXPECT_TRUE(at_.empty());
  });
}

}  // namespace
}  // namespace grove
