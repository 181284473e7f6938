#include "server/worker/worker_tracing.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "http/client/test_server.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::worker {
namespace {

class WorkerTracingTest : public HubTest {
 protected:
  WorkerTracingTest() : HubTest({.stack_bytes = 256 * 1024}) {
    config_.set_endpoint("http://127.0.0.1:1/v1/traces");
    config_.set_sampled_per_million(1'000'000);
    config_.set_batch_max(10);
    config_.set_batch_delay_ms(1);
    config_.set_queue_max(10);
    config_.set_timeout_ms(1000);
  }
  // A file with a field's value.
  static std::string File(const std::string& text, mode_t mode) {
    const std::string path = testing::TempDir() + "collector.secret";
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  void AddHeader(const std::string& file) {
    config::v1::TracingHeader& header = *config_.add_headers();
    header.set_name("X-Key");
    header.set_secret_file(file);
  }

  config::v1::Tracing config_;
};

TEST_F(WorkerTracingTest, SpansGoToTheCollectorWithItsHeaders) {
  AddHeader(File("of-the-collector's-own\n", 0600));
  Run([&] {
    http::TestServer collector;
    collector.Answer("/v1/traces", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    config_.set_endpoint(collector.Url("/v1/traces"));
    const auto tracing = *WorkerTracing::Create(config_, "shop", 3);
    FiberHandle runs = *Spawn("tracing", [&] { return tracing->Run(); });
    { const Span span(&tracing->tracer(), {}, SpanKind::kServer); }
    tracing->Flush(absl::Seconds(1));
    EXPECT_EQ(tracing->counts(), (tracing::SpanCounts{1, 0, 0}));
    ASSERT_EQ(collector.requests().size(), 1u);
    const std::string& request = collector.requests()[0];
    EXPECT_NE(request.find("X-Key: of-the-collector's-own\r\n"), std::string::npos) << request;
    EXPECT_NE(request.find(R"({"key":"service.name","value":{"stringValue":"shop"}})"),
              std::string::npos)
        << request;
    EXPECT_NE(request.find(R"({"key":"grove.worker","value":{"intValue":"3"}})"), std::string::npos)
        << request;
    runs.Cancel();
    EXPECT_FALSE(runs.Join().ok());
  });
}

TEST_F(WorkerTracingTest, ACollectorThatIsAwayHoldsUpTheEndForAMoment) {
  Run([&] {
    http::TestServer collector;  // silent
    config_.set_endpoint(collector.Url("/silent"));
    config_.set_timeout_ms(3'600'000);
    const auto tracing = *WorkerTracing::Create(config_, "shop", 3);
    FiberHandle runs = *Spawn("tracing", [&] { return tracing->Run(); });
    { const Span span(&tracing->tracer(), {}, SpanKind::kServer); }
    const MonotonicNanos before = Hub::Current()->now();
    tracing->Flush(absl::Minutes(1));
    const auto took = absl::Nanoseconds(Hub::Current()->now() - before);
    EXPECT_GE(took, kLastSpansMax);
    EXPECT_LT(took, absl::Minutes(1));
    runs.Cancel();
    EXPECT_FALSE(runs.Join().ok());
  });
}

TEST_F(WorkerTracingTest, AFileThatOthersMayReadIsRefused) {
  AddHeader(File("of-the-collector's-own\n", 0644));
  const auto tracing = WorkerTracing::Create(config_, "shop", 3);
  ASSERT_FALSE(tracing.ok());
  EXPECT_NE(tracing.status().message().find("tracing.headers X-Key: "), std::string::npos);
}

TEST_F(WorkerTracingTest, AnEndpointThatIsNoUrlIsRefused) {
  config_.set_endpoint("http://host:port/");
  const auto tracing = WorkerTracing::Create(config_, "shop", 3);
  ASSERT_FALSE(tracing.ok());
  EXPECT_NE(tracing.status().message().find("tracing.endpoint: "), std::string::npos);
}

}  // namespace
}  // namespace grove::worker
