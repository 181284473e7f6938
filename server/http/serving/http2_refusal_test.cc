#include "server/http/serving/http2_refusal.h"

#include "gmock/gmock.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;

class Http2RefusalTest : public ServerFixture {
 protected:
  Http2RefusalTest() {
    Handle("GET", "/",
           [](Request&, Response& response) { return response.Send(200, "text/plain", "hello"); });
  }
};

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

TEST_F(Http2RefusalTest, TellsAClientOfHttp2InItsWords) {
  Run([&] {
    for (const bool whole : {true, false}) {
      Client client = Connect();
      const size_t cut = whole ? kHttp2Preface.size() : 9;
      client.Send(std::string(kHttp2Preface.substr(0, cut)));
      client.Send(std::string(kHttp2Preface.substr(cut)));
      const std::string answer = client.ReadAll();
      ASSERT_GT(answer.size(), 9 + 9 + 8);
      EXPECT_EQ(answer.substr(0, 9), std::string("\0\0\0\x04\0\0\0\0\0", 9)) << "SETTINGS";
      const std::string goaway = answer.substr(9);
      EXPECT_EQ(goaway.substr(0, 2), std::string("\0\0", 2));
      EXPECT_EQ(static_cast<size_t>(goaway[2]), goaway.size() - 9) << "its length";
      EXPECT_EQ(goaway.substr(3, 6), std::string("\x07\0\0\0\0\0", 6));
      EXPECT_EQ(goaway.substr(9, 8), std::string("\0\0\0\0\0\0\0\x0d", 8))
          << "no stream, HTTP_1_1_REQUIRED";
    }
    EXPECT_EQ(stats_.refused, 2);
    EXPECT_EQ(stats_.RefusalsOf(RefusalKind::kHttp2), 2);
  });
}

TEST_F(Http2RefusalTest, TakesThePrefaceOfHttp2AtAConnectionsStartAlone) {
  Run([&] {
    Client client = Connect();
    client.Send(std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n").append(kHttp2Preface));
    EXPECT_THAT(client.ReadAll(), HasSubstr("HTTP/1.1 505 "));
  });
}

}  // namespace
}  // namespace grove::http
