#include "server/admin/pages.h"

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace grove::admin {
namespace {

class RecordingSink final : public http::ResponseSink {
 public:
  absl::Status Begin(int code, http::FieldSpan fields, std::optional<size_t>) override {
    status = code;
    for (const auto& [name, value] : fields) {
      if (http::EqualsIgnoreCase(name, "content-type")) content_type = value;
    }
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view bytes) override {
    body.append(bytes);
    return absl::OkStatus();
  }
  absl::Status Finish(http::FieldSpan) override { return absl::OkStatus(); }

  int status = 0;
  std::string content_type;
  std::string body;
};

class PagesTest : public testing::Test {
 protected:
  RecordingSink Get(std::string_view path) {
    const http::Router router = AdminRouter({
        .metrics = [] { return std::string("grove_up 1\n"); },
        .metrics_content_type = "text/plain; version=0.0.4",
        .live = [this] { return live_; },
        .ready = [this] { return ready_; },
    });
    RecordingSink sink;
    http::Request request;
    request.method = "GET";
    request.target = request.path = path;
    http::Response response(sink);
    EXPECT_TRUE(router.RouteRequest(request, response).ok());
    return sink;
  }

  absl::Status live_;
  absl::Status ready_;
};

TEST_F(PagesTest, MetricsHaveTheirContentType) {
  const RecordingSink got = Get("/metrics");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.content_type, "text/plain; version=0.0.4");
  EXPECT_EQ(got.body, "grove_up 1\n");
}

TEST_F(PagesTest, ProbesAnswerOkOr503WithTheReason) {
  EXPECT_EQ(Get("/livez").status, 200);
  EXPECT_EQ(Get("/livez").body, "ok\n");
  ready_ = absl::UnavailableError("draining");
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz").body, "draining\n");
  EXPECT_EQ(Get("/livez").status, 200);
  live_ = absl::UnavailableError("worker 0 is stuck");
  EXPECT_EQ(Get("/livez").status, 503);
}

TEST_F(PagesTest, IndexNamesThePagesAndOthersAreNotFound) {
  EXPECT_TRUE(absl::StrContains(Get("/").body, "/metrics"));
  EXPECT_EQ(Get("/nothing").status, 404);
}

}  // namespace
}  // namespace grove::admin
