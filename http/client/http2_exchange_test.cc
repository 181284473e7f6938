#include "http/client/http2_exchange.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/cookie_jar.h"
#include "http/client/http2_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::http {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(Http2Exchange, AsksAndIsAnswered) {
  HttpFields asked;
  WithPeer(
      [&](Http2Peer& peer, int) {
        const int32_t id = peer.Next();
        asked = peer.request(id).fields;
        peer.Answer(id, "hello", {{"content-length", "5"}, {"x-some", "thing"}});
        peer.AnswerAll();
      },
      [&](Script& script, HttpClient& client) {
        const HttpResponse answer = *client.Fetch(
            {.url = script.Url("/a?b"),
             .fields = {
                 {"X-Upper", "Case"}, {"Authorization", "Basic s"}, {"Cookie", "a=1; b=2"}}});
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body, "hello");
        EXPECT_EQ(answer.protocol, HttpProtocol::kHttp2);
        EXPECT_EQ(answer.Field("X-Some"), "thing");
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
        EXPECT_EQ(script.connections(), 1);
        EXPECT_EQ(client.stats().http2.connections, 1);
        EXPECT_EQ(client.stats().http2.streams_made, 2);
        EXPECT_EQ(client.stats().http2.streams_reused, 1);
        EXPECT_EQ(client.stats().http2.streams, 0);
        EXPECT_THAT(
            asked,
            ElementsAre(Pair(":method", "GET"), Pair(":scheme", "http"),
                        Pair(":authority", script.Url("").substr(7)), Pair(":path", "/a?b"),
                        Pair("x-upper", "Case"), Pair("authorization", "Basic s"),
                        Pair("cookie", "a=1"), Pair("cookie", "b=2"), Pair("user-agent", "grove"),
                        Pair("accept", "*/*"), Pair("accept-encoding", "gzip, deflate, br, zstd")));
      });
}

TEST(Http2Exchange, KnowsAnswersWithoutABody) {
  WithPeer(
      [](Http2Peer& peer, int) {
        peer.Head(peer.Next(), 200, {{"content-length", "99"}, {"content-encoding", "gzip"}}, true);
        peer.Head(peer.Next(), 204, {}, true);
        peer.Head(peer.Next(), 304, {{"content-length", "99"}}, true);
        const int32_t id = peer.Next();
        peer.Head(id, 200);
        peer.Data(id, "", true);
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        const HttpResponse head = *client.Fetch({.url = script.Url(), .method = "HEAD"});
        EXPECT_EQ(head.Field("content-length"), "99");
        for (const int status : {204, 304, 200}) {
          const HttpResponse answer = *client.Fetch({.url = script.Url()});
          EXPECT_EQ(answer.status, status);
          EXPECT_EQ(answer.body, "");
        }
        EXPECT_EQ(script.connections(), 1);
      });
}

TEST(Http2Exchange, SendsBodiesAndHearsTrailers) {
  static constexpr size_t kBytes = 3'000'000;
  WithPeer(
      [](Http2Peer& peer, int) {
        const int32_t whole = peer.Next();
        EXPECT_EQ(peer.request(whole).body.size(), kBytes);
        EXPECT_EQ(peer.request(whole).Field("content-length"), std::to_string(kBytes));
        peer.Head(whole, 200);
        peer.Data(whole, "body", false);
        peer.Trailers(whole, {{"x-sum", "7"}});
        const int32_t pieces = peer.Next();
        EXPECT_EQ(peer.request(pieces).body, "onetwo");
        EXPECT_THAT(peer.request(pieces).fields, Not(Contains(Pair("content-length", "6"))));
        EXPECT_THAT(peer.request(pieces).fields,
                    Not(Contains(Pair("transfer-encoding", "chunked"))));
        peer.Answer(pieces);
        const int32_t empty = peer.Next();
        EXPECT_EQ(peer.request(empty).Field("content-length"), "0");
        peer.Answer(empty);
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        const HttpResponse answer =
            *client.Fetch({.url = script.Url(), .method = "PUT", .body = std::string(kBytes, 'x')});
        EXPECT_EQ(answer.body, "body");
        EXPECT_THAT(answer.trailers, ElementsAre(Pair("x-sum", "7")));
        std::vector<std::string> pieces = {"one", "two", ""};
        int asked = 0;
        const auto source = [&]() -> absl::StatusOr<std::string> { return pieces[asked++]; };
        EXPECT_EQ(client.Fetch({.url = script.Url(), .method = "POST", .source = source})->body,
                  "ok");
        EXPECT_TRUE(client.Fetch({.url = script.Url(), .method = "POST"}).ok());
        const auto fails = []() -> absl::StatusOr<std::string> {
          return absl::DataLossError("no disk");
        };
        EXPECT_TRUE(absl::IsDataLoss(
            client.Fetch({.url = script.Url(), .method = "POST", .source = fails}).status()));
        EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
        EXPECT_EQ(script.connections(), 1);
      });
}

TEST(Http2Exchange, WaitsForContinueAndHearsInterimAnswers) {
  WithPeer(
      [](Http2Peer& peer, int) {
        EXPECT_TRUE(peer.Until([&] { return peer.request(1).has_head; }));
        EXPECT_EQ(peer.request(1).Field("expect"), "100-continue");
        EXPECT_EQ(peer.request(1).body, "");
        peer.Head(1, 103, {{"link", "</a>"}});
        peer.Head(1, 100);
        EXPECT_EQ(peer.Next(), 1);
        EXPECT_EQ(peer.request(1).body, "payload");
        peer.Answer(1);
        // Mad: it never comes to an end.
        const int32_t id = peer.Next();
        for (int i = 0; i < 20; ++i) peer.Head(id, 103);
        EXPECT_TRUE(peer.Until([&] { return peer.request(id).reset.has_value(); }));
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        const HttpResponse answer = *client.Fetch(
            {.url = script.Url(), .method = "POST", .body = "payload", .expect_continue = true});
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.Field("link"), "");
        EXPECT_THAT(std::string(client.Fetch({.url = script.Url()}).status().message()),
                    HasSubstr("more than 16 interim answers"));
        EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
        EXPECT_EQ(script.connections(), 1);
      });
}

TEST(Http2Exchange, StopsTheBodyOfWhatWasAnsweredEarly) {
  WithPeer(
      [](Http2Peer& peer, int) {
        EXPECT_TRUE(peer.Until([&] { return !peer.request(1).body.empty(); }));
        peer.Answer(1, "too much");
        EXPECT_TRUE(peer.Until([&] { return peer.request(1).reset.has_value(); }));
        EXPECT_EQ(peer.request(1).reset, uint32_t{NGHTTP2_CANCEL});
        EXPECT_FALSE(peer.request(1).ended);
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        const auto endless = []() -> absl::StatusOr<std::string> {
          return std::string(50'000, 'x');
        };
        EXPECT_EQ(client.Fetch({.url = script.Url(), .method = "POST", .source = endless})->body,
                  "too much");
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
        EXPECT_EQ(script.connections(), 1);
      });
}

TEST(Http2Exchange, HoldsBackASourceThatTheServerDoesNotTake) {
  size_t yielded = 0;
  WithPeer(
      [&](Http2Peer& peer, int) {
        // All that the windows let through (RFC 9113, 6.9.2), and no more.
        EXPECT_TRUE(peer.Until([&] { return peer.request(1).body.size() == 65'535; }));
        Yield();
        EXPECT_LE(yielded, 65'535 + 2 * 10'000);
        while (!peer.request(1).ended) {
          peer.OpenWindows(1, 30'000);
          if (!peer.Pump()) break;
        }
        EXPECT_EQ(peer.request(1).body.size(), 200'000);
        peer.Answer(1);
        peer.AnswerAll();
      },
      [&](Script& script, HttpClient& client) {
        const auto source = [&]() -> absl::StatusOr<std::string> {
          if (yielded == 200'000) return "";
          yielded += 10'000;
          return std::string(10'000, 'x');
        };
        EXPECT_TRUE(client.Fetch({.url = script.Url(), .method = "PUT", .source = source}).ok());
      },
      PriorKnowledge(), {.opens_windows = false});
}

TEST(Http2Exchange, OneThatIsNotReadStopsNoOther) {
  HttpClientOptions options = PriorKnowledge();
  options.http2_limits.stream_window_bytes = 100'000;
  WithPeer(
      [](Http2Peer& peer, int) {
        const int32_t held = peer.Next();
        peer.Answer(held, std::string(8'000'000, 'x'));
        for (int i = 0; i < 40; ++i) peer.Answer(peer.Next(), std::string(300'000, 'y'));
        // A window of it is on the other side, whatever went by.
        EXPECT_EQ(peer.sent(held), 100'000);
        EXPECT_TRUE(peer.Until([&] { return peer.sent(held) == 8'000'000; }));
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        HttpExchange held = *client.Open({.url = script.Url()});
        for (int i = 0; i < 40; ++i) {
          EXPECT_EQ(client.Fetch({.url = script.Url()})->body.size(), 300'000);
        }
        EXPECT_EQ(held.ReadAll(20'000'000)->size(), 8'000'000);
        EXPECT_EQ(script.connections(), 1);
      },
      options);
}

TEST(Http2Exchange, ResetsWhatIsGivenUp) {
  WithPeer(
      [](Http2Peer& peer, int) {
        const int32_t unanswered = peer.Next();
        EXPECT_TRUE(peer.Until([&] { return peer.request(unanswered).reset.has_value(); }));
        EXPECT_EQ(peer.request(unanswered).reset, uint32_t{NGHTTP2_CANCEL});
        const int32_t half = peer.Next();
        peer.Head(half, 200);
        peer.Data(half, "some", false);
        EXPECT_TRUE(peer.Until([&] { return peer.request(half).reset.has_value(); }));
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        {
          Timeout timeout(absl::Milliseconds(30));
          EXPECT_TRUE(absl::IsDeadlineExceeded(client.Fetch({.url = script.Url()}).status()));
        }
        {
          HttpExchange half = *client.Open({.url = script.Url()});
          EXPECT_EQ(*half.Next(), "some");
        }
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
        EXPECT_EQ(script.connections(), 1);
        EXPECT_EQ(client.stats().http2.streams, 0);
      });
}

TEST(Http2Exchange, UndoesCodingsAndBoundsBodies) {
  // "hello", by gzip -n.
  const std::string coded(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00"
      "\x00\x00",
      25);
  HttpClientOptions options = PriorKnowledge();
  options.body_max_bytes = 5;
  WithPeer(
      [&](Http2Peer& peer, int) {
        peer.Answer(peer.Next(), coded, {{"content-encoding", "gzip"}});
        peer.Answer(peer.Next(), "longer");
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        const HttpResponse answer = *client.Fetch({.url = script.Url()});
        EXPECT_EQ(answer.body, "hello");
        EXPECT_EQ(answer.Field("content-encoding"), "");
        EXPECT_TRUE(absl::IsResourceExhausted(client.Fetch({.url = script.Url()}).status()));
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
      },
      options);
}

TEST(Http2Exchange, FollowsRedirectsWithCookies) {
  WithPeer(
      [](Http2Peer& peer, int) {
        peer.Answer(peer.Next(), "gone", {{"set-cookie", "a=1"}, {"set-cookie", "b=2"}});
        const int32_t moved = peer.Next();
        peer.Head(moved, 302, {{"location", "/there"}});
        peer.Data(moved, std::string(1000, '.'), true);
        const int32_t there = peer.Next();
        EXPECT_EQ(peer.request(there).path(), "/there");
        EXPECT_THAT(peer.request(there).fields, Contains(Pair("cookie", "a=1")));
        EXPECT_THAT(peer.request(there).fields, Contains(Pair("cookie", "b=2")));
        peer.Answer(there);
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        CookieJar jar;
        EXPECT_TRUE(client.Fetch({.url = script.Url(), .cookies = &jar}).ok());
        const HttpResponse answer = *client.Fetch({.url = script.Url("/here"), .cookies = &jar});
        EXPECT_EQ(answer.url, script.Url("/there"));
        EXPECT_EQ(script.connections(), 1);
      });
}

}  // namespace
}  // namespace grove::http
