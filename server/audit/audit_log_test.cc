#include "server/audit/audit_log.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

namespace grove::audit {
namespace {

constexpr AuditEntry kEntry = {.method = "/grove.v1.QueueService/PauseQueue",
                               .who = "token ci",
                               .peer = "ipv4:10.0.0.7:41830",
                               .tenant = "acme",
                               .resource = "tenants/acme/queues/a\n\"b\"",
                               .asked = "",
                               .reason = "night",
                               .result = "OK",
                               .answer = ""};

TEST(AuditLog, ALineIsOneJsonObject) {
  EXPECT_EQ(
      FormatAuditLine(absl::UnixEpoch(), "grove-control", kEntry),
      "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"info\",\"process\":\"grove-control\","
      "\"message\":\"audit\",\"method\":\"/grove.v1.QueueService/PauseQueue\","
      "\"who\":\"token ci\",\"peer\":\"ipv4:10.0.0.7:41830\",\"tenant\":\"acme\","
      "\"resource\":\"tenants/acme/queues/a\\n\\\"b\\\"\",\"asked\":\"\",\"reason\":\"night\","
      "\"result\":\"OK\",\"answer\":\"\"}\n");
}

TEST(AuditLog, TheFileIsInStateDirUnlessItIsSaidOtherwise) {
  const struct {
    const char* file;
    const char* state_dir;
    const char* expected;
  } kCases[] = {{"", "/s", "/s/audit.log"},
                {"a/b", "/s", "/s/a/b"},
                {"/a/b", "/s", "/a/b"},
                {"-", "/s", ""},
                {"", "", ""}};
  for (const auto& [file, state_dir, expected] : kCases) {
    config::v1::Config config;
    config.mutable_audit()->set_file(file);
    config.set_state_dir(state_dir);
    EXPECT_EQ(FileOf(config), expected) << file;
  }
}

TEST(AuditLog, WithoutAFileItHasRoomAndGoesToTheDaemonsLog) {
  for (const char* file : {"", "-"}) {
    config::v1::Config config;
    config.mutable_audit()->set_file(file);
    auto log = AuditLog::Open(config, "grove-control");
    ASSERT_TRUE(log.ok());
    EXPECT_FALSE(log->has_file());
    EXPECT_TRUE(log->HasRoom());
    testing::internal::CaptureStderr();
    log->Write(kEntry);
    log->Flush();
    EXPECT_NE(testing::internal::GetCapturedStderr().find(
                  "\"audit\" method=/grove.v1.QueueService/PauseQueue who=\"token ci\" "
                  "peer=ipv4:10.0.0.7:41830 tenant=acme"),
              std::string::npos);
  }
}

TEST(AuditLog, WithOneItGoesThereAlone) {
  std::string folder = testing::TempDir() + "audit_log_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  config::v1::Config config;
  config.mutable_audit()->set_file(folder + "/audit.log");
  config.mutable_audit()->set_file_max_bytes(1 << 20);
  config.mutable_audit()->set_files_max(1);
  auto log = AuditLog::Open(config, "grove-control");
  ASSERT_TRUE(log.ok()) << log.status();
  testing::internal::CaptureStderr();
  log->Write(kEntry);
  log->Flush();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  std::ostringstream text;
  text << std::ifstream(FileOf(config)).rdbuf();
  EXPECT_NE(text.str().find("\"reason\":\"night\""), std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(AuditLog, SaysWhichSettingIsWrong) {
  config::v1::Config config;
  config.mutable_audit()->set_file("/none/audit.log");
  EXPECT_EQ(AuditLog::Open(config, "grove-control").status().message(),
            "audit.file: open /none/audit.log: No such file or directory");
}

}  // namespace
}  // namespace grove::audit
