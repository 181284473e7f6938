#include "server/worker/tenant_quotas.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/text_format.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/label_scope.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/handler/tenant_labels.h"

namespace grove::worker {
namespace {

using Known = http::TenantGate::Known;

// Two workers of one daemon, on one hub.
class TenantQuotasTest : public HubTest {
 protected:
  static TenantQuotas::Bounds Bounds(const std::vector<std::string>& texts) {
    TenantQuotas::Bounds bounds;
    for (const std::string& text : texts) {
      EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, bounds.Add()));
    }
    return bounds;
  }
  void TellAll(const std::vector<std::string>& texts) {
    quotas_.TakeAll(Bounds(texts));
    other_.TakeAll(Bounds(texts));
  }
  void Tell(const std::string& text) {
    quotas_.Take(Bounds({text}));
    other_.Take(Bounds({text}));
  }
  metrics::TenantCells& Cells(std::string_view tenant) {
    metrics::SeriesIndex names(board_.series().bound_tenants.directory());
    return board_.series().bound_cells.of[names.Find(tenant)];
  }
  // A fiber of "acme" that has a turn until it is told to let go.
  FiberHandle Fetch(TenantQuotas& quotas, std::string name, Event& go) {
    return *Spawn("fetch", [this, &quotas, &go, name = std::move(name)]() -> absl::Status {
      const LabelScope acme(labels_.Of("acme"));
      const auto line = quotas.Await();
      if (!line.ok()) return line.status();
      had_turns_.push_back(name);
      absl::Status status = go.Wait();
      if (*line != nullptr) quotas.End(*line);
      return status;
    });
  }
  // Everybody has come as far as he can without time.
  static void Settle() {
    for (int i = 0; i < 20; ++i) Yield();
  }

  metrics::Scoreboard board_ = *metrics::Scoreboard::Create(2);
  http::TenantLabels labels_;
  TenantQuotas quotas_{board_, 0};
  TenantQuotas other_{board_, 1};
  std::vector<std::string> had_turns_;
};

TEST_F(TenantQuotasTest, KnowsWhomControlHasTold) {
  Run([&] {
    TellAll({"tenant: 'acme'"});
    EXPECT_EQ(quotas_.Knows("acme"), Known::kYes);
    EXPECT_EQ(quotas_.Knows("umbrella"), Known::kNo);
    Tell("tenant: 'umbrella' fetches_max: 1");
    EXPECT_EQ(quotas_.Knows("umbrella"), Known::kYes);
    Tell("tenant: 'umbrella' gone: true");
    EXPECT_EQ(quotas_.Knows("umbrella"), Known::kNo);
    TellAll({});
    EXPECT_EQ(quotas_.Knows("acme"), Known::kNo) << "gone while there was no link";
  });
}

TEST_F(TenantQuotasTest, WhoComesBeforeTheFirstLinkWaitsForItAMoment) {
  Run([&] {
    const MonotonicNanos began = Hub::Current()->now();
    EXPECT_EQ(quotas_.Knows("acme"), Known::kNotTold);
    EXPECT_EQ(absl::Nanoseconds(Hub::Current()->now() - began), kToldMax);
    FiberHandle early = *Spawn("early", [&] { EXPECT_EQ(quotas_.Knows("acme"), Known::kYes); });
    Settle();
    TellAll({"tenant: 'acme'"});
    EXPECT_TRUE(early.Join().ok());
  });
}

TEST_F(TenantQuotasTest, LetsInAsManyAsMayOverAllWorkers) {
  Run([&] {
    TellAll({"tenant: 'acme' http_requests_max: 2"});
    auto first = std::make_unique<http::TenantPass>(quotas_.Enter("acme"));
    const http::TenantPass second = other_.Enter("acme");
    EXPECT_TRUE(first->admitted() && second.admitted());
    const http::TenantPass third = quotas_.Enter("acme");
    EXPECT_FALSE(third.admitted());
    EXPECT_EQ(third.retry_in(), kFullRetry);
    EXPECT_TRUE(other_.Enter("umbrella").admitted());
    EXPECT_EQ(Cells("acme").refused_requests, 1u);
    first.reset();
    EXPECT_TRUE(other_.Enter("acme").admitted());
    EXPECT_EQ(Cells("acme").requests.Sum(2), 1);
  });
}

TEST_F(TenantQuotasTest, WhatIsSetHoldsAtOnceAndWhatRunsGoesOn) {
  Run([&] {
    TellAll({"tenant: 'acme' http_requests_max: 3"});
    const http::TenantPass first = quotas_.Enter("acme");
    const http::TenantPass second = quotas_.Enter("acme");
    Tell("tenant: 'acme' http_requests_max: 2");
    EXPECT_FALSE(quotas_.Enter("acme").admitted());
    Tell("tenant: 'acme'");
    EXPECT_TRUE(quotas_.Enter("acme").admitted());
    EXPECT_EQ(Cells("acme").requests.Sum(2), 2) << "not counted without a bound";
  });
}

TEST_F(TenantQuotasTest, OneRateHoldsForAllWorkers) {
  Run([&] {
    TellAll({"tenant: 'acme' http_requests_per_second: 2 http_burst: 3"});
    EXPECT_TRUE(quotas_.Enter("acme").admitted());
    EXPECT_TRUE(other_.Enter("acme").admitted());
    EXPECT_TRUE(other_.Enter("acme").admitted());
    const http::TenantPass refused = quotas_.Enter("acme");
    EXPECT_FALSE(refused.admitted());
    EXPECT_EQ(refused.retry_in(), absl::Milliseconds(500));
    EXPECT_EQ(Cells("acme").refused_rate, 1u);
    Sleep(absl::Milliseconds(499)).IgnoreError();
    EXPECT_FALSE(other_.Enter("acme").admitted());
    Sleep(absl::Milliseconds(1)).IgnoreError();
    EXPECT_TRUE(other_.Enter("acme").admitted());
    EXPECT_FALSE(quotas_.Enter("acme").admitted());
  });
}

TEST_F(TenantQuotasTest, WhatIsRefusedTakesNothing) {
  Run([&] {
    TellAll({"tenant: 'acme' http_requests_max: 1 http_requests_per_minute: 2"});
    {
      const http::TenantPass first = quotas_.Enter("acme");
      for (int i = 0; i < 5; ++i) EXPECT_FALSE(quotas_.Enter("acme").admitted());
    }
    EXPECT_TRUE(quotas_.Enter("acme").admitted()) << "the refused ones took none of the rate";
    EXPECT_FALSE(quotas_.Enter("acme").admitted());
    EXPECT_EQ(Cells("acme").requests.Sum(2), 0) << "nor the one that the rate refused a place";
  });
}

TEST_F(TenantQuotasTest, BeginsWithWhatTheConfigSays) {
  Run([&] {
    config::v1::Config config;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "tenants { name: 'acme' quotas { http_requests_max: 1 } } tenants { name: 'free' }",
        &config));
    quotas_.Begin(config);
    const http::TenantPass first = quotas_.Enter("acme");
    EXPECT_FALSE(quotas_.Enter("acme").admitted());
    EXPECT_TRUE(quotas_.Enter("free").admitted());
  });
}

TEST_F(TenantQuotasTest, WithoutAPlaceOnTheScoreboardAWorkerHoldsTheBoundAlone) {
  Run([&] {
    metrics::SeriesIndex names(board_.series().bound_tenants.directory());
    for (size_t i = 1; i < metrics::kBoundTenantsMax; ++i) names.Find(StrCat("tenant-", i));
    TellAll({"tenant: 'acme' http_requests_max: 1"});
    const http::TenantPass first = quotas_.Enter("acme");
    EXPECT_FALSE(quotas_.Enter("acme").admitted());
    EXPECT_TRUE(other_.Enter("acme").admitted());
  });
}

TEST_F(TenantQuotasTest, FetchesComeInTheirTurn) {
  Run([&] {
    TellAll({"tenant: 'acme' fetches_max: 2"});
    Event go[4];
    std::vector<FiberHandle> fibers;
    fibers.reserve(4);
    for (int i = 0; i < 4; ++i) fibers.push_back(Fetch(quotas_, StrCat(i), go[i]));
    Settle();
    EXPECT_EQ(had_turns_, (std::vector<std::string>{"0", "1"}));
    EXPECT_EQ(quotas_.waiting(), 2);
    EXPECT_EQ(Cells("acme").fetch_waits, 2u);
    go[1].Set();
    Settle();
    EXPECT_EQ(had_turns_, (std::vector<std::string>{"0", "1", "2"})) << "at once";
    for (Event& event : go) event.Set();
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
    EXPECT_EQ(had_turns_.back(), "3");
    EXPECT_EQ(Cells("acme").fetches.Sum(2), 0);
    EXPECT_EQ(Cells("acme").fetches_waiting.Sum(2), 0);
  });
}

TEST_F(TenantQuotasTest, AFetchWaitsForOneOfAnotherWorker) {
  Run([&] {
    TellAll({"tenant: 'acme' fetches_max: 1"});
    Event go[2];
    FiberHandle first = Fetch(other_, "other", go[0]);
    Settle();
    FiberHandle second = Fetch(quotas_, "own", go[1]);
    Settle();
    EXPECT_EQ(had_turns_, (std::vector<std::string>{"other"}));
    go[0].Set();
    EXPECT_TRUE(first.Join().ok());
    Sleep(kFetchLook).IgnoreError();
    Settle();
    EXPECT_EQ(had_turns_, (std::vector<std::string>{"other", "own"}));
    go[1].Set();
    EXPECT_TRUE(second.Join().ok());
  });
}

TEST_F(TenantQuotasTest, AWaitingFetchEndsByItsDeadlineAndByACancel) {
  Run([&] {
    TellAll({"tenant: 'acme' fetches_max: 1"});
    Event go[3];
    FiberHandle holds = Fetch(quotas_, "holds", go[0]);
    Settle();
    FiberHandle cancelled = Fetch(quotas_, "cancelled", go[1]);
    FiberHandle behind = Fetch(quotas_, "behind", go[2]);
    Settle();
    {
      const LabelScope acme(labels_.Of("acme"));
      Timeout timeout(absl::Seconds(3));
      EXPECT_TRUE(absl::IsDeadlineExceeded(quotas_.Await().status()));
      EXPECT_TRUE(timeout.fired());
    }
    cancelled.Cancel();
    EXPECT_TRUE(absl::IsCancelled(cancelled.Join()));
    EXPECT_EQ(quotas_.waiting(), 1);
    go[0].Set();
    go[2].Set();
    EXPECT_TRUE(holds.Join().ok());
    EXPECT_TRUE(behind.Join().ok());
    EXPECT_EQ(had_turns_, (std::vector<std::string>{"holds", "behind"}));
  });
}

TEST_F(TenantQuotasTest, ABoundThatIsRaisedOrTakenAwayLetsWaitingFetchesGo) {
  Run([&] {
    TellAll({"tenant: 'acme' fetches_max: 1"});
    Event go;
    std::vector<FiberHandle> fibers;
    fibers.reserve(4);
    for (int i = 0; i < 4; ++i) fibers.push_back(Fetch(quotas_, StrCat(i), go));
    Settle();
    EXPECT_EQ(had_turns_.size(), 1);
    Tell("tenant: 'acme' fetches_max: 2");
    Settle();
    EXPECT_EQ(had_turns_.size(), 2);
    Tell("tenant: 'acme'");
    Settle();
    EXPECT_EQ(had_turns_.size(), 4);
    go.Set();
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
    EXPECT_EQ(Cells("acme").fetches.Sum(2), 0);
  });
}

// One worker's fetches follow each other without a pause; the other's one gets its turn.
TEST_F(TenantQuotasTest, NoWorkerKeepsAnotherFromItsTurn) {
  Run([&] {
    TellAll({"tenant: 'acme' fetches_max: 1"});
    bool stop = false;
    const auto loop = [&]() -> absl::Status {
      const LabelScope acme(labels_.Of("acme"));
      while (!stop) {
        const auto line = quotas_.Await();
        if (!line.ok()) return line.status();
        absl::Status slept = Sleep(absl::Milliseconds(3));
        quotas_.End(*line);
        if (!slept.ok()) return slept;
      }
      return absl::OkStatus();
    };
    FiberHandle one = *Spawn("loop", loop);
    FiberHandle two = *Spawn("loop", loop);
    Settle();
    Event go;
    go.Set();
    FiberHandle other = Fetch(other_, "other", go);
    EXPECT_TRUE(WithTimeout(absl::Seconds(10), [&] { return other.Join(); }).ok());
    EXPECT_EQ(had_turns_, (std::vector<std::string>{"other"}));
    stop = true;
    EXPECT_TRUE(one.Join().ok());
    EXPECT_TRUE(two.Join().ok());
  });
}

TEST_F(TenantQuotasTest, NobodysFetchesAreNotBounded) {
  Run([&] {
    TellAll({"tenant: 'acme' fetches_max: 1 "});
    const auto line = quotas_.Await();
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(*line, nullptr);
  });
}

}  // namespace
}  // namespace grove::worker
