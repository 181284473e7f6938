#include "server/config/problems.h"

#include <string>

#include "absl/strings/cord.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"

namespace grove::config {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string Text(const Problems& problems) {
  return std::string(problems.ToStatus().message());
}

TEST(Problems, AreNoneAtFirst) {
  EXPECT_TRUE(Problems().empty());
  EXPECT_TRUE(Problems().ToStatus().ok());
}

TEST(Problems, AreSortedByPlaceAndCounted) {
  Problems problems;
  problems.sources().AddFile("a.yaml");
  problems.sources().AddFile("b.yaml");
  problems.sources().Put("workers", {1, 1, 1});
  problems.sources().Put("log.level", {0, 9, 3});
  problems.Add("workers", "too many");
  problems.Add("log.level", "no level");
  problems.Add("--http", "no address");
  EXPECT_EQ(Text(problems),
            "--http: no address\na.yaml:9:3: log.level: no level\n"
            "b.yaml:1:1: workers: too many\n3 errors");
}

TEST(Problems, TakeThePlaceOfTheSectionAround) {
  Problems problems;
  problems.sources().AddFile("a.yaml");
  problems.sources().Put("tenants[1]", {0, 4, 3});
  problems.Add("tenants[1].queues[0].pool", "there is none");
  problems.Add(absl::InvalidArgumentError("tenants[1].name: none"));
  EXPECT_EQ(Text(problems),
            "a.yaml:4:3: tenants[1].queues[0].pool: there is none\n"
            "a.yaml:4:3: tenants[1].name: none\n2 errors");
}

TEST(Problems, LeaveOutWhatFollowsFromOthers) {
  Problems problems;
  problems.AddAt({}, "tenants[0].pools", "no list");
  problems.Add("tenants[0].pools[1].name", "follows");
  problems.Add("tenants[0]", "follows");
  problems.Add("tenants[0].pools2", "is another");
  EXPECT_EQ(Text(problems), "no list\ntenants[0].pools2: is another\n2 errors");
  problems.AddAt({}, "", "no YAML");
  problems.Add("workers", "follows");
  problems.Add("--workers", "is a flag's");
  EXPECT_THAT(Text(problems), EndsWith("4 errors"));
}

TEST(Problems, AreShownUpToABound) {
  Problems problems;
  for (size_t i = 0; i < kProblemsShownMax; ++i) problems.Add(StrCat("k", i), "x");
  EXPECT_THAT(Text(problems), EndsWith("k49: x\n50 errors"));
  problems.Add("last", "x");
  EXPECT_THAT(Text(problems), EndsWith("k49: x\nand 1 more\n51 errors"));
}

TEST(Problems, AreShownUpToABoundOfBytes) {
  Problems problems;
  problems.AddAt({}, "a", std::string(3 * kProblemsShownBytesMax, 'x'));
  EXPECT_THAT(Text(problems), StartsWith("xxx"));
  EXPECT_LE(Text(problems).size(), kProblemBytesMax + std::string_view("…").size());
  for (int i = 0; i < 9; ++i) problems.AddAt({}, "a", std::string(kProblemBytesMax, 'x'));
  EXPECT_THAT(Text(problems), EndsWith("x\nand 2 more\n10 errors"));
  EXPECT_LE(Text(problems).size(), kProblemsShownBytesMax + 30);
}

TEST(Problems, HaveALineEachWhateverAFileSays) {
  Problems problems;
  problems.sources().AddFile("a\n.yaml");
  problems.sources().Put("k", {0, 1, 2});
  problems.Add("k", "unknown escape character: \a");
  EXPECT_EQ(Text(problems), "a\\x0a.yaml:1:2: k: unknown escape character: \\x07");
}

TEST(Problems, StandBesideTheirKeysForPrograms) {
  Problems problems;
  problems.sources().AddFile("a.yaml");
  problems.sources().Put("log.level", {0, 9, 3});
  problems.Add("log.level", "no level");
  problems.Add("--http", "no address");
  const absl::Status status = problems.ToStatus();
  EXPECT_EQ(RefusalReason(status), "CONFIG_INVALID");
  google::rpc::BadRequest request;
  ASSERT_TRUE(request.ParseFromString(
      std::string(status.GetPayload(Abseil(kBadRequestType)).value_or(absl::Cord()))));
  ASSERT_EQ(request.field_violations_size(), 2);
  EXPECT_EQ(request.field_violations(0).field(), "--http");
  EXPECT_EQ(request.field_violations(1).field(), "log.level");
  EXPECT_EQ(request.field_violations(1).description(), "a.yaml:9:3: log.level: no level");
}

TEST(Problems, DoNotTellWhatReferencesHold) {
  Problems problems;
  problems.sources().PutReference("http.listeners[0].name", "${NAME}", "geheim");
  problems.sources().PutReference("workers", "${N}", "257");
  problems.Add("http.listeners[0]", "'geheim' is no name");
  problems.Add("workers", "257 is too many");
  EXPECT_THAT(Text(problems), HasSubstr("'${NAME}' is no name"));
  EXPECT_THAT(Text(problems), Not(HasSubstr("geheim")));
  EXPECT_THAT(Text(problems), HasSubstr("257 is too many"));
}

TEST(Problems, KeepTheCodeOfALoneOne) {
  Problems problems;
  problems.AddAt({}, "", absl::NotFoundError("no file"));
  EXPECT_EQ(problems.ToStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Text(problems), "no file");
  problems.Add(absl::InternalError("Something else"));
  EXPECT_EQ(problems.ToStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Problems, KeepWarningsApart) {
  Problems problems;
  problems.Warn("workers", "are many");
  EXPECT_TRUE(problems.empty());
  EXPECT_THAT(problems.Warnings(), ::testing::ElementsAre("workers: are many"));
}

}  // namespace
}  // namespace grove::config
