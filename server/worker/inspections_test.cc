#include "server/worker/inspections.h"

#include <stdexcept>

#include "gtest/gtest.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"

namespace grove::worker {
namespace {

class InspectionsTest : public testing::Test {
 protected:
  std::string Ask(const std::string& name, std::string_view argument = "") {
    const absl::StatusOr<std::string> answer = Inspect(application_, services_, name, argument);
    return answer.ok() ? *answer : "error: " + std::string(answer.status().message());
  }

  Application application_{"test"};
  std::unique_ptr<functions::FetchClient> fetch_ =
      *functions::FetchClient::Create(functions::FetchPolicy{});
  OffloadPool offload_{{}};
  WorkerServices services_{.worker = 4, .fetch = *fetch_, .offload = offload_};
};

TEST_F(InspectionsTest, AreListedAndAsked) {
  application_.AddValue(
      "cache", "keys of it",
      [](WorkerServices& services, std::string_view argument) -> absl::StatusOr<std::string> {
        return std::to_string(services.worker) + " " + std::string(argument);
      });
  const backdoor::BackdoorTable rows = DescribeInspections(application_);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0], (backdoor::BackdoorRow{{"name", std::string("cache")},
                                            {"kind", std::string("value")},
                                            {"description", std::string("keys of it")}}));
  EXPECT_EQ(Ask("cache", "a b"), "4 a b");
  EXPECT_EQ(Ask("cashe"), "error: the application has no \"cashe\"; did you mean \"cache\"?");
}

TEST_F(InspectionsTest, WhatOneThrowsIsTheLinesError) {
  application_.AddValue("bad", "d",
                        [](WorkerServices&, std::string_view) -> absl::StatusOr<std::string> {
                          throw std::runtime_error("no idea");
                        });
  application_.AddCommand(
      "worse", "d",
      [](WorkerServices&, std::string_view) -> absl::StatusOr<std::string> { throw 7; });
  EXPECT_EQ(Ask("bad"), "error: \"bad\" threw: no idea");
  EXPECT_EQ(Ask("worse"), "error: \"worse\" threw what is no std::exception");
}

// What /debug/app asks for.
TEST_F(InspectionsTest, ValuesAreReadAndCommandsAreNot) {
  int dropped = 0;
  application_.AddCommand("drop", "drops all",
                          [&](WorkerServices&, std::string_view) -> absl::StatusOr<std::string> {
                            ++dropped;
                            return "dropped";
                          });
  application_.AddValue("keys", "how many there are",
                        [](WorkerServices& services, std::string_view argument) {
                          return std::to_string(services.worker) + std::string(argument);
                        });
  internal::v1::ReadValues request;
  request.set_request(7);
  internal::v1::ReadValuesReply reply = ReadValues(application_, services_, request);
  EXPECT_EQ(reply.request(), 7u);
  ASSERT_EQ(reply.values_size(), 2);
  EXPECT_TRUE(reply.values(0).is_command());
  EXPECT_EQ(reply.values(0).text(), "");
  EXPECT_EQ(reply.values(1).description(), "how many there are");
  EXPECT_EQ(reply.values(1).text(), "4");
  request.set_name("keys");
  request.set_argument("!");
  reply = ReadValues(application_, services_, request);
  ASSERT_EQ(reply.values_size(), 1);
  EXPECT_EQ(reply.values(0).text(), "4!");
  request.set_name("drop");
  ASSERT_EQ(ReadValues(application_, services_, request).values_size(), 1);
  EXPECT_EQ(dropped, 0);
}

TEST_F(InspectionsTest, WhatAValueSaysIsBoundedAndText) {
  application_.AddValue("broken", "d",
                        [](WorkerServices&, std::string_view) -> absl::StatusOr<std::string> {
                          throw std::runtime_error("no \xff idea");
                        });
  application_.AddValue("long", "d", [](WorkerServices&, std::string_view) {
    return std::string(kValueBytesMax + 1, 'x');
  });
  application_.AddValue("odd", "d",
                        [](WorkerServices&, std::string_view) { return std::string("\xff"); });
  internal::v1::ReadValues request;
  internal::v1::ReadValuesReply reply = ReadValues(application_, services_, request);
  ASSERT_EQ(reply.values_size(), 3);
  EXPECT_EQ(reply.values(0).error().message(), "\"broken\" threw: no \xef\xbf\xbd idea");
  EXPECT_EQ(reply.values(1).text().size(), kValueBytesMax);
  EXPECT_TRUE(reply.values(1).cut());
  EXPECT_EQ(reply.values(2).text(), "\xef\xbf\xbd");
  request.set_name("lonk");
  reply = ReadValues(application_, services_, request);
  ASSERT_EQ(reply.values_size(), 1);
  EXPECT_EQ(reply.values(0).error().message(),
            "the application has no \"lonk\"; did you mean \"long\"?");
}

}  // namespace
}  // namespace grove::worker
