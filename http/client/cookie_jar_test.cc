#include "http/client/cookie_jar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace grove::http {
namespace {

class CookieJarTest : public ::testing::Test {
 protected:
  bool Take(const std::string& url, std::string_view field) {
    return jar_.Take(*Url::Parse(url), field, now_);
  }
  std::string For(const std::string& url) { return jar_.FieldFor(*Url::Parse(url), now_); }

  CookieJar jar_;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

TEST_F(CookieJarTest, GivesAHostWhatItSet) {
  EXPECT_TRUE(Take("http://a.example.org/x/y", "one=1"));
  EXPECT_TRUE(Take("http://a.example.org/x/y", " two = a b ; HttpOnly; Colour=red"));
  EXPECT_EQ(For("http://a.example.org/x/z?q"), "one=1; two=a b");
  EXPECT_EQ(For("https://a.example.org:444/x"), "one=1; two=a b") << "neither scheme nor port";
  EXPECT_EQ(For("http://b.example.org/x/z"), "");
  EXPECT_EQ(For("http://b.a.example.org/x/z"), "") << "host-only";
  EXPECT_EQ(For("http://example.org/x/z"), "");
  EXPECT_TRUE(Take("http://a.example.org/x/y", "one=other"));
  EXPECT_EQ(For("http://a.example.org/x"), "one=other; two=a b") << "its place in the order stays";
}

TEST_F(CookieJarTest, KeepsPathsApart) {
  EXPECT_TRUE(Take("http://a.org/x/y", "default=1"));
  EXPECT_TRUE(Take("http://a.org/x/y", "all=2; Path=/"));
  EXPECT_TRUE(Take("http://a.org/", "deep=3; path=/x/y"));
  EXPECT_TRUE(Take("http://a.org/", "none=4; path=x"));
  EXPECT_EQ(For("http://a.org/x/y/z"), "deep=3; default=1; all=2; none=4") << "the longest first";
  EXPECT_EQ(For("http://a.org/x/yz"), "default=1; all=2; none=4");
  EXPECT_EQ(For("http://a.org/xy"), "all=2; none=4");
  EXPECT_EQ(For("http://a.org/x?/y"), "default=1; all=2; none=4");
}

TEST_F(CookieJarTest, SharesADomainBelowIt) {
  EXPECT_TRUE(Take("http://a.example.org/", "shared=1; Domain=.Example.ORG"));
  EXPECT_EQ(For("http://example.org/"), "shared=1");
  EXPECT_EQ(For("http://b.c.example.org/"), "shared=1");
  EXPECT_EQ(For("http://badexample.org/"), "");
  EXPECT_FALSE(Take("http://a.example.org/", "x=1; Domain=b.example.org"));
  EXPECT_FALSE(Take("http://example.org/", "x=1; Domain=a.example.org"));
  EXPECT_FALSE(Take("http://a.example.org/", "x=1; Domain=ample.org"));
  EXPECT_FALSE(Take("http://a.example.org/", "x=1; Domain=example.org."));
}

TEST_F(CookieJarTest, SharesNoPublicSuffix) {
  EXPECT_FALSE(Take("http://a.org/", "x=1; Domain=org"));
  EXPECT_FALSE(Take("http://shop.co.uk/", "x=1; Domain=co.uk"));
  EXPECT_FALSE(Take("http://shop.com.au/", "x=1; Domain=com.au"));
  EXPECT_TRUE(Take("http://a.shop.co.uk/", "x=1; Domain=shop.co.uk"));
  EXPECT_TRUE(Take("http://localhost/", "own=1; Domain=localhost"));
  EXPECT_EQ(For("http://localhost/"), "own=1");
  EXPECT_EQ(For("http://a.localhost/"), "") << "host-only";
  CookieJar strict({.is_public_suffix = [](std::string_view d) { return d == "github.io"; }});
  EXPECT_FALSE(strict.Take(*Url::Parse("http://a.github.io/"), "x=1; Domain=github.io", now_));
}

TEST_F(CookieJarTest, TakesAnAddressForAHostAlone) {
  EXPECT_TRUE(Take("http://127.0.0.1/", "a=1"));
  EXPECT_TRUE(Take("http://127.0.0.1/", "b=1; Domain=127.0.0.1"));
  EXPECT_FALSE(Take("http://127.0.0.1/", "x=1; Domain=0.0.1"));
  EXPECT_EQ(For("http://127.0.0.1/"), "a=1; b=1");
}

TEST_F(CookieJarTest, KeepsWhatIsSecureOffPlainHttp) {
  EXPECT_TRUE(Take("https://a.org/", "s=1; Secure"));
  EXPECT_EQ(For("http://a.org/"), "");
  EXPECT_EQ(For("https://a.org/"), "s=1");
  EXPECT_FALSE(Take("http://a.org/", "t=1; Secure")) << "set over plain http";
  EXPECT_FALSE(Take("http://a.org/", "s=2")) << "replaced over plain http";
  EXPECT_EQ(For("https://a.org/"), "s=1");
  EXPECT_FALSE(Take("https://a.org/", "__Secure-a=1"));
  EXPECT_FALSE(Take("https://a.org/x", "__Host-a=1; Secure"));
  EXPECT_FALSE(Take("https://b.a.org/", "__Host-a=1; Secure; Path=/; Domain=a.org"));
  EXPECT_TRUE(Take("https://a.org/", "__Host-a=1; Secure; Path=/"));
}

TEST_F(CookieJarTest, ForgetsWhatIsOver) {
  EXPECT_TRUE(Take("http://a.org/", "age=1; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
  EXPECT_TRUE(Take("http://a.org/", "date=1; Expires=Tue, 14-Nov-2023 22:13:30 GMT"));
  EXPECT_TRUE(Take("http://a.org/", "session=1; Max-Age=soon; Expires=never"));
  EXPECT_TRUE(Take("http://a.org/", "long=1; Max-Age=99999999999999999999"));
  now_ += absl::Seconds(9);
  EXPECT_EQ(For("http://a.org/"), "age=1; date=1; session=1; long=1");
  now_ += absl::Seconds(1);
  EXPECT_EQ(For("http://a.org/"), "session=1; long=1");
  EXPECT_FALSE(Take("http://a.org/", "session=; Max-Age=0"));
  EXPECT_EQ(For("http://a.org/"), "long=1");
  now_ += absl::Hours(400 * 24);
  EXPECT_EQ(For("http://a.org/"), "");
}

TEST_F(CookieJarTest, RefusesWhatIsNoCookie) {
  for (const char* bad : {"", "novalue", "=x", " = x", "a\r\nb=1", "a=1\x01", "a\x7f=1"}) {
    EXPECT_FALSE(Take("http://a.org/", bad)) << bad;
  }
  EXPECT_FALSE(Take("http://a.org/", absl::StrCat("a=", std::string(kCookieBytesMax, 'x'))));
  EXPECT_TRUE(Take("http://a.org/", absl::StrCat("a=", std::string(kCookieBytesMax - 1, 'x'))));
  EXPECT_EQ(jar_.size(), 1u);
}

TEST_F(CookieJarTest, HasRoomForSoMany) {
  jar_ = CookieJar({.cookies_max = 5, .per_domain_max = 3});
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(Take("http://a.org/", absl::StrCat("n", i, "=1")));
  EXPECT_TRUE(Take("http://b.org/", "x=1"));
  EXPECT_TRUE(Take("http://c.org/", "x=1; Path=/y"));
  EXPECT_EQ(For("http://b.org/"), "x=1");
  EXPECT_TRUE(Take("http://a.org/", "n4=1"));
  EXPECT_EQ(For("http://a.org/"), "n2=1; n3=1; n4=1") << "the oldest of the domain has gone";
  EXPECT_TRUE(Take("http://d.org/", "x=1"));
  EXPECT_EQ(jar_.size(), 5u);
  EXPECT_EQ(For("http://c.org/y"), "") << "sent longest ago";
  EXPECT_EQ(For("http://b.org/"), "x=1");
}

TEST_F(CookieJarTest, HasRoomForSoManyBytes) {
  jar_ = CookieJar({.bytes_max = 1000, .field_bytes_max = 500});
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(
        Take(absl::StrCat("http://h", i, ".org/"), absl::StrCat("a=", std::string(300, 'x'))));
    EXPECT_LE(jar_.bytes(), 1000u);
  }
  EXPECT_EQ(jar_.size(), 3u);
  EXPECT_FALSE(For("http://h99.org/").empty());
  EXPECT_TRUE(Take("http://h99.org/", absl::StrCat("b=", std::string(300, 'x'))));
  EXPECT_EQ(For("http://h99.org/").size(), 302u) << "the field has its own bound";
  jar_.Clear();
  EXPECT_EQ(jar_.bytes(), 0u);
}

TEST(ParseCookieDate, TakesDatesAsServersWriteThem) {
  const absl::Time time = absl::FromUnixSeconds(784'111'777);
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "6 november 1994 8:49:37", "08:49:37 94 06 nov"}) {
    EXPECT_EQ(ParseCookieDate(text), text[0] == '0' ? std::nullopt : std::optional(time)) << text;
  }
  for (const char* bad : {"", "Sun, 06 Nov 1994", "06 Nov 1994 24:00:00", "30 Feb 2020 00:00:00",
                          "06 Nov 1600 00:00:00", "06 Nov 19999 00:00:00", "0 Nov 1994 01:01:01"}) {
    EXPECT_EQ(ParseCookieDate(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace grove::http
