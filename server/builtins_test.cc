#include "server/builtins.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/test_server.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/offload/offload.h"
#include "server/application.h"
#include "server/functions/fetch.h"
#include "server/task_context_fixture.h"

namespace grove {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TextBody final : public http::BodySource {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const size_t count = text_.copy(buffer.data(), buffer.size());
    text_.erase(0, count);
    return count;
  }

 private:
  std::string text_;
};

class RecordingSink final : public http::ResponseSink {
 public:
  absl::Status Begin(int code, http::FieldSpan fields, std::optional<size_t>) override {
    status = code;
    for (const auto& [name, value] : fields)
      head.append(name).append(": ").append(value).append("\n");
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view bytes) override {
    pieces.emplace_back(bytes);
    return absl::OkStatus();
  }
  absl::Status Finish(http::FieldSpan) override { return absl::OkStatus(); }

  int status = 0;
  std::string head;
  std::vector<std::string> pieces;
};

class Builtins : public ::testing::Test {
 protected:
  // Runs `body` on a hub, with a server that fetches may reach.
  void Run(const std::function<void()>& body) {
    functions::FetchPolicy policy;
    policy.allow.push_back(*AddressRange::Parse("127.0.0.0/8"));
    fetch_ = *functions::FetchClient::Create(std::move(policy));
    services_.emplace(WorkerServices{.worker = 0, .fetch = *fetch_, .offload = offload_});
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      server_.emplace();
      body();
      server_.reset();
    });
    EXPECT_EQ(hub->Stats().fibers_live, 0);
  }
  absl::StatusOr<Output> Call(absl::StatusOr<Output> (*function)(TaskContext&), std::string input) {
    FakeTaskContext task(*services_, std::move(input), {.content_type = "text/x-test"});
    absl::StatusOr<Output> output = function(task);
    progress_ = task.progress;
    return output;
  }
  std::string Error(absl::StatusOr<Output> (*function)(TaskContext&), std::string input) {
    const absl::Status status = Call(function, std::move(input)).status();
    return absl::StrCat(absl::StatusCodeToString(status.code()), " ", status.message());
  }
  void Feed(const std::string& path, const std::string& title) {
    const std::string feed =
        absl::StrCat("<rss><channel><title>", title, "</title></channel></rss>");
    server_->Answer(
        path, absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", feed.size(), "\r\n\r\n", feed));
  }
  void PostTitles(std::string body, RecordingSink& sink) {
    TextBody source(std::move(body));
    http::Request request;
    request.body = &source;
    http::Response response(sink);
    EXPECT_TRUE(Titles(*fetch_, request, response).ok());
  }

  OffloadPool offload_{{}};
  std::unique_ptr<functions::FetchClient> fetch_;
  std::optional<WorkerServices> services_;
  std::optional<http::TestServer> server_;
  std::vector<double> progress_;
};

TEST_F(Builtins, ChecksumIsThatOfTheInputsBytes) {
  Run([this] {
    // FIPS 180-2.
    EXPECT_EQ(json::parse(Call(&Checksum, "abc")->bytes),
              json({{"sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                    {"size_bytes", 3}}));
    EXPECT_EQ(json::parse(Call(&Checksum, "")->bytes)["size_bytes"], 0);
  });
}

TEST_F(Builtins, EchoKeepsBytesAndContentType) {
  Run([&] {
    const auto output = Call(&Echo, std::string("a\0\xff", 3));
    ASSERT_TRUE(output.ok());
    EXPECT_EQ(output->bytes, std::string("a\0\xff", 3));
    EXPECT_EQ(output->content_type, "text/x-test");
  });
}

TEST_F(Builtins, SleepSaysHowLongItSlept) {
  Run([&] { EXPECT_EQ(Call(&SleepFor, R"({"seconds":0.001})")->bytes, R"({"slept":0.001})"); });
}

TEST_F(Builtins, BadInputNamesTheField) {
  Run([&] {
    EXPECT_EQ(Error(&SleepFor, "{"), "INVALID_ARGUMENT input: no JSON that this function can use");
    // Grammatical, but for no number or text of ours.
    for (const char* input : {R"("\ud800")", "1e999", R"({"seconds":1e999})", R"({"\ud800":1})"}) {
      EXPECT_EQ(Error(&SleepFor, input),
                "INVALID_ARGUMENT input: no JSON that this function can use")
          << input;
      EXPECT_THAT(Error(&HttpFetch, input), StartsWith("INVALID_ARGUMENT input: ")) << input;
    }
    EXPECT_EQ(Error(&SleepFor, "[]"), "INVALID_ARGUMENT input: expected a JSON object, not array");
    EXPECT_EQ(Error(&SleepFor, ""), "INVALID_ARGUMENT seconds: missing");
    EXPECT_EQ(Error(&SleepFor, R"({"seconds":"1"})"),
              "INVALID_ARGUMENT seconds: expected a number, not string");
    EXPECT_EQ(Error(&SleepFor, R"({"seconds":-1})"),
              "INVALID_ARGUMENT seconds: -1 is not between 0 and 86400");
    EXPECT_THAT(Error(&SleepFor, R"({"seconds":86400.5})"), HasSubstr("is not between"));
    EXPECT_THAT(Error(&SleepFor, R"({"secs":1})"), HasSubstr("\"secs\": unknown field"));
    EXPECT_EQ(Error(&HttpFetch, "{}"), "INVALID_ARGUMENT url: missing");
    EXPECT_EQ(Error(&HttpFetch, R"({"url":"http://a/","method":"PUT"})"),
              "INVALID_ARGUMENT method: \"PUT\" is not GET, HEAD or POST");
    EXPECT_THAT(Error(&HttpFetch, R"({"url":"http://a/","headers":{"a":1}})"),
                HasSubstr("INVALID_ARGUMENT headers:"));
    EXPECT_THAT(Error(&HttpFetch, R"({"url":"ftp://a/"})"), HasSubstr("INVALID_ARGUMENT url:"));
    EXPECT_EQ(Error(&FeedTitles, R"({"urls":["a",1]})"),
              "INVALID_ARGUMENT urls: expected a list of strings");
  });
}

TEST_F(Builtins, HttpFetchReturnsTextOrBase64) {
  Run([&] {
    server_->Answer("/t", "HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 3\r\n\r\n\xc3\xbc!");
    server_->Answer("/b", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe");
    const json text =
        json::parse(Call(&HttpFetch, json{{"url", server_->Url("/t")}}.dump())->bytes);
    EXPECT_EQ(text["status"], 201);
    EXPECT_EQ(text["url"], server_->Url("/t"));
    EXPECT_EQ(text["headers"], json::parse(R"([["X-A","b"],["Content-Length","3"]])"));
    EXPECT_EQ(text["body"], "ü!");
    const json bytes =
        json::parse(Call(&HttpFetch, json{{"url", server_->Url("/b")}}.dump())->bytes);
    EXPECT_EQ(bytes["body_base64"], "//4=");
    EXPECT_FALSE(bytes.contains("body"));
  });
}

TEST_F(Builtins, FeedTitlesKeepsOrderAndGoesOnAfterErrors) {
  Run([&] {
    Feed("/1", "One");
    server_->Answer("/2", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    Feed("/3", "Three");
    const json input = {{"urls", {server_->Url("/1"), server_->Url("/2"), server_->Url("/3")}}};
    const auto output = Call(&FeedTitles, input.dump());
    ASSERT_TRUE(output.ok()) << output.status();
    const json titles = json::parse(output->bytes)["titles"];
    ASSERT_EQ(titles.size(), 3);
    EXPECT_EQ(titles[0], (json{{"url", input["urls"][0]}, {"title", "One"}}));
    EXPECT_EQ(titles[1]["error"], "the server answered HTTP 500");
    EXPECT_EQ(titles[2]["title"], "Three");
    EXPECT_EQ(progress_.back(), 1);
  });
}

TEST_F(Builtins, FeedTitlesTakesAThousandUrlsAndNoMore) {
  Run([&] {
    Feed("/f", "Feed");
    json input = {{"urls", std::vector<std::string>(1000, server_->Url("/f"))}};
    const auto most = Call(&FeedTitles, input.dump());
    ASSERT_TRUE(most.ok()) << most.status();
    EXPECT_EQ(json::parse(most->bytes)["titles"].size(), 1000);
    input["urls"].push_back("http://a/");
    EXPECT_EQ(Error(&FeedTitles, input.dump()),
              "INVALID_ARGUMENT urls: 1001 are more than the 1000 allowed");
  });
}

TEST_F(Builtins, FeedTitlesEndsItsFetchesWhenCancelled) {
  Run([&] {
    absl::Status status;
    auto fiber = Spawn("task", [&] {
      const json input = {{"urls", {server_->Url("/silent"), server_->Url("/silent")}}};
      status = Call(&FeedTitles, input.dump()).status();
    });
    server_->AwaitRequests(2);
    fiber->Cancel();
    EXPECT_TRUE(fiber->Join().ok());
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(fetch_->stats().running, 0);
  });
}

TEST_F(Builtins, FailFailsAsToldAndThrowsWhenTold) {
  Run([&] {
    EXPECT_EQ(Error(&Fail, R"({"code":"UNAVAILABLE","message":"no luck"})"), "UNAVAILABLE no luck");
    EXPECT_EQ(Error(&Fail, ""), "INTERNAL failed as it was told to");
    EXPECT_THAT(Error(&Fail, R"({"code":"OK"})"), HasSubstr("INVALID_ARGUMENT code:"));
    EXPECT_THROW((void)Call(&Fail, R"({"exception":true})"), std::runtime_error);
  });
}

TEST_F(Builtins, HelloSaysHello) {
  RecordingSink sink;
  http::Request request;
  http::Response response(sink);
  EXPECT_TRUE(Hello(request, response).ok());
  EXPECT_EQ(sink.status, 200);
  EXPECT_THAT(sink.pieces, ElementsAre("Hello, World!\n"));
}

TEST_F(Builtins, TitlesAnswersLineByLineAndSkipsBlankLines) {
  Run([&] {
    Feed("/1", "One");
    Feed("/2", "Two");
    RecordingSink sink;
    PostTitles(absl::StrCat(server_->Url("/1"), "\r\n\r\n  \nnonsense\n", server_->Url("/2")),
               sink);
    EXPECT_EQ(sink.status, 200);
    EXPECT_THAT(sink.pieces,
                ElementsAre("One\n",
                            "error: url: \"nonsense\" is not an absolute http or https URL: want "
                            "http:// or https://\n",
                            "Two\n"));
    EXPECT_THAT(sink.head, HasSubstr("text/plain"));
  });
}

TEST_F(Builtins, TitlesRefusesTooMany) {
  Run([&] {
    std::string lines;
    for (int i = 0; i <= 1000; ++i) lines += "http://a/\n";
    RecordingSink many;
    PostTitles(lines, many);
    EXPECT_EQ(many.status, 413);
    RecordingSink large;
    PostTitles(std::string(1 << 21, 'x'), large);
    EXPECT_EQ(large.status, 413);
    RecordingSink none;
    PostTitles("\n", none);
    EXPECT_EQ(none.status, 200);
  });
}

TEST_F(Builtins, AreRegisteredWithoutMistakes) {
  Application application("test");
  RegisterBuiltins(application);
  EXPECT_TRUE(application.Check().ok()) << application.Check();
  EXPECT_EQ(application.functions().size(), 7);
  EXPECT_EQ(application.routes().size(), 2);
}

}  // namespace
}  // namespace grove
