#include "http/client/client_span.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/client_fixture.h"
#include "http/client/http2_fixture.h"
#include "runtime/trace/span_fixture.h"

namespace grove::http {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

constexpr char kEmpty[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

class ClientSpanTest : public ::testing::Test {
 protected:
  static std::string FieldFor(const SpanRecord& span) {
    return "traceparent: " + FormatTraceparent(span.context) + "\r\n";
  }

  KeptSpans kept_;
  Tracer tracer_{kept_, 1'000'000};
};

TEST_F(ClientSpanTest, ARequestTellsItsServerWhatItIsPartOf) {
  WithServer([&](TestServer& server, HttpClient& client) {
    server.Answer("/a?secret=1", kEmpty);
    const TraceScope scope(CallersTrace(), &tracer_);
    EXPECT_TRUE(client.Fetch({.url = server.Url("/a?secret=1")}).ok());
    ASSERT_EQ(kept_.spans.size(), 1u);
    const SpanRecord& span = kept_.spans[0];
    EXPECT_THAT(server.requests()[0], HasSubstr(FieldFor(span)));
    EXPECT_THAT(server.requests()[0], HasSubstr("tracestate: a=1\r\n"));
    EXPECT_EQ(span.kind, SpanKind::kClient);
    EXPECT_EQ(span.name, "GET");
    EXPECT_EQ(span.parent, CallersTrace().span);
    EXPECT_EQ(AttributeOf(span, "url.full"), server.Url("/a"));
    EXPECT_EQ(AttributeOf(span, "server.address"), "127.0.0.1");
    EXPECT_EQ(AttributeOf(span, "server.port"), std::to_string(server.port()));
    EXPECT_EQ(AttributeOf(span, "http.response.status_code"), "200");
    EXPECT_EQ(AttributeOf(span, "network.protocol.version"), "1.1");
    EXPECT_EQ(AttributeOf(span, "http.request.resend_count"), "");
    EXPECT_FALSE(span.failed);
  });
}

TEST_F(ClientSpanTest, OutsideOfATraceNothingIsSaid) {
  WithServer([&](TestServer& server, HttpClient& client) {
    server.Answer("/", kEmpty);
    EXPECT_TRUE(client.Fetch({.url = server.Url("/")}).ok());
    EXPECT_THAT(server.requests()[0], Not(HasSubstr("traceparent")));
  });
}

TEST_F(ClientSpanTest, WithoutATracerTheContextIsPassedOnAsItCame) {
  WithServer([&](TestServer& server, HttpClient& client) {
    server.Answer("/", kEmpty);
    const TraceScope scope(CallersTrace(), nullptr);
    EXPECT_TRUE(client.Fetch({.url = server.Url("/")}).ok());
    EXPECT_THAT(server.requests()[0],
                HasSubstr("traceparent: " + FormatTraceparent(CallersTrace()) + "\r\n"));
  });
}

TEST_F(ClientSpanTest, ARequestThatSaysItItselfKeepsItsOwn) {
  WithServer([&](TestServer& server, HttpClient& client) {
    server.Answer("/", kEmpty);
    const TraceScope scope(CallersTrace(), &tracer_);
    EXPECT_TRUE(
        client.Fetch({.url = server.Url("/"), .fields = {{"Traceparent", "its-own"}}}).ok());
    EXPECT_THAT(server.requests()[0], HasSubstr("Traceparent: its-own\r\n"));
    EXPECT_THAT(server.requests()[0], Not(HasSubstr("traceparent: ")));
    EXPECT_THAT(server.requests()[0], Not(HasSubstr("tracestate")));
  });
}

TEST_F(ClientSpanTest, EachRequestOfARedirectIsASpanOfItsOwn) {
  WithServer([&](TestServer& server, HttpClient& client) {
    server.Answer("/from", "HTTP/1.1 302 Found\r\nLocation: /to\r\nContent-Length: 0\r\n\r\n");
    server.Answer("/to", kEmpty);
    const TraceScope scope(CallersTrace(), &tracer_);
    EXPECT_TRUE(client.Fetch({.url = server.Url("/from")}).ok());
    ASSERT_EQ(kept_.spans.size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(kept_.spans[i].parent, CallersTrace().span);
      EXPECT_THAT(server.requests()[i], HasSubstr(FieldFor(kept_.spans[i])));
    }
    EXPECT_EQ(AttributeOf(kept_.spans[1], "url.full"), server.Url("/to"));
  });
}

TEST_F(ClientSpanTest, ARequestThatIsSentAgainSaysSo) {
  std::vector<std::string> heads;
  WithScript(
      [&](Socket& socket, int number) {
        BufferedReader reader(socket);
        heads.push_back(ReadHead(reader));
        EXPECT_TRUE(socket.Write(kEmpty).ok());
        // The next one finds it closed.
        if (number == 0) heads.push_back(ReadHead(reader));
        socket.Close();
      },
      [&](Script& script, HttpClient& client) {
        const TraceScope scope(CallersTrace(), &tracer_);
        EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
        EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
      });
  ASSERT_EQ(kept_.spans.size(), 3u);
  ASSERT_EQ(heads.size(), 3u);
  EXPECT_TRUE(kept_.spans[1].failed);
  EXPECT_EQ(AttributeOf(kept_.spans[1], "error.type"), "UNAVAILABLE");
  EXPECT_FALSE(kept_.spans[2].failed);
  EXPECT_EQ(AttributeOf(kept_.spans[2], "http.request.resend_count"), "1");
  for (size_t i = 0; i < 3; ++i) EXPECT_THAT(heads[i], HasSubstr(FieldFor(kept_.spans[i])));
}

TEST_F(ClientSpanTest, FourHundredAndMoreIsAFailure) {
  WithServer([&](TestServer& server, HttpClient& client) {
    server.Answer("/", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    const TraceScope scope(CallersTrace(), &tracer_);
    EXPECT_TRUE(client.Fetch({.url = server.Url("/")}).ok());
    ASSERT_EQ(kept_.spans.size(), 1u);
    EXPECT_TRUE(kept_.spans[0].failed);
    EXPECT_EQ(AttributeOf(kept_.spans[0], "error.type"), "404");
  });
}

TEST_F(ClientSpanTest, OverHttp2ItIsAField) {
  HttpFields asked;
  WithPeer(
      [&](Http2Peer& peer, int) {
        const int32_t id = peer.Next();
        asked = peer.request(id).fields;
        peer.Answer(id, "hello", {});
        peer.AnswerAll();
      },
      [&](Script& script, HttpClient& client) {
        const TraceScope scope(CallersTrace(), &tracer_);
        EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
        // What the connection's fibers do is nobody's.
        client.CloseIdle();
      });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_THAT(asked, Contains(Pair("traceparent", FormatTraceparent(kept_.spans[0].context))));
  EXPECT_THAT(asked, Contains(Key("tracestate")));
  EXPECT_EQ(AttributeOf(kept_.spans[0], "network.protocol.version"), "2");
}

}  // namespace
}  // namespace grove::http
