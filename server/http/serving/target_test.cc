// What a connection makes of a request's target, before it is routed.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TargetTest : public ServerFixture {
 protected:
  TargetTest() {
    Handle("GET", "/",
           [](Request&, Response& response) { return response.Send(200, "text/plain", "hello"); });
  }
};

TEST_F(TargetTest, RefusesATargetOfAnotherSchemeThanTheClientUsed) {
  options_.forwarded_scheme = [](const Request& request) {
    return std::string(request.Get("x-proxy-says").value_or(""));
  };
  const struct {
    const char* target;
    const char* field;
    int status;
  } table[] = {
      {"/", "X-Proxy-Says: https", 200},          {"http://a/", "X: y", 200},
      {"HTTP://a/", "X-Proxy-Says: https", 200},  {"https://a/", "X-Proxy-Says: https", 200},
      {"HttpS://a/", "X-Proxy-Says: https", 200}, {"https://a/", "X: y", 421},
      {"https://a/", "X-Proxy-Says: http", 421},  {"https://a/none", "X: y", 421},
  };
  Run([&] {
    for (const auto& [target, field, status] : table) {
      Client client = Connect();
      client.Send(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: a\r\n", field,
                               "\r\nConnection: close\r\n\r\n"));
      EXPECT_THAT(client.ReadAll(), StartsWith(absl::StrCat("HTTP/1.1 ", status, " ")))
          << target << " " << field;
    }
  });
}

TEST_F(TargetTest, ServesUtf8TargetsOnDemand) {
  options_.target_text = TargetText::kUriAndUtf8;
  Run([&] {
    Client client = Connect();
    client.Send("GET /?\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\nGET /?\xc3 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(client.ReadAll(),
                AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("HTTP/1.1 400 Bad Request")));
  });
}

}  // namespace
}  // namespace grove::http
