#include "runtime/dns/resolver.h"

#include <unistd.h>

#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "runtime/dns/dns_server_fixture.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

// A resolver that asks a FakeDns, on invented time: caches and the callers' time-outs follow it,
// while c-ares's own retries follow the machine's clock: they are far off but in tests of silence.
class ResolverTest : public HubTest {
 protected:
  ~ResolverTest() override { unlink(file_); }

  // Runs `body` with a server and a resolver.
  void With(const std::function<void()>& body) {
    Run([&] {
      FakeDns dns;
      dns_ = &dns;
      ResolverOptions options = options_;
      if (options.query.servers.empty()) options.query.servers = {dns.address()};
      resolver_ = *Resolver::Create(options);
      body();
      resolver_.reset();
      dns.Stop();
    });
  }
  // "ADDRESS ADDRESS", or the error.
  std::string Ask(std::string_view host, int family = AF_UNSPEC) {
    auto found = resolver_->Resolve(host, 80, {.family = family});
    if (!found.ok()) return found.status().ToString();
    std::string text;
    for (const SocketAddress& address : *found) {
      absl::StrAppend(&text, text.empty() ? "" : " ", address.ToString());
    }
    return text;
  }
  absl::StatusCode Code(std::string_view host) {
    return resolver_->Resolve(host, 80).status().code();
  }
  void Pass(absl::Duration time) { (void)Sleep(time); }
  void File(const std::string& text) {
    close(mkstemp(file_));
    std::ofstream(file_) << text;
  }

  static ResolverOptions Options() {
    ResolverOptions options;
    options.hosts_path = "/nonexistent";
    options.query.search_domains.emplace();
    options.query.resolv_conf = "/nonexistent";
    options.query.timeout_per_try = absl::Minutes(1);
    options.lookup_timeout = absl::InfiniteDuration();  // time rushes on while c-ares waits
    return options;
  }

  static constexpr absl::Duration kSoon = absl::Milliseconds(20);

  char file_[32] = "/tmp/grove_dns_XXXXXX";
  ResolverOptions options_ = Options();
  FakeDns* dns_ = nullptr;
  std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverTest, ANameHasItsAddressesOfBothFamiliesWithThePort) {
  With([&] {
    dns_->Address("two.example", "127.0.0.7");
    dns_->Address("two.example", "::1");
    SocketAddress v6;
    ASSERT_TRUE(ParseAddress("::1", v6));
    // RFC 6724: precedence 50 before 35, but what can't be reached comes last.
    const bool reachable = DatagramSocket::Bind(v6).ok();
    EXPECT_EQ(Ask("two.example"), reachable ? "[::1]:80 127.0.0.7:80" : "127.0.0.7:80 [::1]:80");
    EXPECT_EQ(Ask("two.example", AF_INET), "127.0.0.7:80");
    EXPECT_EQ(Ask("two.example", AF_INET6), "[::1]:80");
    EXPECT_EQ(dns_->Asked("A two.example"), 2);
    EXPECT_EQ(dns_->Asked("AAAA two.example"), 2);
  });
}

TEST_F(ResolverTest, AnAliasIsFollowed) {
  With([&] {
    dns_->Alias("www.example", "host.example");
    dns_->Address("host.example", "192.0.2.5");
    EXPECT_EQ(Ask("www.example"), "192.0.2.5:80");
  });
}

TEST_F(ResolverTest, AnAnswerIsKeptForItsTimeToLive) {
  With([&] {
    dns_->Address("a.example", "192.0.2.1", 30);
    EXPECT_EQ(Ask("a.example"), "192.0.2.1:80");
    Pass(absl::Seconds(29));
    EXPECT_EQ(Ask("A.Example"), "192.0.2.1:80");
    EXPECT_EQ(dns_->Asked("A a.example"), 1);
    Pass(absl::Seconds(1));
    EXPECT_EQ(Ask("a.example"), "192.0.2.1:80");
    EXPECT_EQ(dns_->Asked("A a.example"), 2);
    EXPECT_EQ(resolver_->Stats().cache_hits, 1u);
    EXPECT_EQ(resolver_->Stats().queries, 2u);
  });
}

TEST_F(ResolverTest, TheShortestTimeToLiveCountsWithinTheBounds) {
  options_.ttl_min = absl::Seconds(10);
  options_.ttl_max = absl::Seconds(20);
  With([&] {
    dns_->Alias("alias.example", "host.example", 15);
    dns_->Address("host.example", "192.0.2.1", 1000);
    dns_->Address("short.example", "192.0.2.2", 0);
    dns_->Address("long.example", "192.0.2.3", 1000);
    const auto ask_all = [&] {
      for (const char* name : {"alias.example", "short.example", "long.example"}) (void)Ask(name);
    };
    ask_all();
    Pass(absl::Seconds(12));
    ask_all();
    EXPECT_EQ(dns_->Asked("A short.example"), 2);
    EXPECT_EQ(dns_->Asked("A alias.example"), 1);
    Pass(absl::Seconds(4));
    ask_all();
    EXPECT_EQ(dns_->Asked("A alias.example"), 2);
    EXPECT_EQ(dns_->Asked("A long.example"), 1);
    Pass(absl::Seconds(5));
    ask_all();
    EXPECT_EQ(dns_->Asked("A long.example"), 2);
  });
}

TEST_F(ResolverTest, ANameThatIsNotThereIsRememberedForAWhile) {
  With([&] {
    const std::string error = Ask("no.example");
    EXPECT_NE(error.find("NOT_FOUND: resolve no.example: "), error.npos) << error;
    Pass(absl::Seconds(4));
    EXPECT_EQ(Ask("no.example"), error);
    EXPECT_EQ(dns_->Asked("A no.example"), 1);
    Pass(absl::Seconds(1));
    dns_->Address("no.example", "192.0.2.1");
    EXPECT_EQ(Ask("no.example"), "192.0.2.1:80");
    EXPECT_EQ(resolver_->Stats().not_found, 1u);
  });
}

TEST_F(ResolverTest, ANameWithoutAnAddressOfTheFamilyIsNotFound) {
  With([&] {
    dns_->Address("four.example", "192.0.2.1");
    const std::string error = Ask("four.example", AF_INET6);
    EXPECT_NE(error.find("NOT_FOUND: resolve four.example: the name has no address"), error.npos)
        << error;
    EXPECT_EQ(Ask("four.example"), "192.0.2.1:80");
  });
}

TEST_F(ResolverTest, AServerThatFailsIsUnavailableAndIsLeftAloneForASecond) {
  With([&] {
    dns_->rcode = 2;  // SERVFAIL
    EXPECT_EQ(Code("a.example"), absl::StatusCode::kUnavailable);
    const size_t asked = dns_->questions.size();
    EXPECT_EQ(Code("a.example"), absl::StatusCode::kUnavailable);
    EXPECT_EQ(dns_->questions.size(), asked);
    dns_->rcode = 0;
    dns_->Address("a.example", "192.0.2.1");
    Pass(absl::Seconds(1));
    EXPECT_EQ(Ask("a.example"), "192.0.2.1:80");
    EXPECT_EQ(resolver_->Stats().failures, 1u);
  });
}

TEST_F(ResolverTest, ASilentServerIsAskedAgain) {
  options_.query.timeout_per_try = kSoon;
  options_.query.tries = 5;
  With([&] {
    dns_->Address("a.example", "192.0.2.1");
    dns_->silent = 2;
    EXPECT_EQ(Ask("a.example", AF_INET), "192.0.2.1:80");
    EXPECT_GE(dns_->Asked("A a.example"), 3);
  });
}

TEST_F(ResolverTest, AServerThatStaysSilentIsUnavailable) {
  options_.query.timeout_per_try = kSoon;
  With([&] {
    dns_->silent = 1000;
    const std::string error = Ask("a.example", AF_INET);
    EXPECT_NE(error.find("UNAVAILABLE: resolve a.example: the DNS servers don't answer"),
              error.npos)
        << error;
    EXPECT_EQ(dns_->Asked("A a.example"), 2);
  });
}

TEST_F(ResolverTest, ALookupHasALimitOfItsOwn) {
  options_.lookup_timeout = absl::Seconds(10);
  With([&] {
    dns_->silent = 1000;
    const MonotonicNanos start = clock_.Now();
    const std::string error = Ask("a.example");
    EXPECT_NE(error.find("UNAVAILABLE: resolve a.example: no answer within 10s"), error.npos)
        << error;
    EXPECT_EQ(clock_.Now() - start, 10'000'000'000);
  });
}

TEST_F(ResolverTest, AnAnswerTooLongForADatagramComesByTcp) {
  With([&] {
    dns_->truncates = true;
    for (int i = 1; i <= 100; ++i) dns_->Address("many.example", absl::StrCat("192.0.2.", i));
    auto found = resolver_->Resolve("many.example", 80);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->size(), kDnsAddressesMax);
    EXPECT_EQ(dns_->Asked("tcp A many.example"), 1);
  });
}

TEST_F(ResolverTest, FibersThatAskForTheSameNameShareOneQuery) {
  With([&] {
    dns_->Address("a.example", "192.0.2.1");
    int right = 0;
    std::vector<FiberHandle> fibers(10);
    for (FiberHandle& fiber : fibers) {
      fiber = *Spawn("ask", [&] { right += Ask("a.example") == "192.0.2.1:80"; });
    }
    for (FiberHandle& fiber : fibers) (void)fiber.Join();
    EXPECT_EQ(right, 10);
    EXPECT_EQ(dns_->Asked("A a.example"), 1);
    EXPECT_EQ(resolver_->Stats().joined, 9u);
  });
}

TEST_F(ResolverTest, ATimeoutEndsTheWaitAndTheQueryNobodyWaitsFor) {
  With([&] {
    dns_->silent = 1000;
    Yield();
    const HubStats before = hub_->Stats();
    {
      Timeout timeout(absl::Seconds(2));
      EXPECT_EQ(Code("a.example"), absl::StatusCode::kDeadlineExceeded);
    }
    Yield();
    EXPECT_EQ(resolver_->Stats().lookups_in_flight, 0u);
    EXPECT_EQ(resolver_->Stats().dropped, 1u);
    EXPECT_EQ(hub_->Stats().fibers_live, before.fibers_live);
    EXPECT_EQ(hub_->Stats().descriptors, before.descriptors);
    dns_->silent = 0;
    dns_->Address("a.example", "192.0.2.1");
    EXPECT_EQ(Ask("a.example"), "192.0.2.1:80");
  });
}

TEST_F(ResolverTest, AQueryGoesOnForThoseWhoStillWait) {
  options_.query.timeout_per_try = kSoon;
  options_.query.tries = 10;
  With([&] {
    dns_->Address("a.example", "192.0.2.1");
    dns_->silent = 1000;
    std::string stayed;
    FiberHandle stays = *Spawn("stays", [&] { stayed = Ask("a.example"); });
    FiberHandle leaves =
        *Spawn("leaves", [&] { EXPECT_EQ(Code("a.example"), absl::StatusCode::kCancelled); });
    Yield();
    Yield();
    leaves.Cancel();
    (void)leaves.Join();
    EXPECT_EQ(resolver_->Stats().lookups_in_flight, 1u);
    dns_->silent = 0;
    (void)stays.Join();
    EXPECT_EQ(stayed, "192.0.2.1:80");
    EXPECT_EQ(resolver_->Stats().dropped, 0u);
  });
}

TEST_F(ResolverTest, ItsEndWakesThoseWhoWait) {
  With([&] {
    dns_->silent = 1000;
    FiberHandle waits =
        *Spawn("waits", [&] { EXPECT_EQ(Code("a.example"), absl::StatusCode::kAborted); });
    Yield();
    Yield();
    resolver_.reset();
    EXPECT_TRUE(waits.Join().ok());
  });
}

TEST_F(ResolverTest, TheHubMayEndWhileItAsks) {
  Run([&] {
    SocketAddress any;
    ASSERT_TRUE(ParseAddress("127.0.0.1", any));
    DatagramSocket silent = *DatagramSocket::Bind(any);
    options_.query.servers = {silent.LocalAddress().ToString()};
    resolver_ = *Resolver::Create(options_);
    for (int i = 0; i < 2; ++i) (void)Spawn("asks", [&] { (void)Ask("a.example"); });
    Yield();
    Yield();
    EXPECT_EQ(resolver_->Stats().lookups_in_flight, 1u);
  });
  EXPECT_EQ(resolver_->Stats().lookups_in_flight, 0u);
}

TEST_F(ResolverTest, LookupsUnderWayAreBounded) {
  options_.lookups_max = 1;
  With([&] {
    dns_->silent = 1000;
    FiberHandle first = *Spawn("first", [&] { (void)Ask("a.example"); });
    Yield();
    EXPECT_EQ(Code("b.example"), absl::StatusCode::kResourceExhausted);
    first.Cancel();
    (void)first.Join();
  });
}

TEST_F(ResolverTest, WhatNeedsNoServerAsksNone) {
  With([&] {
    EXPECT_EQ(Ask("192.0.2.1"), "192.0.2.1:80");
    EXPECT_EQ(Ask("2001:db8::1"), "[2001:db8::1]:80");
    EXPECT_EQ(Ask("localhost"), "[::1]:80 127.0.0.1:80");
    EXPECT_EQ(Ask("App.LocalHost.", AF_INET), "127.0.0.1:80");
    EXPECT_EQ(Code("a.invalid"), absl::StatusCode::kNotFound);
    EXPECT_EQ(Code("a.onion"), absl::StatusCode::kNotFound);
    EXPECT_NE(Ask("192.0.2.1", AF_INET6).find("NOT_FOUND"), std::string::npos);
    EXPECT_TRUE(dns_->questions.empty());
    EXPECT_EQ(Code("notlocalhost"), absl::StatusCode::kNotFound);
    EXPECT_FALSE(dns_->questions.empty());
  });
}

TEST_F(ResolverTest, ABadNameIsRefusedWithItsReason) {
  With([&] {
    const std::string label63(63, 'a');
    const std::string name253 =
        label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b');
    for (const std::string& bad :
         {std::string(), std::string("."), std::string("a..b"), std::string(".a"),
          std::string("a b"), std::string("a\0b", 3), std::string("b\xc3\xbc.example"),
          std::string("127.1"), std::string("1.2.3.4.5"), std::string("[::1]"),
          label63 + "a.example", name253 + "b"}) {
      EXPECT_EQ(Code(bad), absl::StatusCode::kInvalidArgument) << bad;
    }
    EXPECT_NE(Ask("b\xc3\xbc.example").find("xn--"), std::string::npos);
    EXPECT_TRUE(dns_->questions.empty());
    EXPECT_EQ(Code(name253), absl::StatusCode::kNotFound);
    EXPECT_NE(Ask("a.example", AF_UNIX).find("INVALID_ARGUMENT"), std::string::npos);
  });
}

TEST_F(ResolverTest, TheHostsFileComesFirst) {
  File("192.0.2.9 a.example localhost\n");
  options_.hosts_path = file_;
  With([&] {
    dns_->Address("a.example", "192.0.2.1");
    EXPECT_EQ(Ask("a.example."), "192.0.2.9:80");
    EXPECT_EQ(Ask("localhost"), "192.0.2.9:80");
    EXPECT_TRUE(dns_->questions.empty());
    EXPECT_EQ(resolver_->Stats().hosts_hits, 2u);
  });
}

TEST_F(ResolverTest, SearchDomainsAreTriedAsResolvConfSays) {
  File("search one.test two.test\noptions ndots:2\n");
  options_.query.resolv_conf = file_;
  options_.query.search_domains.reset();
  With([&] {
    dns_->Address("db.two.test", "192.0.2.1");
    dns_->Address("a.b.c", "192.0.2.2");
    EXPECT_EQ(Ask("db", AF_INET), "192.0.2.1:80");
    EXPECT_EQ(dns_->questions, (std::vector<std::string>{"A db.one.test", "A db.two.test"}));
    dns_->questions.clear();
    EXPECT_EQ(Ask("a.b.c", AF_INET), "192.0.2.2:80");
    EXPECT_EQ(dns_->questions, (std::vector<std::string>{"A a.b.c"}));
    EXPECT_EQ(Code("db."), absl::StatusCode::kNotFound);
  });
}

TEST_F(ResolverTest, TheNextServerIsAskedWhenTheFirstIsNotThere) {
  options_.query.timeout_per_try = kSoon;  // where no "port unreachable" comes back
  SocketAddress gone;
  ASSERT_TRUE(ParseAddress("127.0.0.1", gone));
  Run([&] { gone = DatagramSocket::Bind(gone)->LocalAddress(); });
  With([&] {
    ResolverOptions options = options_;
    options.query.servers = {gone.ToString(), dns_->address()};
    resolver_ = *Resolver::Create(options);
    dns_->Address("a.example", "192.0.2.1");
    EXPECT_EQ(Ask("a.example"), "192.0.2.1:80");
  });
}

TEST_F(ResolverTest, AClearedCacheAsksAgain) {
  With([&] {
    dns_->Address("a.example", "192.0.2.1");
    (void)Ask("a.example");
    EXPECT_EQ(resolver_->Stats().cached, 1u);
    resolver_->ClearCache();
    (void)Ask("a.example");
    EXPECT_EQ(dns_->Asked("A a.example"), 2);
  });
}

TEST_F(ResolverTest, BadOptionsAreRefused) {
  const auto refused = [](const std::function<void(ResolverOptions&)>& spoil) {
    ResolverOptions options = Options();
    spoil(options);
    return absl::IsInvalidArgument(Resolver::Create(options).status());
  };
  EXPECT_FALSE(refused([](ResolverOptions&) {}));
  EXPECT_TRUE(refused([](ResolverOptions& o) { o.query.servers = {"ns.example"}; }));
  EXPECT_TRUE(refused([](ResolverOptions& o) { o.query.servers.assign(17, "192.0.2.1"); }));
  EXPECT_TRUE(refused([](ResolverOptions& o) { o.query.tries = 0; }));
  EXPECT_TRUE(refused([](ResolverOptions& o) { o.query.timeout_per_try = absl::ZeroDuration(); }));
  EXPECT_TRUE(refused([](ResolverOptions& o) { o.ttl_max = absl::ZeroDuration(); }));
  EXPECT_TRUE(refused([](ResolverOptions& o) { o.lookups_max = 0; }));
  EXPECT_TRUE(refused([](ResolverOptions& o) { o.lookup_timeout = absl::ZeroDuration(); }));
}

}  // namespace
}  // namespace grove
