// What docs/testing_applications.md shows of TestApplication.
#include "server/examples/billing.h"

#include <gtest/gtest.h>

#include "http/client/http_client.h"
#include "runtime/hub/fake_clock.h"
#include "runtime/hub/fake_poller.h"
#include "runtime/hub/hub.h"
#include "server/test_kit/test_application.h"

namespace {

using grove::examples::Billing;
using grove::test_kit::PeerAnswer;
using grove::test_kit::PeerRequest;
using grove::test_kit::TestAnswer;
using grove::test_kit::TestApplication;
using grove::test_kit::TestAttempt;
using grove::test_kit::TestOutcome;

// [handler]
TEST(InvoiceTest, AnInvoiceBecomesATask) {
  grove::Application application("billing");
  Billing billing(application);
  TestApplication test(application);
  const absl::Status status = test.Run([&] {
    const TestAnswer answer = test.Request("POST", "/invoices", "1200");
    EXPECT_EQ(answer.status, 202);
    ASSERT_EQ(test.spawned().tasks().size(), 1);
    EXPECT_EQ(test.spawned().tasks()[0].request.function, "billing.charge");
    EXPECT_EQ(test.spawned().tasks()[0].request.input, "1200");
    EXPECT_EQ(test.Request("POST", "/invoices", "much").status, 400);
  });
  EXPECT_TRUE(status.ok()) << status;
}
// [/handler]

class BillingTest : public ::testing::Test {
 protected:
  grove::Application application_{"billing"};
  Billing billing_{application_};
  TestApplication test_{application_, "application: {currency: CHF}"};
};

TEST_F(BillingTest, AChargeAsksThePaymentService) {
  // [function]
  test_.peer().On("POST", "https://pay.example/charges").Answer(201, "paid");
  const absl::Status status = test_.Run([&] {
    const TestAttempt charge = test_.Call("billing.charge", "1200");
    EXPECT_EQ(charge.outcome, TestOutcome::kSucceeded);
    EXPECT_EQ(charge.output, "paid");
    EXPECT_EQ(test_.peer().requests()[0].body, "1200 CHF");
  });
  EXPECT_TRUE(status.ok()) << status;
  // [/function]
}

TEST_F(BillingTest, AServiceThatFailsIsTriedAgain) {
  // [faults]
  auto& charges = test_.peer().On("POST", "https://pay.example/charges");
  charges.Reset();                                    // the first request: the connection breaks
  charges.Answer(429, "busy");                        // the second
  charges.Answer(201, "late").Delay(absl::Hours(1));  // the third: fetch.timeout_ms is over
  charges.Answer(201, "paid");                        // and all that follow
  const absl::Status status = test_.Run([&] {
    EXPECT_EQ(test_.Call("billing.charge", "1").status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(test_.Call("billing.charge", "1").retry_after, absl::Minutes(5));
    EXPECT_EQ(test_.Call("billing.charge", "1").status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(test_.Call("billing.charge", "1").output, "paid");
  });
  // [/faults]
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(BillingTest, TheRateIsLookedAtEveryMinute) {
  // [periodic]
  test_.peer().On("GET", "https://rates.example/{currency}").Answer(200, "1.08");
  const absl::Status status = test_.Run([&] {
    EXPECT_EQ(test_.Request("GET", "/rate").status, 503);
    test_.Advance(absl::Minutes(1));
    EXPECT_EQ(test_.Request("GET", "/rate").body, "1.08");
    test_.Advance(absl::Hours(1));
    EXPECT_EQ(test_.peer().RequestsTo("/eur").size(), 61);
  });
  // [/periodic]
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(BillingTest, TheReportIsNightly) {
  test_.peer().On("GET", "https://rates.example/eur").Answer(200, "1.08");
  // [schedule]
  grove::v1::Schedule nightly;
  nightly.add_cron_expressions("30 3 * * mon-fri");
  nightly.set_time_zone("Europe/Berlin");
  nightly.mutable_spec()->set_function("billing.report");
  test_.set_begin(absl::FromCivil(absl::CivilSecond(2026, 3, 6), absl::UTCTimeZone()));
  const absl::Status status = test_.Run([&] {
    ASSERT_TRUE(test_.AddSchedule("nightly", nightly).ok());
    test_.Advance(absl::Hours(72));  // from Friday 00:00 to Monday 00:00
    const std::string task = test_.spawned().tasks().at(0).name;
    EXPECT_EQ(test_.spawned().Wait(task, absl::ZeroDuration())->output, "0 charges");
    EXPECT_EQ(test_.GetSchedule("nightly")->spawned_total(), 1);
  });
  // [/schedule]
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(BillingTest, InvoicesAreChargedByTheTasksTheySpawn) {
  test_.peer().On("POST", "https://pay.example/charges").Answer(201, "paid");
  const absl::Status status = test_.Run([&] {
    // [spawned]
    test_.Request("POST", "/invoices", "100");
    test_.Request("POST", "/invoices", "200");
    EXPECT_EQ(test_.spawned().RunAll(), 2);
    EXPECT_EQ(test_.Call("billing.report", "").output, "2 charges");
    // [/spawned]
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(BillingTest, AnAnswerMayBeMadeOfTheRequest) {
  // [made]
  test_.peer().On("POST", "/charges").Answer([](const PeerRequest& request) {
    return request.body.ends_with(" CHF") ? PeerAnswer{201, "paid"} : PeerAnswer{400, "currency"};
  });
  // [/made]
  const absl::Status status =
      test_.Run([&] { EXPECT_EQ(test_.Call("billing.charge", "1").output, "paid"); });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(BillingTest, WhatNoScriptAnswersFailsTheRun) {
  const absl::Status status = test_.Run(
      [&] { EXPECT_EQ(test_.Call("billing.charge", "1").outcome, TestOutcome::kFailed); });
  EXPECT_EQ(status.message(),
            "asked of FakeHttpPeer, and answered by no script: POST https://pay.example/charges");
}

TEST(FakeHttpPeerTest, ServesAClientOfOnesOwn) {
  // [client]
  grove::FakeClock clock;
  const std::unique_ptr<grove::Hub> hub =
      *grove::Hub::Create({.clock = &clock, .poller = std::make_unique<grove::FakePoller>(clock)});
  grove::test_kit::FakeHttpPeer peer;
  peer.On("GET", "https://rates.example/eur").Answer(200, "1.08").Delay(absl::Minutes(5));
  const absl::Status status = hub->Run([&] {
    const auto client = *grove::http::HttpClient::Create({.dial = {.connect = peer.Connect()}});
    EXPECT_EQ(client->Fetch({.url = "https://rates.example/eur"})->body, "1.08");
    peer.Stop();
  });
  // [/client]
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
