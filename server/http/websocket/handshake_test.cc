#include "server/http/websocket/handshake.h"

#include <map>

#include "gtest/gtest.h"

namespace grove::http::websocket {
namespace {

class HandshakeTest : public testing::Test {
 protected:
  // Adds or replaces a field; an empty value takes it away.
  void Set(std::string_view name, std::string_view value) {
    std::erase_if(fields_, [&](const Field& field) { return field.name == name; });
    if (!value.empty()) fields_.push_back({name, value});
  }
  Handshake Check() {
    request_.fields = fields_;
    return CheckHandshake(request_, policy_);
  }
  int StatusWith(std::string_view name, std::string_view value) {
    const std::vector<Field> before = fields_;
    Set(name, value);
    const int status = Check().status;
    fields_ = before;
    return status;
  }

  HandshakePolicy policy_;
  Request request_{.method = "GET",
                   .target = "/chat",
                   .path = "/chat",
                   .query = {},
                   .host = "server.example.com",
                   .fields = {},
                   .trailers = {},
                   .peer = {}};
  std::vector<Field> fields_{{"Host", "server.example.com"},
                             {"Upgrade", "websocket"},
                             {"Connection", "Upgrade"},
                             {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                             {"Sec-WebSocket-Version", "13"}};
};

TEST_F(HandshakeTest, AcceptsTheExampleOfTheRfc) {
  const Handshake handshake = Check();
  EXPECT_EQ(handshake.status, 101);
  EXPECT_EQ(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455, 1.3
  EXPECT_EQ(handshake.agreed.subprotocol, "");
  EXPECT_FALSE(handshake.agreed.deflate.has_value());
}

TEST_F(HandshakeTest, FindsTheTokensInListsAndWithoutCase) {
  EXPECT_EQ(StatusWith("Connection", "keep-alive, UPGRADE"), 101);
  EXPECT_EQ(StatusWith("Upgrade", "h2c , WebSocket"), 101);
  Set("Connection", "keep-alive");
  fields_.push_back({"connection", "upgrade"});
  EXPECT_EQ(Check().status, 101);
}

TEST_F(HandshakeTest, RefusesWhatIsMissingOrMalformed) {
  EXPECT_EQ(StatusWith("Upgrade", ""), 400);
  EXPECT_EQ(StatusWith("Upgrade", "websockets"), 400);
  EXPECT_EQ(StatusWith("Connection", ""), 400);
  EXPECT_EQ(StatusWith("Connection", "close"), 400);
  EXPECT_EQ(StatusWith("Sec-WebSocket-Key", ""), 400);
  EXPECT_EQ(StatusWith("Sec-WebSocket-Version", ""), 400);
  EXPECT_EQ(StatusWith("Sec-WebSocket-Extensions", "a;;"), 400);
  EXPECT_EQ(StatusWith("Sec-WebSocket-Protocol", "a b"), 400);
}

TEST_F(HandshakeTest, WantsAKeyOf16Bytes) {
  EXPECT_EQ(StatusWith("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"), 400);      // 15
  EXPECT_EQ(StatusWith("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZXM="), 400);  // 17
  EXPECT_EQ(StatusWith("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ!="), 400);
  EXPECT_EQ(StatusWith("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), 400);
  fields_.push_back({"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="});
  EXPECT_EQ(Check().status, 400) << "two keys";
}

TEST_F(HandshakeTest, Answers426ToOtherVersions) {
  for (const std::string_view version : {"8", "0", "14", "013", "13, 8", "x"}) {
    EXPECT_EQ(StatusWith("Sec-WebSocket-Version", version), 426) << version;
  }
}

TEST_F(HandshakeTest, WantsGetAndHttp11) {
  request_.method = "POST";
  EXPECT_EQ(Check().status, 405);
  request_.method = "GET";
  request_.version_minor = 0;
  EXPECT_EQ(Check().status, 400);
}

TEST_F(HandshakeTest, ChoosesTheClientsFirstSubprotocolThatItKnows) {
  policy_.subprotocols = {"v1", "v2"};
  Set("Sec-WebSocket-Protocol", "v3, v2 ,v1");
  EXPECT_EQ(Check().agreed.subprotocol, "v2");
  Set("Sec-WebSocket-Protocol", "v3");
  EXPECT_EQ(Check().status, 101);
  EXPECT_EQ(Check().agreed.subprotocol, "");
  fields_.push_back({"Sec-WebSocket-Protocol", "v1"});
  EXPECT_EQ(Check().agreed.subprotocol, "v1");
}

TEST_F(HandshakeTest, RefusesForeignOriginsWhereOriginsAreListed) {
  EXPECT_EQ(StatusWith("Origin", "http://evil.example"), 101);
  policy_.origins = {"https://example.com"};
  EXPECT_EQ(StatusWith("Origin", "https://example.com"), 101);
  EXPECT_EQ(StatusWith("Origin", "HTTPS://EXAMPLE.com"), 101);
  EXPECT_EQ(StatusWith("Origin", "http://evil.example"), 403);
  EXPECT_EQ(StatusWith("Origin", "null"), 403);
  EXPECT_EQ(StatusWith("Origin", ""), 101) << "not a browser";
}

TEST_F(HandshakeTest, AsksTheOriginCheck) {
  policy_.origin_allowed = [](std::string_view host, std::string_view origin) {
    return origin == "http://" + std::string(host);
  };
  EXPECT_EQ(StatusWith("Origin", "http://server.example.com"), 101);
  EXPECT_EQ(StatusWith("Origin", "http://other.example.com"), 403);
  EXPECT_EQ(StatusWith("Origin", ""), 403);
}

TEST_F(HandshakeTest, NegotiatesCompressionOverAllFieldsIfItMay) {
  Set("Sec-WebSocket-Extensions", "x-other");
  fields_.push_back({"Sec-WebSocket-Extensions", "permessage-deflate"});
  EXPECT_FALSE(Check().agreed.deflate.has_value());
  policy_.deflate.emplace();
  ASSERT_TRUE(Check().agreed.deflate.has_value());
  EXPECT_EQ(Check().agreed.deflate->answer, "permessage-deflate");
}

}  // namespace
}  // namespace grove::http::websocket
