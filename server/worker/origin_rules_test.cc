#include "server/worker/origin_rules.h"

#include <memory>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace grove::worker {
namespace {

using functions::OriginAnswer;
using functions::OriginBound;
using functions::OriginGate;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1'000 * kMs;
constexpr OriginAnswer kGood = {.kind = OriginAnswer::Kind::kAnswered};
constexpr OriginAnswer kBad = {.kind = OriginAnswer::Kind::kFailed};

// Two workers, and a clock that is told.
class OriginRules : public ::testing::Test {
 protected:
  OriginGate::Entry Enter(int worker = 0) {
    return EnterOrigin(*cell_, bounds_, {.worker = worker, .workers = 2}, now_);
  }
  bool Leave(const OriginGate::Entry& entry, const OriginAnswer& answer, int worker = 0) {
    return LeaveOrigin(*cell_, *entry.pass, answer, {.worker = worker, .workers = 2}, now_);
  }
  // Asks once; the breaker has opened.
  bool Ask(const OriginAnswer& answer) {
    const OriginGate::Entry entry = Enter();
    EXPECT_TRUE(entry.pass.has_value());
    return entry.pass.has_value() && Leave(entry, answer);
  }
  void ExpectPutOff(OriginBound bound, int64_t at_ns) {
    const OriginGate::Entry entry = Enter();
    EXPECT_FALSE(entry.pass.has_value());
    EXPECT_EQ(entry.bound, bound);
    EXPECT_EQ(entry.wait, absl::Nanoseconds(at_ns - now_));
  }

  const std::unique_ptr<metrics::OriginCell> cell_ = std::make_unique<metrics::OriginCell>();
  OriginBounds bounds_ = {
      .concurrency_max = 2, .breaker_failures = 3, .breaker_open_ns = 10 * kSecond};
  int64_t now_ = 1'000 * kSecond;
};

TEST_F(OriginRules, SoManyAtOnceOverAllWorkers) {
  const OriginGate::Entry one = Enter(0);
  const OriginGate::Entry other = Enter(1);
  ASSERT_TRUE(one.pass.has_value() && other.pass.has_value());
  // Of an origin that nobody knows a request takes 100 ms.
  ExpectPutOff(OriginBound::kConcurrency, now_ + 50 * kMs);
  ExpectPutOff(OriginBound::kConcurrency, now_ + 100 * kMs);
  Leave(other, kGood, 1);
  EXPECT_TRUE(Enter(0).pass.has_value());
}

TEST_F(OriginRules, ThoseThatArePutOffComeOneBehindTheOther) {
  now_ += 4 * kSecond;
  const OriginGate::Entry slow = Enter();
  now_ += 4 * kSecond;
  Leave(slow, kGood);
  const OriginGate::Entry one = Enter(), other = Enter();
  ASSERT_TRUE(one.pass.has_value() && other.pass.has_value());
  // A place becomes free each two seconds.
  for (const int seconds : {2, 4, 6}) {
    ExpectPutOff(OriginBound::kConcurrency, now_ + seconds * kSecond);
  }
  cell_->turn_at_ns = now_ + absl::ToInt64Nanoseconds(kOriginSpreadMax) + kSecond;
  ExpectPutOff(OriginBound::kConcurrency, now_ + 2 * kSecond);
}

TEST_F(OriginRules, KeepARate) {
  bounds_.rate = {.interval_ns = kSecond, .burst = 2};
  EXPECT_FALSE(Ask(kGood));
  EXPECT_FALSE(Ask(kGood));
  ExpectPutOff(OriginBound::kRate, now_ + kSecond);
  ExpectPutOff(OriginBound::kRate, now_ + 2 * kSecond);
  EXPECT_EQ(cell_->running.Sum(2), 0) << "who is put off holds nothing";
  now_ += kSecond;
  EXPECT_FALSE(Ask(kGood));
  ExpectPutOff(OriginBound::kRate, now_ + 2 * kSecond);
}

TEST_F(OriginRules, LeaveAnOriginAloneForAsLongAsItSays) {
  EXPECT_FALSE(Ask({.kind = OriginAnswer::Kind::kAnswered, .retry_after = absl::Seconds(30)}));
  ExpectPutOff(OriginBound::kRetryAfter, now_ + 30 * kSecond);
  now_ += 30 * kSecond;
  EXPECT_FALSE(Ask({.kind = OriginAnswer::Kind::kAnswered, .retry_after = absl::Hours(900)}));
  now_ += absl::ToInt64Nanoseconds(kOriginRetryAfterMax);
  EXPECT_TRUE(Enter().pass.has_value());
}

TEST_F(OriginRules, OpenAfterFailuresInARow) {
  EXPECT_FALSE(Ask(kBad));
  EXPECT_FALSE(Ask(kBad));
  EXPECT_FALSE(Ask(kGood)) << "which begins a new row";
  EXPECT_FALSE(Ask(kBad));
  EXPECT_FALSE(Ask({})) << "which teaches nothing";
  EXPECT_FALSE(Ask(kBad));
  EXPECT_TRUE(Ask(kBad));
  ExpectPutOff(OriginBound::kBreaker, now_ + 10 * kSecond);
}

TEST_F(OriginRules, TryOneAtATimeThen) {
  for (int i = 0; i < 3; ++i) Ask(kBad);
  now_ += 10 * kSecond;
  const OriginGate::Entry trial = Enter();
  ASSERT_TRUE(trial.pass.has_value());
  ExpectPutOff(OriginBound::kBreaker, now_ + 100 * kMs);
  EXPECT_TRUE(Leave(trial, kBad));
  // Twice as long as before.
  EXPECT_EQ(cell_->open_until_ns, now_ + 20 * kSecond);
  now_ += 20 * kSecond;
  EXPECT_FALSE(Ask({})) << "a trial that was cancelled";
  EXPECT_FALSE(Ask(kGood));
  EXPECT_FALSE(Ask(kBad)) << "it is closed, and a row begins";
  EXPECT_FALSE(Ask(kBad));
  EXPECT_TRUE(Ask(kBad));
  EXPECT_EQ(cell_->open_until_ns, now_ + 10 * kSecond) << "as at first";
}

TEST_F(OriginRules, OpenForTenTimesAsLongAtMost) {
  for (int i = 0; i < 3; ++i) Ask(kBad);
  std::vector<int64_t> seconds;
  for (int i = 0; i < 6; ++i) {
    now_ = cell_->open_until_ns;
    EXPECT_TRUE(Ask(kBad));
    seconds.push_back((cell_->open_until_ns - now_) / kSecond);
  }
  EXPECT_EQ(seconds, (std::vector<int64_t>{20, 40, 80, 100, 100, 100}));
}

TEST_F(OriginRules, ATrialWhoseWorkerDiedDoesNotLast) {
  for (int i = 0; i < 3; ++i) Ask(kBad);
  now_ += 10 * kSecond;
  EXPECT_TRUE(Enter(1).pass.has_value());
  cell_->running.of(1) = 0;
  EXPECT_FALSE(Enter().pass.has_value());
  now_ += absl::ToInt64Nanoseconds(kOriginTrialMax);
  EXPECT_TRUE(Enter().pass.has_value());
}

TEST_F(OriginRules, WhatWasAskedBeforeItOpenedDoesNotCloseIt) {
  const OriginGate::Entry before = Enter();
  for (int i = 0; i < 3; ++i) Ask(kBad);
  EXPECT_FALSE(Leave(before, kGood));
  ExpectPutOff(OriginBound::kBreaker, now_ + 10 * kSecond);
}

TEST(OriginBook, HasTheMostSpecificBounds) {
  config::v1::Fetch config;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(per_origin {concurrency_max: 9 requests_per_second: 5 breaker_failures: 4
                     breaker_open_ms: 70}
         origins {pattern: "http://*" concurrency_max: 3}
         origins {pattern: "http://a.example.org" requests_per_minute: 60 burst: 2}
         origins {pattern: "http://*.example.org" concurrency_max: 2 breaker_failures: 8})",
      &config));
  const OriginBook book(config);
  const auto of = [&](const char* url) { return book.Of(*http::Url::Parse(url)); };
  EXPECT_EQ(of("https://b.org/").concurrency_max, 9);
  EXPECT_EQ(of("https://b.org/").rate, (tenancy::Rate{kSecond / 5, 5}));
  EXPECT_EQ(of("http://b.org/").concurrency_max, 3);
  EXPECT_EQ(of("http://b.example.org:81/").concurrency_max, 2);
  EXPECT_EQ(of("http://b.example.org:81/").breaker_failures, 8);
  EXPECT_EQ(of("http://a.example.org/").concurrency_max, 9) << "per_origin's";
  EXPECT_EQ(of("http://a.example.org/").rate, (tenancy::Rate{kSecond, 2}));
  EXPECT_EQ(of("http://a.example.org/").breaker_open_ns, 70 * kMs);
}

}  // namespace
}  // namespace grove::worker
