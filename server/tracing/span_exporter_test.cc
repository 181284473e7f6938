#include "server/tracing/span_exporter.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "http/client/test_server.h"
#include "nlohmann/json.hpp"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::tracing {
namespace {

constexpr char kTaken[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
constexpr char kBusy[] =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";

class SpanExporterTest : public HubTest {
 protected:
  // As workers' fibers have.
  SpanExporterTest() : HubTest({.stack_bytes = 256 * 1024}) {}

  // Beside an exporter that runs, to a collector that answers `answer`.
  void RunWith(std::string answer, const std::function<void()>& body) {
    Run([&] {
      http::TestServer collector;
      collector_ = &collector;
      collector.Answer("/v1/traces", std::move(answer));
      options_.endpoint = collector.Url("/v1/traces");
      exporter_ = *SpanExporter::Create(options_);
      FiberHandle runs = *Spawn("exporter", [&] { return exporter_->Run(); });
      body();
      runs.Cancel();
      EXPECT_TRUE(absl::IsCancelled(runs.Join()));
      exporter_ = nullptr;
      collector.Stop();
    });
  }
  void Take(int spans = 1) {
    for (int i = 0; i < spans; ++i) {
      auto span = std::make_unique<SpanRecord>();
      span->context.trace = {1, 2};
      span->context.span = 3;
      span->name = "span";
      exporter_->Take(std::move(span));
    }
  }
  size_t SpansOf(size_t request) const {
    const std::string& text = collector_->requests().at(request);
    const auto json = nlohmann::json::parse(text.substr(text.find("\r\n\r\n") + 4));
    return json["resourceSpans"][0]["scopeSpans"][0]["spans"].size();
  }

  ExporterOptions options_;
  http::TestServer* collector_ = nullptr;
  std::unique_ptr<SpanExporter> exporter_;
};

TEST_F(SpanExporterTest, AFullBatchLeavesAtOnce) {
  options_.batch_max = 2;
  options_.batch_delay = absl::Hours(24 * 365);
  RunWith(kTaken, [&] {
    const MonotonicNanos before = Hub::Current()->now();
    Take(5);
    collector_->AwaitRequests(2);
    EXPECT_LT(Hub::Current()->now() - before, absl::ToInt64Nanoseconds(absl::Hours(24)));
    EXPECT_EQ(SpansOf(0), 2u);
    EXPECT_EQ(SpansOf(1), 2u);
    EXPECT_TRUE(exporter_->Flush().ok());
    EXPECT_EQ(SpansOf(2), 1u);
    EXPECT_EQ(exporter_->counts(), (SpanCounts{5, 0, 0}));
  });
}

TEST_F(SpanExporterTest, ABatchThatIsNotFullLeavesAfterItsDelay) {
  options_.batch_delay = absl::Minutes(3);
  RunWith(kTaken, [&] {
    const MonotonicNanos before = Hub::Current()->now();
    Take(2);
    collector_->AwaitRequests(1);
    EXPECT_GE(Hub::Current()->now() - before, absl::ToInt64Nanoseconds(absl::Minutes(3)));
    EXPECT_EQ(SpansOf(0), 2u);
  });
}

TEST_F(SpanExporterTest, BeyondTheQueueSpansAreDropped) {
  options_.endpoint = "http://127.0.0.1:1/v1/traces";
  options_.queue_max = 2;
  exporter_ = *SpanExporter::Create(options_);
  Take(5);
  EXPECT_EQ(exporter_->counts(), (SpanCounts{0, 3, 0}));
}

TEST_F(SpanExporterTest, ACollectorThatIsBusyIsAskedAgainWhenItSays) {
  RunWith(kBusy, [&] {
    Take();
    collector_->AwaitRequests(1);
    const MonotonicNanos before = Hub::Current()->now();
    collector_->Answer("/v1/traces", kTaken);
    collector_->AwaitRequests(2);
    EXPECT_GE(Hub::Current()->now() - before, absl::ToInt64Nanoseconds(absl::Seconds(6)));
    EXPECT_TRUE(exporter_->Flush().ok());
    EXPECT_EQ(collector_->requests().size(), 2u);
    EXPECT_EQ(exporter_->counts(), (SpanCounts{1, 0, 0}));
  });
}

TEST_F(SpanExporterTest, AfterSomeTriesABatchIsGivenUp) {
  RunWith(kBusy, [&] {
    Take(3);
    collector_->AwaitRequests(kExportTriesMax);
    collector_->Answer("/v1/traces", kTaken);
    Take();
    EXPECT_TRUE(exporter_->Flush().ok());
    EXPECT_EQ(collector_->requests().size(), static_cast<size_t>(kExportTriesMax) + 1);
    EXPECT_EQ(exporter_->counts(), (SpanCounts{1, 0, 3}));
  });
}

TEST_F(SpanExporterTest, WhatTheCollectorDoesNotWantIsNotSentAgain) {
  RunWith("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", [&] {
    Take(2);
    EXPECT_TRUE(exporter_->Flush().ok());
    EXPECT_EQ(collector_->requests().size(), 1u);
    EXPECT_EQ(exporter_->counts(), (SpanCounts{0, 0, 2}));
  });
}

TEST_F(SpanExporterTest, WhatTheCollectorTakesInPartIsCountedSo) {
  const std::string body = R"({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "old"}})";
  RunWith("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
          [&] {
            Take(3);
            EXPECT_TRUE(exporter_->Flush().ok());
            EXPECT_EQ(exporter_->counts(), (SpanCounts{2, 0, 1}));
          });
}

TEST_F(SpanExporterTest, AFlushTriesOnce) {
  options_.batch_delay = absl::Hours(1);
  RunWith(kBusy, [&] {
    Take(2);
    EXPECT_TRUE(exporter_->Flush().ok());
    EXPECT_EQ(collector_->requests().size(), 1u);
    EXPECT_EQ(exporter_->counts(), (SpanCounts{0, 0, 2}));
  });
}

TEST_F(SpanExporterTest, AFlushEndsAPauseBetweenTries) {
  RunWith(kBusy, [&] {
    Take();
    collector_->AwaitRequests(1);
    const MonotonicNanos before = Hub::Current()->now();
    EXPECT_TRUE(exporter_->Flush().ok());
    EXPECT_LT(Hub::Current()->now() - before, absl::ToInt64Nanoseconds(absl::Seconds(6)));
    EXPECT_EQ(exporter_->counts(), (SpanCounts{0, 0, 1}));
  });
}

TEST_F(SpanExporterTest, ItsCallsHaveTheFieldsAndAreOfNoTrace) {
  options_.fields = {{"X-Key", "of the collector's"}};
  TraceContext traced;
  traced.trace = {1, 2};
  traced.span = 3;
  Run([&] {
    http::TestServer collector;
    collector.Answer("/v1/traces", kTaken);
    options_.endpoint = collector.Url("/v1/traces");
    exporter_ = *SpanExporter::Create(options_);
    const TraceScope scope(traced, nullptr);
    FiberHandle runs = *Spawn("exporter", [&] { return exporter_->Run(); });
    Take();
    collector.AwaitRequests(1);
    const std::string request = collector.requests()[0];
    EXPECT_TRUE(request.starts_with("POST /v1/traces HTTP/1.1\r\n")) << request;
    EXPECT_NE(request.find("X-Key: of the collector's\r\n"), std::string::npos) << request;
    EXPECT_NE(request.find("Content-Type: application/json\r\n"), std::string::npos) << request;
    EXPECT_EQ(request.find("traceparent"), std::string::npos) << request;
    runs.Cancel();
    EXPECT_FALSE(runs.Join().ok());
    exporter_ = nullptr;
  });
}

TEST_F(SpanExporterTest, AnEndpointIsAUrl) {
  options_.endpoint = "collector:4318";
  EXPECT_FALSE(SpanExporter::Create(options_).ok());
}

}  // namespace
}  // namespace grove::tracing
