// What a client does to its request is not its handler's failure.
#include <vector>

#include "gmock/gmock.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

using ClientFailureTest = ServerFixture;

// Anybody can do these at will.
TEST_F(ClientFailureTest, WhatAClientDidIsNoFailureOfItsHandler) {
  int failures = 0;
  std::vector<absl::StatusCode> clients;
  options_.io_timeout = absl::Seconds(2);
  options_.on_failure = [&](const Request&, const absl::Status&) { ++failures; };
  options_.on_client_failure = [&](const Request&, const absl::Status& status) {
    clients.push_back(status.code());
  };
  const auto flood = [](Request&, Response& response) {
    return response.Send(200, "", std::string(8 << 20, 'x'));
  };
  Handle("GET", "/flood", flood);
  Handle("POST", "/read", [](Request& request, Response& response) -> absl::Status {
    if (auto body = request.ReadWholeBody(); !body.ok()) return body.status();
    return response.Send(200, "", "");
  });
  Run([&] {
    {
      Client leaves = Connect();
      leaves.Send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
      while (stats_.running == 0) Yield();
    }
    Client takes_nothing = Connect();
    takes_nothing.Send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
    Client sends_nothing = Connect();
    sends_nothing.Send("POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    Client sends_garbage = Connect();
    sends_garbage.Send("POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    Yield();
    sends_garbage.Send("x\r\n");
    EXPECT_THAT(sends_garbage.ReadOnce(), HasSubstr(" 400 "));
    EXPECT_THAT(sends_nothing.ReadOnce(), HasSubstr(" 408 "));
    while (stats_.TimeoutsOf(TimedOut::kResponse) == 0) {
      ASSERT_TRUE(Sleep(absl::Milliseconds(100)).ok());
    }
  });
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(stats_.handler_failures, 0u);
  using enum absl::StatusCode;
  EXPECT_THAT(clients, UnorderedElementsAre(kUnavailable, kDeadlineExceeded, kDeadlineExceeded,
                                            kInvalidArgument));
  EXPECT_EQ(stats_.clients_gone, 2u);
}

TEST_F(ClientFailureTest, AHandlerThatFailsByItselfAfterItsClientDidIsToBlame) {
  int failures = 0;
  options_.on_failure = [&](const Request&, const absl::Status&) { ++failures; };
  Handle("POST", "/read", [](Request& request, Response&) {
    EXPECT_FALSE(request.ReadWholeBody().ok());
    return absl::InternalError("and then it broke");
  });
  Run([&] {
    Client client = Connect();
    client.Send("POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    Yield();
    client.Send("x\r\n");
    EXPECT_THAT(client.ReadOnce(), HasSubstr(" 400 "));
  });
  EXPECT_EQ(failures, 1);
}

}  // namespace
}  // namespace grove::http
