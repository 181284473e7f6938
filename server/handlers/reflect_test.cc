#include "server/handlers/reflect.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "server/http/serving/server_fixture.h"

namespace grove::handlers {
namespace {

using http::Client;
using nlohmann::json;
using ::testing::StartsWith;

class ReflectTest : public http::ServerFixture {
 protected:
  ReflectTest() {
    options_.body_max_bytes = kReflectBodyBytesMax + 10;
    Handle("", "/r", &Reflect);
  }
  json Ask(std::string_view request) {
    const std::string answer = Connect().Ask(request);
    return json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  }
};

TEST_F(ReflectTest, SaysWhatTheRequestWas) {
  Run([&] {
    const json seen =
        Ask("PUT /r?x=%20 HTTP/1.1\r\nHost: a\r\nX-B: 2\r\nX-A:  1 \r\nX-B: 3\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\nab\xff\r\n0\r\nX-T: u\r\n\r\n");
    EXPECT_EQ(seen, json::parse(R"({"method":"PUT","target":"/r?x=%20","path":"/r",
      "query":"x=%20","version":"1.1","headers":[["Host","a"],["X-B","2"],["X-A","1"],["X-B","3"],
      ["Transfer-Encoding","chunked"]],"trailers":[["X-T","u"]],"body":"YWL/","peer":"unix:",
      "tenant":""})"));
  });
}

TEST_F(ReflectTest, ShowsTheClientsCertificate) {
  const TlsCertificate certificate{.subject = "CN=me,O=a",
                                   .common_name = "me",
                                   .issuer = "CN=authority",
                                   .names = {"DNS:me.example"},
                                   .serial = "0A3F",
                                   .fingerprint = "ab",
                                   .not_before = absl::FromUnixSeconds(0),
                                   .not_after = absl::FromUnixSeconds(86'400)};
  Handle("", "/certified", [&](http::Request& request, http::Response& response) {
    request.client_certificate = &certificate;
    return Reflect(request, response);
  });
  Run([&] {
    EXPECT_EQ(Ask("GET /certified HTTP/1.0\r\n\r\n")["client_certificate"], json::parse(R"({
      "subject":"CN=me,O=a","common_name":"me","issuer":"CN=authority","names":["DNS:me.example"],
      "serial":"0A3F","fingerprint":"ab","not_before":"1970-01-01T00:00:00Z",
      "not_after":"1970-01-02T00:00:00Z"})"));
  });
}

TEST_F(ReflectTest, TakesBytesThatAreNoTextForLatin1) {
  Run([&] {
    const json seen = Ask("GET /r HTTP/1.0\r\nX: a\x80\xff\r\nY: \xc3\xa9\r\n\r\n");
    EXPECT_EQ(seen["headers"][0][1], "a\xc2\x80\xc3\xbf");
    EXPECT_EQ(seen["headers"][1][1], "\xc3\xa9");
    EXPECT_EQ(seen["version"], "1.0");
  });
}

TEST_F(ReflectTest, HoldsNoMoreThanItsLimit) {
  Run([&] {
    Client client = Connect();
    client.Send("PUT /r HTTP/1.1\r\nHost: a\r\nContent-Length: " +
                std::to_string(kReflectBodyBytesMax + 1) + "\r\n\r\n");
    auto sender = Spawn("send", [&] { client.Send(std::string(kReflectBodyBytesMax + 1, 'x')); });
    EXPECT_THAT(client.ReadOnce(), StartsWith("HTTP/1.1 413 "));
    EXPECT_TRUE(sender->Join().ok());
  });
}

}  // namespace
}  // namespace grove::handlers
