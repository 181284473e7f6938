// Cookies of a jar that goes along with requests.
#include <gmock/gmock.h>

#include "http/client/client_fixture.h"
#include "http/client/cookie_jar.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Cookies, GoAlongWithTheirJarAlone) {
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/login",
                  "HTTP/1.1 302 In\r\nSet-Cookie: user=7; Path=/\r\nSet-Cookie: theme=dark\r\n"
                  "Location: /home\r\nContent-Length: 0\r\n\r\n");
    server.Answer("/home", std::string(kOk));
    CookieJar jar;
    EXPECT_TRUE(client.Fetch({.url = server.Url("/login"), .cookies = &jar}).ok());
    EXPECT_EQ(jar.size(), 2u);
    EXPECT_THAT(server.requests()[0], Not(HasSubstr("\r\nCookie:")));
    EXPECT_THAT(server.requests()[1], HasSubstr("\r\nCookie: user=7; theme=dark\r\n"))
        << "the redirect has them already";
    EXPECT_TRUE(client.Fetch({.url = server.Url("/home")}).ok());
    EXPECT_THAT(server.requests()[2], Not(HasSubstr("\r\nCookie:")));
    EXPECT_TRUE(
        client.Fetch({.url = server.Url("/home"), .fields = {{"cookie", "a=b"}}, .cookies = &jar})
            .ok());
    EXPECT_THAT(server.requests()[3], HasSubstr("\r\ncookie: a=b\r\n"));
    EXPECT_THAT(server.requests()[3], Not(HasSubstr("user=7")));
  });
}

TEST(Cookies, StayWithTheirHostAtARedirect) {
  WithServer([](TestServer& server, HttpClient& client) {
    // The same server by another name.
    const std::string there = StrCat("http://localhost:", server.port(), "/there");
    server.Answer("/", StrCat("HTTP/1.1 302 There\r\nSet-Cookie: a=1\r\nLocation: ", there,
                              "\r\nContent-Length: 0\r\n\r\n"));
    server.Answer("/there", "HTTP/1.1 200 OK\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n");
    CookieJar jar;
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(client.Fetch({.url = server.Url("/"), .fields = {}, .cookies = &jar}).ok());
    }
    EXPECT_THAT(server.requests()[1], Not(HasSubstr("\r\nCookie:")));
    EXPECT_THAT(server.requests()[2], HasSubstr("\r\nCookie: a=1\r\n"));
    EXPECT_THAT(server.requests()[3], HasSubstr("\r\nCookie: b=2\r\n"));
  });
}

}  // namespace
}  // namespace grove::http
