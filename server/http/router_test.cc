#include "server/http/router.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;

// Keeps what was answered.
class FakeSink : public ResponseSink {
 public:
  absl::Status Begin(int status, Fields fields, std::optional<size_t>) override {
    lines.push_back(std::to_string(status));
    for (const auto& [name, value] : fields) lines.push_back(name + ": " + value);
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view bytes) override {
    lines.emplace_back(bytes);
    return absl::OkStatus();
  }
  absl::Status Finish(Fields) override { return absl::OkStatus(); }
  std::vector<std::string> lines;
};

std::vector<std::string> Answer(const Router& router, std::string_view method,
                                std::string_view path) {
  FakeSink sink;
  Request request{.method = method, .path = path};
  Response response(sink);
  EXPECT_TRUE(router.Dispatch(request, response).ok());
  return sink.lines;
}

Handler Saying(std::string text) {
  return [text](Request&, Response& response) { return response.Send(200, "", text); };
}

TEST(Router, FindsAHandlerByMethodAndExactPath) {
  Router router;
  router.Add("GET", "/a", Saying("get a"));
  router.Add("POST", "/a", Saying("post a"));
  router.Add("", "/any", Saying("any"));
  EXPECT_THAT(Answer(router, "GET", "/a"), ElementsAre("200", "get a"));
  EXPECT_THAT(Answer(router, "POST", "/a"), ElementsAre("200", "post a"));
  EXPECT_THAT(Answer(router, "PATCH", "/any"), ElementsAre("200", "any"));
}

TEST(Router, AnswersAnUnknownPathWith404) {
  Router router;
  router.Add("GET", "/a", Saying("a"));
  for (const char* path : {"/", "/a/", "/A", "a", ""}) {
    EXPECT_THAT(Answer(router, "GET", path),
                ElementsAre("404", "Content-Type: text/plain", "Not Found\r\n"));
  }
}

TEST(Router, AnswersAnotherMethodWith405AndAllow) {
  Router router;
  router.Add("GET", "/a", Saying("a"));
  router.Add("PUT", "/a", Saying("a"));
  router.Add("DELETE", "/b", Saying("b"));
  EXPECT_THAT(Answer(router, "POST", "/a"),
              ElementsAre("405", "Allow: GET, HEAD, PUT", "Content-Type: text/plain",
                          "Method Not Allowed\r\n"));
  EXPECT_THAT(Answer(router, "get", "/a")[0], "405");
  EXPECT_THAT(Answer(router, "HEAD", "/b")[0], "405");
}

TEST(Router, AnswersHeadWithGetUnlessThereIsOne) {
  Router router;
  router.Add("GET", "/a", Saying("get"));
  EXPECT_THAT(Answer(router, "HEAD", "/a"), ElementsAre("200", "get"));
  router.Add("HEAD", "/a", Saying("head"));
  EXPECT_THAT(Answer(router, "HEAD", "/a"), ElementsAre("200", "head"));
}

TEST(Router, ReplacesAHandlerThatIsAddedAgain) {
  Router router;
  router.Add("GET", "/a", Saying("old"));
  router.Add("GET", "/a", Saying("new"));
  EXPECT_THAT(Answer(router, "GET", "/a"), ElementsAre("200", "new"));
  EXPECT_EQ(router.paths(), 1);
}

TEST(Router, AnswersOptionsForTheWholeServer) {
  Router router;
  router.Add("GET", "/a", Saying("a"));
  router.Add("POST", "/b", Saying("b"));
  EXPECT_THAT(Answer(router, "OPTIONS", "*"), ElementsAre("204", "Allow: GET, HEAD, POST"));
}

}  // namespace
}  // namespace grove::http
