#include "server/http/handler/cookies.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;

std::optional<std::string> Of(std::string_view header, std::string_view name) {
  const Field fields[] = {{"Cookie", header}};
  Request request;
  request.fields = FieldSpan(fields);
  return CookieOf(request, name);
}

TEST(CookieOf, FindsTheFirstOfItsName) {
  EXPECT_EQ(Of("a=1; b=2; a=3", "a"), "1");
  EXPECT_EQ(Of("a=1; b=2; a=3", "b"), "2");
  EXPECT_EQ(Of("a=1;b=\"two\" ;c", "b"), "two");
  EXPECT_EQ(Of("a=x=y", "a"), "x=y");
  EXPECT_EQ(Of("ab=1", "a"), std::nullopt);
  EXPECT_EQ(Of("a", "a"), std::nullopt);
  EXPECT_EQ(Of("a=", "a"), "");
  EXPECT_EQ(CookieOf(Request(), "a"), std::nullopt);
}

class Sink : public ResponseSink {
 public:
  absl::Status Begin(int, FieldSpan fields, std::optional<size_t>) override {
    for (const Field& field : fields) {
      if (field.name == "Set-Cookie") cookies.emplace_back(field.value);
    }
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view) override { return absl::OkStatus(); }
  absl::Status Finish(FieldSpan) override { return absl::OkStatus(); }
  std::vector<std::string> cookies;
};

TEST(SetCookie, SaysWhatASessionsCookieShould) {
  Sink sink;
  Response response(sink);
  EXPECT_TRUE(SetCookie(response, {.name = "id", .value = "x1"}).ok());
  EXPECT_TRUE(SetCookie(response, {.name = "old",
                                   .value = "",
                                   .path = "/a",
                                   .domain = "example.org",
                                   .max_age = absl::ZeroDuration(),
                                   .secure = false,
                                   .http_only = false,
                                   .same_site = Cookie::SameSite::kStrict})
                  .ok());
  EXPECT_TRUE(response.Send(200, "text/plain", "").ok());
  EXPECT_THAT(sink.cookies,
              ElementsAre("id=x1; Path=/; Secure; HttpOnly; SameSite=Lax",
                          "old=; Path=/a; Domain=example.org; Max-Age=0; SameSite=Strict"));
}

TEST(SetCookie, RefusesWhatWouldBeAnotherCookieOrNone) {
  Sink sink;
  Response response(sink);
  const Cookie wrong[] = {
      {.name = "", .value = ""},
      {.name = "a b", .value = ""},
      {.name = "a", .value = "x; Domain=evil"},
      {.name = "a", .value = "x\r\nSet-Cookie: b=c"},
      {.name = "a", .value = "", .path = "/;x"},
      {.name = "a", .value = "", .domain = "a\nb"},
      {.name = "a", .value = "", .secure = false, .same_site = Cookie::SameSite::kNone}};
  for (const Cookie& cookie : wrong) {
    EXPECT_EQ(SetCookie(response, cookie).code(), absl::StatusCode::kInvalidArgument)
        << cookie.name << cookie.value;
  }
}

}  // namespace
}  // namespace grove::http
