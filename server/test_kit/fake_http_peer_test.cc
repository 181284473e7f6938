#include "server/test_kit/fake_http_peer.h"

#include "gtest/gtest.h"
#include "http/client/http_client.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::test_kit {
namespace {

class FakeHttpPeerTest : public HubTest {
 protected:
  // Runs `body` with a client whose network is the peer.
  void RunAsking(std::function<void(http::HttpClient&)> body) {
    Run([&] {
      auto client = *http::HttpClient::Create({.dial = {.connect = peer_.Connect()}});
      body(*client);
      client.reset();
      peer_.Stop();
    });
  }
  std::string Body(http::HttpClient& client, std::string url) {
    const absl::StatusOr<http::HttpResponse> answer = client.Fetch({.url = std::move(url)});
    return answer.ok() ? answer->body : answer.status().ToString();
  }

  FakeHttpPeer peer_;
};

TEST_F(FakeHttpPeerTest, AnswersByMethodPathOriginAndQuery) {
  peer_.On("GET", "https://rates.example/{currency}").Answer(200, "rate");
  peer_.On("GET", "/search?q=a").Answer(200, "found a");
  peer_.On("GET", "/search").Answer(200, "found");
  peer_.On("", "/files/{path...}").Answer(200, "file");
  RunAsking([&](http::HttpClient& client) {
    EXPECT_EQ(Body(client, "https://rates.example/eur"), "rate");
    EXPECT_EQ(Body(client, "http://any.example/search?q=a"), "found a");
    EXPECT_EQ(Body(client, "http://any.example/search?q=b"), "found");
    EXPECT_EQ(Body(client, "http://any.example:81/files/a/b"), "file");
    EXPECT_EQ(client.Fetch({.url = "http://rates.example/eur"})->status, 501);
    EXPECT_EQ(client.Fetch({.url = "https://rates.example/eur/usd"})->status, 501);
  });
}

TEST_F(FakeHttpPeerTest, GivesEachRequestTheNextStepAndTheLastToAllThatFollow) {
  peer_.On("POST", "/charge").Reset().Answer(503, "busy", {{"Retry-After", "7"}});
  peer_.On("POST", "/charge").Answer(200, "done");
  RunAsking([&](http::HttpClient& client) {
    const http::HttpRequest charge = {.url = "http://pay.example/charge", .method = "POST"};
    const auto ask = [&] {
      return client.Fetch({.url = charge.url, .method = charge.method, .body = "12"});
    };
    EXPECT_TRUE(absl::IsUnavailable(ask().status()));
    const absl::StatusOr<http::HttpResponse> busy = ask();
    EXPECT_EQ(busy->status, 503);
    EXPECT_EQ(busy->Field("Retry-After"), "7");
    EXPECT_EQ(ask()->body, "done");
    EXPECT_EQ(ask()->body, "done");
    EXPECT_EQ(peer_.requests().size(), 4u);
  });
}

TEST_F(FakeHttpPeerTest, KeepsWhatItWasAsked) {
  peer_.On("PUT", "/notes/{name}").Answer(204);
  RunAsking([&](http::HttpClient& client) {
    EXPECT_EQ(client
                  .Fetch({.url = "http://a.example/notes/b?c=d",
                          .method = "PUT",
                          .fields = {{"X-Colour", "red"}},
                          .body = "text"})
                  ->status,
              204);
    int pieces = 2;
    const auto chunked = client.Fetch({.url = "http://a.example/notes/e",
                                       .method = "PUT",
                                       .source = [&]() -> absl::StatusOr<std::string> {
                                         return std::string(pieces-- > 0 ? "piece " : "");
                                       },
                                       .expect_continue = true});
    EXPECT_EQ(chunked->status, 204);
    ASSERT_EQ(peer_.requests().size(), 2u);
    EXPECT_EQ(peer_.requests()[0].url, "http://a.example/notes/b?c=d");
    EXPECT_EQ(peer_.requests()[0].Field("x-colour"), "red");
    EXPECT_EQ(peer_.requests()[0].body, "text");
    EXPECT_EQ(peer_.requests()[1].body, "piece piece ");
    EXPECT_EQ(peer_.RequestsTo("/notes/b").size(), 1u);
    EXPECT_EQ(peer_.RequestsTo("http://a.example/notes/e").size(), 1u);
  });
}

TEST_F(FakeHttpPeerTest, ADelayPassesOnTheClockOfTheHubAndSilenceForEver) {
  peer_.On("GET", "/late").Answer(200, "late").Delay(absl::Hours(2));
  peer_.On("GET", "/never").Silence();
  RunAsking([&](http::HttpClient& client) {
    const MonotonicNanos began = Hub::Current()->now();
    EXPECT_EQ(Body(client, "http://a.example/late"), "late");
    EXPECT_EQ(Hub::Current()->now() - began, absl::ToInt64Nanoseconds(absl::Hours(2)));
    Timeout timeout(absl::Minutes(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(client.Fetch({.url = "http://a.example/never"}).status()));
    EXPECT_TRUE(timeout.fired());
  });
}

TEST_F(FakeHttpPeerTest, AnAnswerMayBeMadeOfTheRequestOrCutOff) {
  peer_.On("POST", "/echo").Answer([](const PeerRequest& request) {
    return PeerAnswer{201, request.body + "!"};
  });
  peer_.On("GET", "/cut").Answer(200, "half", {{"Content-Length", "8"}});
  RunAsking([&](http::HttpClient& client) {
    EXPECT_EQ(client.Fetch({.url = "http://a.example/echo", .method = "POST", .body = "a"})->body,
              "a!");
    EXPECT_TRUE(absl::IsUnavailable(client.Fetch({.url = "http://a.example/cut"}).status()));
    EXPECT_EQ(client.Fetch({.url = "http://a.example/echo", .method = "HEAD"})->status, 501);
  });
}

TEST_F(FakeHttpPeerTest, RedirectsLeadToItToo) {
  peer_.On("GET", "http://old.example/").Answer(302, "", {{"Location", "https://new.example/in"}});
  peer_.On("GET", "https://new.example/in").Answer(200, "here");
  RunAsking(
      [&](http::HttpClient& client) { EXPECT_EQ(Body(client, "http://old.example/"), "here"); });
}

TEST_F(FakeHttpPeerTest, WhatStandsInNoScriptIsNamed) {
  peer_.On("GET", "https://rates.example/{currency}").Answer(200, "rate");
  RunAsking([&](http::HttpClient& client) {
    EXPECT_TRUE(peer_.Check().ok());
    EXPECT_EQ(Body(client, "https://rates.example/a/b"),
              "FakeHttpPeer: no script answers GET https://rates.example/a/b; there are: "
              "GET https://rates.example/{currency}\n");
    EXPECT_EQ(peer_.Check().message(),
              "asked of FakeHttpPeer, and answered by no script: GET https://rates.example/a/b");
  });
}

TEST_F(FakeHttpPeerTest, AnIllFormedScriptDies) {
  EXPECT_DEATH(peer_.On("GET", "charge"), "On\\(\\) wants a path or a URL");
  EXPECT_DEATH(peer_.On("GET", "/a{b}c"), "On\\(\\) wants the path of a route");
  EXPECT_DEATH(peer_.On("GET", "/a").Delay(absl::Seconds(1)), "Delay\\(\\) stands behind");
}

}  // namespace
}  // namespace grove::test_kit
