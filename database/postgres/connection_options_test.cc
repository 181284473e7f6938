#include "database/postgres/connection_options.h"

#include <gtest/gtest.h>

#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

TEST(ConnectionOptionsTest, AUrlIsRead) {
  const auto options = ConnectionOptions::Parse(
      "postgresql://ada:s%20x@db1,db2:5433/shop?sslmode=verify-full&sslrootcert=/ca.pem"
      "&target_session_attrs=read-write&application_name=till&connect_timeout=7");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->hosts, (std::vector<HostPort>{{"db1", 5432}, {"db2", 5433}}));
  EXPECT_EQ(options->user, "ada");
  EXPECT_EQ(options->password, "s x");
  EXPECT_EQ(options->database, "shop");
  EXPECT_EQ(options->tls, TlsMode::kVerifyFull);
  EXPECT_EQ(options->ca_file, "/ca.pem");
  EXPECT_EQ(options->session, SessionKind::kReadWrite);
  EXPECT_EQ(options->application_name, "till");
  EXPECT_EQ(options->attempt_timeout, absl::Seconds(7));
}

TEST(ConnectionOptionsTest, PairsAreRead) {
  const auto options = ConnectionOptions::Parse("host=/run/postgresql port=6000 dbname=shop");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->hosts, (std::vector<HostPort>{{"/run/postgresql", 6000}}));
  EXPECT_EQ(ConnectionOptions::Parse("host=a,b port=6000")->hosts[1].port, 6000);
  EXPECT_EQ(ConnectionOptions::Parse("dbname=x")->hosts[0].host, "localhost");
}

TEST(ConnectionOptionsTest, WhatIsNotKnownIsRefusedWithoutItsValue) {
  for (const char* text :
       {"postgresql://h/d?sslcrl=secret", "postgresql://h/d?nothing=secret", "host=h port=0",
        "host=h port=x", "host=a,b,c port=1,2", "host=h sslmode=perhaps", "secret of mine",
        "host=h target_session_attrs=best", "host=h connect_timeout=soon"}) {
    const absl::Status refused = ConnectionOptions::Parse(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << text;
    EXPECT_EQ(Std(refused.message()).find("secret"), std::string_view::npos) << refused;
  }
}

}  // namespace
}  // namespace grove::postgres
