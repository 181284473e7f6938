#include "server/http/handler/router.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;

// Keeps what was answered.
class FakeSink : public ResponseSink {
 public:
  absl::Status Begin(int status, FieldSpan fields, std::optional<size_t>) override {
    lines.push_back(std::to_string(status));
    for (const auto& [name, value] : fields)
      lines.emplace_back().append(name).append(": ").append(value);
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view bytes) override {
    lines.emplace_back(bytes);
    return absl::OkStatus();
  }
  absl::Status Finish(FieldSpan) override { return absl::OkStatus(); }
  std::vector<std::string> lines;
};

std::vector<std::string> Answer(const Router& router, std::string_view method,
                                std::string_view path, std::string_view host = "h",
                                std::span<const Field> fields = {}) {
  FakeSink sink;
  Request request{.method = method, .path = path, .host = host, .fields = fields};
  Response response(sink);
  EXPECT_TRUE(router.RouteRequest(request, response).ok());
  return sink.lines;
}

// Says its text and what the parameters are.
Handler Saying(std::string text) {
  return [text = std::move(text)](Request& request, Response& response) {
    std::string answer = text;
    for (const auto& [name, value] : request.context.params) {
      answer.append(" ").append(name).append("=").append(value);
    }
    return response.Send(200, "", answer);
  };
}

class RouterTest : public testing::Test {
 protected:
  void Add(std::string_view method, std::string_view path, std::string_view host = "") {
    const absl::Status added =
        router_.Add({.method = method,
                     .host = host,
                     .path = path,
                     .handler = Saying(std::string(method).append(" ").append(host).append(path))});
    EXPECT_TRUE(added.ok()) << added;
  }
  // The body of a 200, else the status.
  std::string Say(std::string_view method, std::string_view path, std::string_view host = "h") {
    const std::vector<std::string> lines = Answer(router_, method, path, host);
    return lines[0] == "200" ? lines[1] : lines[0];
  }

  Router router_;
};

TEST_F(RouterTest, FindsAHandlerByMethodAndExactPath) {
  Add("GET", "/a");
  Add("POST", "/a");
  Add("", "/any");
  EXPECT_EQ(Say("GET", "/a"), "GET /a");
  EXPECT_EQ(Say("POST", "/a"), "POST /a");
  EXPECT_EQ(Say("PATCH", "/any"), " /any");
}

TEST_F(RouterTest, AnswersAnUnknownPathWith404) {
  Add("GET", "/a");
  for (const char* path : {"/", "/a/", "/A", "a", "", "//a", "/a%2F"}) {
    EXPECT_THAT(Answer(router_, "GET", path),
                ElementsAre("404", "Content-Type: text/plain", "Not Found\r\n"));
  }
}

TEST_F(RouterTest, AnswersAnotherMethodWith405AndAllow) {
  Add("GET", "/a");
  Add("PUT", "/a");
  Add("DELETE", "/b");
  EXPECT_THAT(Answer(router_, "POST", "/a"),
              ElementsAre("405", "Allow: GET, HEAD, OPTIONS, PUT", "Content-Type: text/plain",
                          "Method Not Allowed\r\n"));
  EXPECT_EQ(Say("get", "/a"), "405");
  EXPECT_EQ(Say("HEAD", "/b"), "405");
}

TEST_F(RouterTest, AllowsTheMethodsOfEveryPatternThatMatches) {
  Add("GET", "/a/b");
  Add("PUT", "/a/{x}");
  Add("PATCH", "/{x...}");
  EXPECT_EQ(Answer(router_, "POST", "/a/b")[1], "Allow: GET, HEAD, OPTIONS, PATCH, PUT");
  EXPECT_EQ(Say("PUT", "/a/b"), "PUT /a/{x} x=b");
}

TEST_F(RouterTest, AnswersHeadWithGetUnlessThereIsOne) {
  Add("GET", "/a");
  EXPECT_EQ(Say("HEAD", "/a"), "GET /a");
  Add("HEAD", "/a");
  EXPECT_EQ(Say("HEAD", "/a"), "HEAD /a");
}

TEST_F(RouterTest, AnswersOptionsForTheServerAndForAPath) {
  Add("GET", "/a");
  Add("POST", "/b");
  Add("OPTIONS", "/own");
  EXPECT_THAT(Answer(router_, "OPTIONS", "*"),
              ElementsAre("204", "Allow: GET, HEAD, OPTIONS, POST"));
  EXPECT_THAT(Answer(router_, "OPTIONS", "/b"), ElementsAre("204", "Allow: OPTIONS, POST"));
  EXPECT_EQ(Say("OPTIONS", "/own"), "OPTIONS /own");
  EXPECT_EQ(Say("OPTIONS", "/none"), "404");
}

TEST_F(RouterTest, ARouteOfAnyMethodAllowsThemAll) {
  Add("POST", "/a");
  Add("", "/any");
  EXPECT_THAT(Answer(router_, "OPTIONS", "*"),
              ElementsAre("204", "Allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"));
}

TEST_F(RouterTest, OnlyARouteThatNamesTraceGetsIt) {
  Add("", "/any");
  Add("GET", "/a");
  Add("TRACE", "/named");
  EXPECT_EQ(Answer(router_, "TRACE", "/any")[0], "405");
  EXPECT_EQ(Answer(router_, "TRACE", "/any")[1],
            "Allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
  EXPECT_EQ(Say("TRACE", "/a"), "405");
  EXPECT_EQ(Say("TRACE", "/named"), "TRACE /named");
}

TEST_F(RouterTest, CapturesDecodedParameters) {
  Add("GET", "/users/{id}/posts/{post}");
  Add("GET", "/files/{path...}");
  EXPECT_EQ(Say("GET", "/users/7/posts/a%20b"), "GET /users/{id}/posts/{post} id=7 post=a b");
  EXPECT_EQ(Say("GET", "/users/a%2Fb/posts/100%25"),
            "GET /users/{id}/posts/{post} id=a/b post=100%");
  EXPECT_EQ(Say("GET", "/users//posts/1"), "404");
  EXPECT_EQ(Say("GET", "/files/"), "GET /files/{path...} path=");
  EXPECT_EQ(Say("GET", "/files/a//b%2e"), "GET /files/{path...} path=a//b.");
  EXPECT_EQ(Say("GET", "/files/..%2F..%2Fetc%25"), "GET /files/{path...} path=..%2F..%2Fetc%");
  EXPECT_EQ(Say("GET", "/files"), "404");
}

TEST_F(RouterTest, MatchesDecodedAndResolvedPaths) {
  Add("GET", "/a/b");
  Add("GET", "/caf%C3%A9");
  Add("GET", "/x%2fy");
  for (const char* path : {"/a/b", "/%61/b", "/a/./b", "/z/../a/b", "/a/%2E/b"}) {
    EXPECT_EQ(Say("GET", path), "GET /a/b") << path;
  }
  EXPECT_EQ(Say("GET", "/caf\xc3\xa9"), "GET /caf%C3%A9");
  EXPECT_EQ(Say("GET", "/x%2Fy"), "GET /x%2fy");
  EXPECT_EQ(Say("GET", "/a%2Fb"), "404");
  EXPECT_EQ(Say("GET", "/x/y"), "404");
  for (const char* path : {"/%", "/a%00", "/../a", "/%2e%2e/a/b"}) {
    EXPECT_EQ(Answer(router_, "GET", path)[0], "400") << path;
    EXPECT_EQ(Answer(router_, "GET", path)[1], "Connection: close") << path;
  }
}

TEST_F(RouterTest, PrefersTheMoreSpecificPatternInAnyOrder) {
  std::vector<const char*> patterns = {"/{x...}",   "/{x}",   "/a",       "/a/{x}",
                                       "/a/{x...}", "/{x}/b", "/{x}/b/c", "/a/{x}/d"};
  const std::pair<const char*, const char*> table[] = {
      {"/", "GET /{x...} x="},        {"/a", "GET /a"},
      {"/z", "GET /{x} x=z"},         {"/a/b", "GET /a/{x} x=b"},
      {"/a/", "GET /a/{x...} x="},    {"/z/b", "GET /{x}/b x=z"},
      {"/z/c", "GET /{x...} x=z/c"},  {"/a/b/c", "GET /a/{x...} x=b/c"},
      {"/a/b/d", "GET /a/{x}/d x=b"}, {"/z/b/c", "GET /{x}/b/c x=z"},
  };
  for (int turn = 0; turn < 2; ++turn) {
    router_ = Router();
    for (const char* pattern : patterns) Add("GET", pattern);
    for (const auto& [path, said] : table) EXPECT_EQ(Say("GET", path), said) << path;
    std::reverse(patterns.begin(), patterns.end());
  }
}

TEST_F(RouterTest, GoesBackFromALiteralThatLeadsNowhere) {
  Add("GET", "/a/{x}/c");
  Add("GET", "/{x}/b/{y}");
  EXPECT_EQ(Say("GET", "/a/b/d"), "GET /{x}/b/{y} x=a y=d");
}

TEST_F(RouterTest, PrefersTheMoreSpecificHost) {
  Add("GET", "/", "*.example.org");
  Add("GET", "/");
  Add("GET", "/", "*.api.example.org");
  Add("GET", "/", "Example.org");
  Add("GET", "/else");
  EXPECT_EQ(Say("GET", "/", "EXAMPLE.org:80"), "GET Example.org/");
  EXPECT_EQ(Say("GET", "/", "www.example.org."), "GET *.example.org/");
  EXPECT_EQ(Say("GET", "/", "v1.api.example.org"), "GET *.api.example.org/");
  EXPECT_EQ(Say("GET", "/", "api.example.org"), "GET *.example.org/");
  EXPECT_EQ(Say("GET", "/", "badexample.org"), "GET /");
  EXPECT_EQ(Say("GET", "/", ".example.org"), "GET /");
  EXPECT_EQ(Say("GET", "/else", "example.org"), "GET /else");
}

TEST_F(RouterTest, RefusesWhatMatchesTheSameRequests) {
  Add("GET", "/a/{x}");
  Add("GET", "/b", "a.org");
  const auto add = [this](std::string_view method, std::string_view path, std::string_view host) {
    return std::string(
        router_.Add({.method = method, .host = host, .path = path, .handler = Saying("")})
            .message());
  };
  EXPECT_EQ(add("GET", "/a/{x}", ""), "GET /a/{x} stands twice");
  EXPECT_EQ(add("GET", "/a/{y}", ""), "GET /a/{y} matches the same requests as GET /a/{x}");
  EXPECT_EQ(add("GET", "/%62", "A.org"), "GET A.org/%62 matches the same requests as GET a.org/b");
  EXPECT_EQ(add("", "/a/{y}", ""), "");
  EXPECT_EQ(add("GET", "/b", ""), "");
  EXPECT_THAT(add("GET", "b", ""), testing::HasSubstr("starts with '/'"));
  EXPECT_THAT(add("GET", "/", "a:80"), testing::HasSubstr("no host"));
  EXPECT_EQ(router_.routes(), 4);
}

TEST_F(RouterTest, SendsAPreflightToTheRouteThatItAsksFor) {
  ASSERT_TRUE(router_
                  .Add({.method = "PUT",
                        .host = {},
                        .path = "/a/{x}",
                        .handler = Saying("put"),
                        .answers_preflight = true})
                  .ok());
  Add("GET", "/a/{x}");
  const auto ask = [this](std::string_view method) {
    const Field fields[] = {{"Origin", "https://b"}, {"Access-Control-Request-Method", method}};
    return Answer(router_, "OPTIONS", "/a/1", "h", fields);
  };
  EXPECT_THAT(ask("PUT"), ElementsAre("200", "put x=1"));
  EXPECT_THAT(ask("GET")[0], "204");
  EXPECT_THAT(ask("DELETE")[0], "204");
}

TEST_F(RouterTest, WrapsItsOwnAnswersOnly) {
  Add("GET", "/a");
  router_.Wrap([](Request& request, Response& response, const Handler& next) {
    response.Add("X-Wrapped", "yes");
    return next(request, response);
  });
  EXPECT_EQ(Answer(router_, "GET", "/b")[1], "X-Wrapped: yes");
  EXPECT_EQ(Answer(router_, "PUT", "/a")[1], "X-Wrapped: yes");
  EXPECT_THAT(Answer(router_, "GET", "/a"), ElementsAre("200", "GET /a"));
}

}  // namespace
}  // namespace grove::http
