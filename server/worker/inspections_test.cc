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
  application_.AddInspection(
      "cache", "keys of it",
      [](WorkerServices& services, std::string_view argument) -> absl::StatusOr<std::string> {
        return std::to_string(services.worker) + " " + std::string(argument);
      });
  const backdoor::BackdoorTable rows = DescribeInspections(application_);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0], (backdoor::BackdoorRow{{"name", std::string("cache")},
                                            {"description", std::string("keys of it")}}));
  EXPECT_EQ(Ask("cache", "a b"), "4 a b");
  EXPECT_EQ(Ask("cashe"), "error: the application has no \"cashe\"; did you mean \"cache\"?");
}

TEST_F(InspectionsTest, WhatOneThrowsIsTheLinesError) {
  application_.AddInspection("bad", "d",
                             [](WorkerServices&, std::string_view) -> absl::StatusOr<std::string> {
                               throw std::runtime_error("no idea");
                             });
  application_.AddInspection(
      "worse", "d",
      [](WorkerServices&, std::string_view) -> absl::StatusOr<std::string> { throw 7; });
  EXPECT_EQ(Ask("bad"), "error: \"bad\" threw: no idea");
  EXPECT_EQ(Ask("worse"), "error: \"worse\" threw what is no std::exception");
}

}  // namespace
}  // namespace grove::worker
