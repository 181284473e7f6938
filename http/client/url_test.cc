#include "http/client/url.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;

TEST(Url, IsTakenApart) {
  const Url url = *Url::Parse("HTTPS://me:it@Example.org:8443/a/b?c=d#e");
  EXPECT_TRUE(url.https);
  EXPECT_EQ(url.userinfo, "me:it");
  EXPECT_EQ(url.host, "example.org");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.target, "/a/b?c=d");
  EXPECT_EQ(url.ToString(), "https://example.org:8443/a/b?c=d");
  EXPECT_EQ(url.HostField(), "example.org:8443");
}

TEST(Url, HasTheSchemesOwnPort) {
  EXPECT_EQ(Url::Parse("http://a")->port, 80);
  EXPECT_EQ(Url::Parse("https://a:")->port, 443);
  EXPECT_EQ(Url::Parse("https://a:443")->HostField(), "a");
  EXPECT_EQ(Url::Parse("https://a")->Authority(), "a:443");
  EXPECT_EQ(Url::Parse("http://a:443")->HostField(), "a:443");
}

TEST(Url, MayHaveAnAddressForAHost) {
  const Url six = *Url::Parse("http://[::0001]:81/");
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(six.port, 81);
  EXPECT_EQ(six.HostField(), "[::1]:81");
  EXPECT_EQ(six.Authority(), "[::1]:81");
  EXPECT_EQ(Url::Parse("http://127.0.0.1")->host, "127.0.0.1");
}

TEST(Url, BeginsItsTargetWithASlash) {
  EXPECT_EQ(Url::Parse("http://a")->target, "/");
  EXPECT_EQ(Url::Parse("http://a?b")->target, "/?b");
  EXPECT_EQ(Url::Parse("http://a#b")->target, "/");
}

TEST(Url, EncodesWhatStandsInNoTarget) {
  EXPECT_EQ(Url::Parse("http://a/ü?\"<>|%41")->target, "/%C3%BC?%22%3C%3E%7C%41");
}

TEST(Url, RefusesWhatIsNone) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "want http:// or https://"},
      {"example.org", "want http:// or https://"},
      {"ftp://a/", "want http:// or https://"},
      {"http:/a", "want http:// or https://"},
      {"http://", "names no host"},
      {"http://:80/", "names no host"},
      {"http://a b/", "blanks or control characters"},
      {"http://a/\r\nHost: b", "blanks or control characters"},
      {std::string("http://a/\0", 10), "blanks or control characters"},
      {"http://a:0/", "port is not from 1 to 65535"},
      {"http://a:65536/", "port is not from 1 to 65535"},
      {"http://a:+80/", "port is not from 1 to 65535"},
      {"http://bücher.example/", "Punycode"},
      {"http://a,b/", "no name or address"},
      {"http://[::1/", "no IPv6 address"},
      {"http://[127.0.0.1]/", "no IPv6 address"},
      {"http://[::1]x/", "no IPv6 address"},
  };
  for (const auto& [text, why] : cases) {
    const absl::Status status = Url::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why)) << text;
  }
  EXPECT_FALSE(Url::Parse("http://a/" + std::string(kUrlBytesMax, 'x')).ok());
}

TEST(Url, ShowsNoCredentialsOfABadOne) {
  const absl::Status status = Url::Parse("http://me:secret@a,b/").status();
  EXPECT_THAT(std::string(status.message()), ::testing::Not(HasSubstr("secret")));
}

// The examples of RFC 3986, 5.4, as far as they are http.
TEST(Url, FollowsReferences) {
  const Url base = *Url::Parse("http://a/b/c/d;p?q");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {";x", "http://a/b/c/;x"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"https://h:9/i", "https://h:9/i"},
      {" /a b ", "http://a/a%20b"},
      {"/ä", "http://a/%C3%A4"},
      {"/a:b", "http://a/a:b"},
  };
  for (const auto& [reference, to] : cases) {
    const absl::StatusOr<Url> next = base.Follow(reference);
    ASSERT_TRUE(next.ok()) << reference << ": " << next.status();
    EXPECT_EQ(next->ToString(), to) << reference;
  }
}

TEST(Url, FollowsNowhereElse) {
  const Url base = *Url::Parse("http://a/");
  EXPECT_TRUE(absl::IsPermissionDenied(base.Follow("file:///etc/passwd").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(base.Follow("javascript:x").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(base.Follow("http://a:b/").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(base.Follow(std::string(10'000, 'x')).status()));
}

TEST(Url, KnowsItsOrigin) {
  const Url url = *Url::Parse("https://a/b");
  EXPECT_TRUE(url.SameOrigin(*Url::Parse("https://A:443/")));
  EXPECT_FALSE(url.SameOrigin(*Url::Parse("http://a:443/")));
  EXPECT_FALSE(url.SameOrigin(*Url::Parse("https://a:444/")));
  EXPECT_FALSE(url.SameOrigin(*Url::Parse("https://b/")));
}

}  // namespace
}  // namespace grove::http
