#include "server/worker/ingresses.h"

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/tls/fixture.h"

namespace grove::worker {
namespace {

class IngressesTest : public ::testing::Test {
 protected:
  // One listener with the certificate, the first of the config's list.
  config::v1::Http Config() {
    config::v1::Http http;
    config::v1::HttpListener* listener = http.add_listeners();
    listener->set_address("127.0.0.1:0");
    config::v1::HttpCertificate* certificate = listener->mutable_tls()->add_certificates();
    certificate->set_certificate_file(files_.chain);
    certificate->set_key_file(files_.key);
    return http;
  }
  static std::string SubjectOf(const Ingresses& ingresses) {
    return ingresses.at(0)->tls->certificates()[0].subject;
  }
  static void Renew(Ingresses& ingresses) {
    auto hub = Hub::Create();
    ASSERT_TRUE(hub.ok());
    OffloadPool offload({.threads = 1});
    RunOn(**hub, [&] { return ingresses.Renew(offload); });
    offload.Stop();
  }

  TestAuthority authority_{"authority"};
  const TlsCertificateFiles files_ = authority_.Issue("a", {.common_name = "first"});
};

TEST_F(IngressesTest, APlainListenerHasNone) {
  config::v1::Http http;
  http.add_listeners()->set_address("127.0.0.1:0");
  auto ingresses = Ingresses::Build(http, "");
  ASSERT_TRUE(ingresses.ok()) << ingresses.status();
  EXPECT_EQ(ingresses->at(0), nullptr);
  EXPECT_FALSE(ingresses->any_tls());
}

TEST_F(IngressesTest, HaveWhatTheConfigSays) {
  config::v1::Http http = Config();
  http.mutable_listeners(0)->mutable_proxy_protocol()->add_trusted("10.0.0.0/8");
  auto ingresses = Ingresses::Build(http, "");
  ASSERT_TRUE(ingresses.ok()) << ingresses.status();
  EXPECT_EQ(SubjectOf(*ingresses), "CN=first");
  EXPECT_TRUE(ingresses->any_tls());
  EXPECT_TRUE(ingresses->at(0)->proxies->Contains("10.1.2.3"));
  EXPECT_FALSE(ingresses->at(0)->proxies->Contains("11.1.2.3"));
}

TEST_F(IngressesTest, NameTheGroupThatIsUnknown) {
  config::v1::Http http = Config();
  http.mutable_listeners(0)->mutable_tls()->add_groups("X25519");
  EXPECT_TRUE(Ingresses::Build(http, "").ok());
  http.mutable_listeners(0)->mutable_tls()->add_groups("curve");
  const std::string message(Ingresses::Build(http, "").status().message());
  EXPECT_TRUE(message.starts_with("http.listeners[0].tls: groups: \"curve\"")) << message;
}

TEST_F(IngressesTest, NameTheKeyAndTheFileThatIsWrong) {
  config::v1::Http http = Config();
  const TlsCertificateFiles other = authority_.Issue("b", {.common_name = "other"});
  http.mutable_listeners(0)->mutable_tls()->mutable_certificates(0)->set_key_file(other.key);
  const std::string message(Ingresses::Build(http, "").status().message());
  EXPECT_EQ(message.rfind("http.listeners[0].tls: ", 0), 0u) << message;
  EXPECT_NE(message.find(other.key), std::string::npos) << message;
}

TEST_F(IngressesTest, TakeNewFilesWhenTheyChangeAndOnlyThen) {
  auto ingresses = Ingresses::Build(Config(), "");
  ASSERT_TRUE(ingresses.ok()) << ingresses.status();
  Renew(*ingresses);
  EXPECT_EQ(SubjectOf(*ingresses), "CN=first");
  authority_.Issue("a", {.common_name = "second, which is longer"});
  EXPECT_EQ(SubjectOf(*ingresses), "CN=first");
  Renew(*ingresses);
  EXPECT_EQ(SubjectOf(*ingresses), "CN=second\\, which is longer");
}

TEST_F(IngressesTest, KeepTheOldOnesWhileTheNewFilesAreWrong) {
  auto ingresses = Ingresses::Build(Config(), "");
  ASSERT_TRUE(ingresses.ok()) << ingresses.status();
  std::ofstream(files_.chain, std::ios::trunc) << "no PEM";
  Renew(*ingresses);
  EXPECT_EQ(SubjectOf(*ingresses), "CN=first");
  ASSERT_EQ(remove(files_.chain.c_str()), 0);
  Renew(*ingresses);
  EXPECT_EQ(SubjectOf(*ingresses), "CN=first");
  authority_.Issue("a", {.common_name = "third"});
  Renew(*ingresses);
  EXPECT_EQ(SubjectOf(*ingresses), "CN=third");
}

}  // namespace
}  // namespace grove::worker
