#include "server/http/serving/request_account.h"

#include <string>
#include <utility>

#include "server/http/serving/wire_fixture.h"

namespace grove::http {
namespace {

class FakeOwner final : public ResponseWriter::Owner {
 public:
  bool MayKeepAlive() const override { return true; }
  void NoteContinue() override {}
  absl::StatusOr<Transport*> HandOver() override { return nullptr; }
};

// Keeps the last entry's numbers.
class FakeLog final : public AccessLog {
 public:
  void Note(const AccessEntry& entry) override {
    ++entries;
    line = std::string(entry.refused_line);
    complete = entry.complete;
    body_bytes = entry.body_bytes;
    request_bytes = entry.request_bytes;
    response_bytes = entry.response_bytes;
    wall = entry.wall;
  }
  int entries = 0;
  std::string line;
  bool complete = false;
  uint64_t body_bytes = 0;
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  absl::Duration wall;
};

using End = RequestAccount::End;

class RequestAccountTest : public WireFixture {
 protected:
  RequestAccountTest() { options_.access_log = &log_; }
  template <typename F>
  void RunWithAccount(F&& body) {
    RunWithWire([&](Wire& wire) {
      BodyReader reader(wire, options_);
      StandingFields standing;
      FakeOwner owner;
      ResponseWriter writer(wire.output(), standing, stats_, owner);
      writer.Start({});
      RequestAccount account(options_, stats_, wire, reader, writer);
      request_.method = "GET";
      request_.body = &reader;
      body(account, wire, writer);
    });
  }

  FakeLog log_;
  Request request_;
};

TEST_F(RequestAccountTest, MeasuresFromTheFirstByteToTheEnd) {
  RunWithAccount([&](RequestAccount& account, Wire& wire, ResponseWriter& writer) {
    Send("before");
    EXPECT_EQ(*wire.Fill(), 6);
    wire.input().Consume(6);
    wire.output().pending().Append("earlier");
    account.Open(clock_.Now());
    Send("request");
    EXPECT_EQ(*wire.Fill(), 7);
    wire.input().Consume(7);
    EXPECT_TRUE(writer.Send(200, {}, "", "hi").ok());
    clock_.Advance(absl::Milliseconds(3));
    account.Close(request_, End::kWhole);
    EXPECT_EQ(log_.request_bytes, 7);
    EXPECT_EQ(log_.response_bytes, wire.output().pending().size() - 7);
    EXPECT_EQ(log_.wall, absl::Milliseconds(3));
    EXPECT_TRUE(log_.complete);
    EXPECT_EQ(stats_.duration_nanos, 3'000'000);
    EXPECT_EQ(stats_.methods[0], 1);
    EXPECT_EQ(stats_.clients_gone, 0);
  });
}

TEST_F(RequestAccountTest, ASwitchedRequestRunsNoMoreAndHasNoDuration) {
  RunWithAccount([&](RequestAccount& account, Wire&, ResponseWriter&) {
    account.Open(clock_.Now());
    account.NoteHandler();
    EXPECT_EQ(stats_.running, 1);
    account.NoteSwitch();
    EXPECT_EQ(stats_.running, 0);
    EXPECT_EQ(stats_.switched, 1);
    clock_.Advance(absl::Hours(1));
    account.Close(request_, End::kWhole);
    account.NoteHandled();
    EXPECT_EQ(stats_.switched, 0);
    EXPECT_EQ(stats_.requests, 1);
    EXPECT_EQ(stats_.duration_nanos, 0);
    EXPECT_EQ(log_.entries, 1);
  });
}

TEST_F(RequestAccountTest, OnlyAClientThatLeftIsCountedAsGone) {
  RunWithAccount([&](RequestAccount& account, Wire& wire, ResponseWriter&) {
    account.Open(clock_.Now());
    account.Close(request_, End::kCutShort);
    EXPECT_EQ(stats_.clients_gone, 0) << "the handler failed";
    account.Close(request_, End::kLeft);
    EXPECT_EQ(stats_.clients_gone, 1);
    BodySource* const body = std::exchange(request_.body, nullptr);
    account.Close(request_, End::kCutShort);
    EXPECT_EQ(stats_.clients_gone, 2) << "it never came to a handler";
    request_.body = body;
    Leave();
    EXPECT_TRUE(wire.output().Write("x").ok());
    EXPECT_FALSE(wire.Flush().ok());
    account.Close(request_, End::kWhole);
    EXPECT_EQ(stats_.clients_gone, 2) << "it was whole before";
    account.Close(request_, End::kCutShort);
    EXPECT_EQ(stats_.clients_gone, 3) << "nothing can be sent";
  });
}

TEST_F(RequestAccountTest, WhatCouldNotBeSentIsNeitherCountedNorComplete) {
  RunWithAccount([&](RequestAccount& account, Wire& wire, ResponseWriter& writer) {
    wire.output().pending().Append("of the response before");
    account.Open(clock_.Now());
    EXPECT_TRUE(writer.Send(200, {}, "", "hello").ok());
    account.Close(request_, End::kWhole);
    EXPECT_TRUE(log_.complete);
    EXPECT_EQ(log_.body_bytes, 5u);
    Leave();
    EXPECT_FALSE(wire.Flush().ok());
    account.Close(request_, End::kWhole);
    EXPECT_FALSE(log_.complete);
    EXPECT_EQ(log_.body_bytes, 0u);
    EXPECT_EQ(log_.response_bytes, 0u);
  });
}

TEST_F(RequestAccountTest, OfAClientThatStopsItCountsWhatWasSent) {
  constexpr size_t kBody = 4 << 20;
  RunWithAccount([&](RequestAccount& account, Wire&, ResponseWriter& writer) {
    account.Open(clock_.Now());
    EXPECT_FALSE(writer.Send(200, {}, "", std::string(kBody, 'x')).ok());
    account.Close(request_, End::kCutShort);
    EXPECT_FALSE(log_.complete);
    EXPECT_EQ(log_.response_bytes, stats_.bytes_out);
    EXPECT_LT(log_.body_bytes, log_.response_bytes);
    EXPECT_GT(log_.body_bytes, 0u);
  });
}

TEST_F(RequestAccountTest, LineEndsAloneAreNoRequest) {
  RunWithAccount([&](RequestAccount& account, Wire&, ResponseWriter& writer) {
    account.Open(clock_.Now());
    account.CloseUnparsed(request_, "", End::kCutShort);
    EXPECT_EQ(log_.entries, 0);
    account.CloseUnparsed(request_, "GET /", End::kCutShort);
    EXPECT_EQ(log_.line, "GET /");
    EXPECT_TRUE(writer.Send(400, {}, "", "").ok());
    account.CloseUnparsed(request_, "", End::kWhole);
    EXPECT_EQ(log_.line, "-") << "it was answered";
    EXPECT_EQ(log_.entries, 2);
  });
}

TEST_F(RequestAccountTest, OfARefusedRequestAllCountsThatCame) {
  RunWithAccount([&](RequestAccount& account, Wire& wire, ResponseWriter&) {
    account.Open(clock_.Now());
    Send("GET / HT");
    EXPECT_EQ(*wire.Fill(), 8);
    account.CloseUnparsed(request_, "GET / HT", End::kCutShort);
    EXPECT_EQ(log_.request_bytes, 8) << "though none was used";
  });
}

TEST_F(RequestAccountTest, FailuresAreToldAndHooksAreNoHandlers) {
  int told = 0;
  options_.on_failure = [&](const Request&, const absl::Status&) { ++told; };
  RunWithAccount([&](RequestAccount& account, Wire&, ResponseWriter&) {
    account.NoteFailure(request_, absl::InternalError("x"));
    account.NoteHookFailure(request_, absl::InternalError("y"));
    account.NoteClientFailure(request_, absl::UnavailableError("z"));
    EXPECT_EQ(told, 2);
    EXPECT_EQ(stats_.handler_failures, 1);
  });
}

}  // namespace
}  // namespace grove::http
