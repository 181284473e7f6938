#include "server/http/middleware/real_client.h"

#include "gtest/gtest.h"
#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

TrustedAddresses Trusted() {
  const std::string ranges[] = {"10.0.0.0/8", "fd00::/8", "unix:"};
  return *TrustedAddresses::Parse(ranges);
}

TEST(TrustedAddresses, HoldsRangesAndUnixSockets) {
  const TrustedAddresses trusted = Trusted();
  for (const char* in : {"10.0.0.1", "10.255.255.255", "fd00::1", "::ffff:10.1.2.3", "unix:"}) {
    EXPECT_TRUE(trusted.Contains(in)) << in;
  }
  for (const char* out : {"11.0.0.1", "fe00::1", "", "10.0.0", "10.0.0.1 ", "x", "[fd00::1]"}) {
    EXPECT_FALSE(trusted.Contains(out)) << out;
  }
  EXPECT_FALSE(trusted.Contains(std::string_view("10.0.0.1\0", 9)));
  EXPECT_FALSE(TrustedAddresses().Contains("unix:"));
  const std::string wrong[] = {"10.0.0.1/8"};
  EXPECT_FALSE(TrustedAddresses::Parse(wrong).ok());
}

std::string ClientOf(std::string_view peer, std::string_view forwarded_for) {
  return FindClient(peer, ParseXForwardedFor(forwarded_for), Trusted()).address;
}

TEST(RealClient, WalksXForwardedForFromTheRight) {
  const struct {
    const char* peer;
    const char* value;
    const char* client;
  } table[] = {
      {"10.0.0.1", "", "10.0.0.1"},
      {"10.0.0.1", "1.2.3.4", "1.2.3.4"},
      {"unix:", "1.2.3.4", "1.2.3.4"},
      {"10.0.0.1", "1.2.3.4, unix:", "1.2.3.4"},
      {"10.0.0.1", "unix:", "unix:"},
      {"10.0.0.1", "unix:/a", "10.0.0.1"},
      {"10.0.0.1", "unix:, 1.2.3.4", "1.2.3.4"},
      {"10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"},
      {"10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"},
      {"10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"},
      {"10.0.0.1", "1.2.3.4, unknown", "10.0.0.1"},
      {"10.0.0.1", "1.2.3.4, junk, 10.0.0.2", "10.0.0.2"},
      {"10.0.0.1", "1.2.3.4,", "1.2.3.4"},
      {"10.0.0.1", ",1.2.3.4, ,, ", "1.2.3.4"},
      {"10.0.0.1", " , ", "10.0.0.1"},
      {"10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"},
      {"10.0.0.1", "1.2.3.4, [::ffff:10.0.0.2]:80", "1.2.3.4"},
      {"10.0.0.1", "2001:DB8:0::1", "2001:db8::1"},
      {"10.0.0.1", "1.2.3.4:5678", "1.2.3.4"},
      {"10.0.0.1", "2001:db8::1", "2001:db8::1"},
      {"10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"},
      {"10.0.0.1", "[2001:db8::1]x", "10.0.0.1"},
      {"9.9.9.9", "1.2.3.4", "9.9.9.9"},
  };
  for (const auto& [peer, value, client] : table) EXPECT_EQ(ClientOf(peer, value), client) << value;
}

TEST(RealClient, LooksAtABoundedNumberOfHops) {
  std::string value = "1.2.3.4";
  for (size_t i = 0; i < kHopsMax; ++i) value += ", 10.0.0.2";
  EXPECT_EQ(ParseXForwardedFor(value).size(), kHopsMax);
  EXPECT_EQ(ClientOf("10.0.0.1", value), "10.0.0.2");
}

// The examples of RFC 7239, 4 and 6, and what breaks naive parsers.
TEST(RealClient, ParsesForwarded) {
  const struct {
    const char* value;
    std::vector<std::string> addresses;  // rightmost first
  } table[] = {
      {"for=\"_gazonk\"", {""}},
      {"For=\"[2001:db8:cafe::17]:4711\"", {"2001:db8:cafe::17"}},
      {"for=192.0.2.60;proto=http;by=203.0.113.43", {"192.0.2.60"}},
      {"for=192.0.2.43, for=198.51.100.17", {"198.51.100.17", "192.0.2.43"}},
      {"for=192.0.2.43,for=\"[2001:db8::1]\";by=x,for=unknown", {"", "2001:db8::1", "192.0.2.43"}},
      {"for=\"1.2.3.4, for=5.6.7.8\"", {""}},
      {"for=\"1.2.3\\.4\"", {"1.2.3.4"}},
      {"by=\"a;b,c\" ; for=1.2.3.4", {"1.2.3.4"}},
      {"proto=https", {""}},
      {"for=1.2.3.4:80", {"1.2.3.4"}},
      {"for=1.2.3.4,", {"1.2.3.4"}},
      {", for=1.2.3.4 ,, for=\"[::ffff:5.6.7.8]\" , ", {"5.6.7.8", "1.2.3.4"}},
      {";", {}},
      {"for=\"1.2.3.4", {}},
      {"for", {}},
      {"for=", {}},
      {"=1.2.3.4", {}},
      {"for=1.2.3.4 x, for=5.6.7.8", {}},
      {"", {}},
  };
  for (const auto& [value, addresses] : table) {
    std::vector<std::string> parsed;
    for (const Hop& hop : ParseForwarded(value)) parsed.push_back(hop.address);
    EXPECT_EQ(parsed, addresses) << value;
  }
  EXPECT_EQ(ParseForwarded("for=1.2.3.4;Proto=HTTPS")[0].scheme, "https");
  EXPECT_EQ(ParseForwarded("for=1.2.3.4;proto=ftp")[0].scheme, "");
}

class RealClientTest : public MiddlewareFixture {
 protected:
  std::string ClientAndScheme(RealClientOptions::Source source) {
    std::string seen;
    Ask(RealClient({source, Trusted()}), [&](Request& request, Response&) {
      seen = std::string(request.context.client).append(" ").append(request.context.scheme);
      return absl::OkStatus();
    });
    return seen;
  }
};

TEST_F(RealClientTest, BelievesATrustedPeerAndItsOneField) {
  using enum RealClientOptions::Source;
  client_ = "10.0.0.1";
  fields_ = {{"X-Forwarded-For", "1.1.1.1"},
             {"x-forwarded-for", "2.2.2.2"},
             {"X-Forwarded-Proto", "http, https,"},
             {"Forwarded", "for=3.3.3.3;proto=http"}};
  EXPECT_EQ(ClientAndScheme(kXForwardedFor), "2.2.2.2 https");
  EXPECT_EQ(ClientAndScheme(kForwarded), "3.3.3.3 http");
  client_ = "9.9.9.9";
  EXPECT_EQ(ClientAndScheme(kXForwardedFor), "9.9.9.9 http");
  EXPECT_EQ(ClientAndScheme(kForwarded), "9.9.9.9 http");
}

}  // namespace
}  // namespace grove::http
