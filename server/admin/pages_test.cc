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
  RecordingSink Get(std::string_view path, std::string_view query = "",
                    http::FieldSpan fields = {}) {
    const http::Router router = AdminRouter(
        {
            .metrics = [] { return std::string("grove_up 1\n"); },
            .metrics_content_type = "text/plain; version=0.0.4",
            .live = [this] { return live_; },
            .ready = [this] { return ready_; },
            .debug = {{.name = "x<y>",
                       .what = "what & why",
                       .parameters = {"limit"},
                       .make = [](const Query& query) -> absl::StatusOr<Json> {
                         absl::StatusOr<int64_t> limit = query.Number("limit", 1, 10, 5);
                         if (!limit.ok()) return limit.status();
                         return Json{{"limit", *limit}};
                       }}},
        },
        gate_);
    RecordingSink sink;
    http::Request request;
    request.method = "GET";
    request.target = request.path = path;
    request.query = query;
    request.fields = fields;
    http::Response response(sink);
    EXPECT_TRUE(router.RouteRequest(request, response).ok());
    return sink;
  }

  Health live_;
  Health ready_{.checks = {{.name = "store", .good = true, .state = "ok"},
                           {.name = "worker-1", .good = false, .state = "stuck"}}};
  http::Middleware gate_;
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
  ready_.status = absl::UnavailableError("draining");
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz").body, "draining\n");
  EXPECT_EQ(Get("/livez").status, 200);
  live_.status = absl::UnavailableError("worker 0 is stuck");
  EXPECT_EQ(Get("/livez").status, 503);
}

TEST_F(PagesTest, IndexNamesThePagesAndOthersAreNotFound) {
  EXPECT_TRUE(absl::StrContains(Get("/").body, "/metrics"));
  EXPECT_EQ(Get("/nothing").status, 404);
}

TEST_F(PagesTest, AProbeTellsEachCheckOnDemand) {
  EXPECT_EQ(Get("/readyz", "verbose").body,
            "[+]store ok\n[-]worker-1 stuck\nreadyz check passed\n");
  ready_.status = absl::UnavailableError("draining");
  EXPECT_EQ(Get("/readyz", "verbose").status, 503);
  const RecordingSink json = Get("/readyz", "format=json");
  EXPECT_EQ(json.status, 503);
  EXPECT_EQ(json.content_type, "application/json");
  const Json page = Json::parse(json.body);
  EXPECT_EQ(page["status"], "failing");
  EXPECT_EQ(page["reason"], "draining");
  EXPECT_EQ(page["checks"][1], (Json{{"name", "worker-1"}, {"ok", false}, {"state", "stuck"}}));
}

TEST_F(PagesTest, DebugPagesComeInTextAndInJsonToWhoAsks) {
  EXPECT_EQ(Get("/debug/x<y>").body, "limit: 5\n");
  EXPECT_EQ(Get("/debug/x<y>", "limit=%37&format=json").body, "{\n  \"limit\": 7\n}\n");
  const http::Field json[] = {{"Accept", "application/json"}};
  EXPECT_EQ(Get("/debug/x<y>", "", json).content_type, "application/json");
  const http::Field browser[] = {{"Accept", "text/html,application/json;q=0.9"}};
  EXPECT_EQ(Get("/debug/x<y>", "", browser).content_type, "text/plain; charset=utf-8");
}

TEST_F(PagesTest, AWrongParameterIsNamed) {
  EXPECT_EQ(Get("/debug/x<y>", "limit=0").status, 400);
  EXPECT_EQ(Get("/debug/x<y>", "limit=0").body, "limit: want 1 to 10\n");
  EXPECT_EQ(Get("/debug/x<y>", "format=xml").body, "format: want json or text\n");
  EXPECT_EQ(Get("/debug/x<y>", "limi=1").body, "unknown parameter; known here: limit, format\n");
}

TEST_F(PagesTest, TheIndexEscapesWhatItNames) {
  const std::string page = Get("/").body;
  EXPECT_TRUE(absl::StrContains(page, "/debug/x&lt;y&gt;")) << page;
  EXPECT_TRUE(absl::StrContains(page, "what &amp; why")) << page;
  EXPECT_FALSE(absl::StrContains(page, "<y>")) << page;
}

TEST_F(PagesTest, TheGateStandsBeforeMetricsAndDebugAlone) {
  gate_ = [](http::Request&, http::Response& response, const http::Handler&) {
    return response.Send(401, "text/plain", "no");
  };
  for (const char* path : {"/metrics", "/debug/x<y>"}) EXPECT_EQ(Get(path).status, 401) << path;
  for (const char* path : {"/", "/livez", "/readyz"}) EXPECT_EQ(Get(path).status, 200) << path;
}

}  // namespace
}  // namespace grove::admin
