#include "server/http/middleware/tenant_identity.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

using By = TenantRule::By;

// Knows "made" besides, once it was told, and lets in as many as `max`.
class CountingGate final : public TenantGate {
 public:
  Known Knows(std::string_view tenant) override {
    if (!told) return Known::kNotTold;
    return tenant == "made" ? Known::kYes : Known::kNo;
  }
  TenantPass Enter(std::string_view tenant) override {
    entered.emplace_back(tenant);
    if (count == max) return TenantPass::Refused("no more", absl::Milliseconds(1200));
    ++count;
    return TenantPass::Admitted(&count);
  }

  bool told = true;
  int max = 1;
  std::atomic<int32_t> count = 0;
  std::vector<std::string> entered;
};

class TenantIdentityTest : public MiddlewareFixture {
 protected:
  // What `rule` says of the request; "-" where it doesn't apply.
  std::string Find(const TenantRule& rule) {
    Request request{.host = host_, .fields = fields_};
    request.context.route_path = path_;
    request.context.token = token_;
    request.client_certificate = certificate_;
    return std::string(FindTenant(rule, request).value_or("-"));
  }
  const TlsCertificate* certificate_ = nullptr;
  Answered AskWith(std::vector<TenantRule> rules, bool required = false) {
    TenantIdentityOptions options{.rules = std::move(rules),
                                  .tenants = {"acme", "umbrella"},
                                  .required = required,
                                  .labels = labels_,
                                  .gate = gate_};
    Answered answered;
    RunOn(*hub_, [&] {
      answered =
          Ask(TenantIdentity(std::move(options)), [this](Request& request, Response& response) {
            const FiberLabel* const label = Hub::Current()->running()->label();
            labelled_ = label == nullptr ? "" : label->tenant;
            if (in_handler_) in_handler_();
            return response.Send(200, "", request.context.tenant);
          });
      EXPECT_EQ(Hub::Current()->running()->label(), nullptr);
    });
    return answered;
  }
  std::unique_ptr<Hub> hub_ = *Hub::Create();
  TenantLabels labels_;
  TenantGate* gate_ = nullptr;
  std::function<void()> in_handler_;
  // The tenant of the handler's fiber.
  std::string labelled_;
};

TEST_F(TenantIdentityTest, FindsByHost) {
  host_ = "ACME.example.org:80";
  EXPECT_EQ(Find({By::kHost, "acme.example.org", "acme"}), "acme");
  EXPECT_EQ(Find({By::kHost, "*.example.org", "umbrella"}), "umbrella");
  EXPECT_EQ(Find({By::kHost, "*.example.com", "umbrella"}), "-");
  host_ = "acme.example.org";
  EXPECT_EQ(Find({By::kHost, "*.example.org", ""}), "acme");
  host_ = "example.org";
  EXPECT_EQ(Find({By::kHost, "*.example.org", ""}), "-");
}

TEST_F(TenantIdentityTest, FindsByPathPrefix) {
  path_ = "/t/acme/x";
  EXPECT_EQ(Find({By::kPathPrefix, "/t", ""}), "acme");
  EXPECT_EQ(Find({By::kPathPrefix, "/t/", ""}), "acme");
  EXPECT_EQ(Find({By::kPathPrefix, "/t/acme", "acme"}), "acme");
  EXPECT_EQ(Find({By::kPathPrefix, "/t/acm", "acme"}), "-") << "a segment is whole";
  path_ = "/t";
  EXPECT_EQ(Find({By::kPathPrefix, "/t", ""}), "");
  EXPECT_EQ(Find({By::kPathPrefix, "/t/", ""}), "-");
}

TEST_F(TenantIdentityTest, FindsByHeaderAndToken) {
  fields_ = {{"x-tenant", "acme"}};
  token_ = "ci";
  EXPECT_EQ(Find({By::kHeader, "X-Tenant", ""}), "acme");
  EXPECT_EQ(Find({By::kHeader, "X-Tenant", "umbrella"}), "umbrella");
  EXPECT_EQ(Find({By::kHeader, "X-Other", ""}), "-");
  EXPECT_EQ(Find({By::kToken, "ci", "acme"}), "acme");
  EXPECT_EQ(Find({By::kToken, "web", "acme"}), "-");
}

TEST_F(TenantIdentityTest, FindsByTheClientsCertificate) {
  EXPECT_EQ(Find({By::kCertificate, "CN:*", "acme"}), "-") << "there is none";
  TlsCertificate certificate;
  certificate_ = &certificate;
  EXPECT_EQ(Find({By::kCertificate, "CN:*", "acme"}), "-") << "it has no common name";
  certificate = {.common_name = "acme",
                 .names = {"DNS:Umbrella.tenants.example.org", "URI:spiffe://example.org/t/acme",
                           "URI:spiffe://example.org/t/umbrella"},
                 .fingerprint = std::string(64, 'a')};
  EXPECT_EQ(Find({By::kCertificate, "CN:*", ""}), "acme");
  EXPECT_EQ(Find({By::kCertificate, "CN:acme", "umbrella"}), "umbrella");
  EXPECT_EQ(Find({By::kCertificate, "CN:Acme", "umbrella"}), "-");
  EXPECT_EQ(Find({By::kCertificate, "DNS:*.TENANTS.example.org", ""}), "Umbrella");
  EXPECT_EQ(Find({By::kCertificate, "DNS:*.example.com", "acme"}), "-");
  EXPECT_EQ(Find({By::kCertificate, "URI:spiffe://example.org/t/*", ""}), "acme") << "the first";
  EXPECT_EQ(Find({By::kCertificate, "URI:spiffe://example.org/t/umbrella", "acme"}), "acme");
  EXPECT_EQ(Find({By::kCertificate, "URI:spiffe://example.org/t/acme*", ""}), "-")
      << "nothing left";
  EXPECT_EQ(Find({By::kCertificate, "email:*", "acme"}), "-");
  EXPECT_EQ(Find({By::kCertificate, "SHA256:" + std::string(64, 'a'), "acme"}), "acme");
  EXPECT_EQ(Find({By::kCertificate, "SHA256:" + std::string(64, 'b'), "acme"}), "-");
}

TEST_F(TenantIdentityTest, LetsTheFirstRuleThatAppliesDecide) {
  token_ = "ci";
  fields_ = {{"x-tenant", "umbrella"}};
  EXPECT_EQ(AskWith({{By::kToken, "web", "acme"}, {By::kHeader, "X-Tenant", ""}}).Body(),
            "umbrella");
  EXPECT_EQ(AskWith({{By::kToken, "ci", "acme"}, {By::kHeader, "X-Tenant", ""}}).Body(), "acme");
}

TEST_F(TenantIdentityTest, RefusesATenantThatIsNotKnown) {
  fields_ = {{"x-tenant", "nobody"}};
  EXPECT_EQ(AskWith({{By::kHeader, "X-Tenant", ""}}).status, 403);
}

TEST_F(TenantIdentityTest, RefusesARequestOfNobodyWhereOneIsRequired) {
  EXPECT_EQ(AskWith({{By::kHeader, "X-Tenant", ""}}).Body(), "");
  EXPECT_EQ(AskWith({{By::kHeader, "X-Tenant", ""}}, true).status, 403);
}

TEST_F(TenantIdentityTest, TheGateKnowsTenantsBesidesTheConfigs) {
  CountingGate gate;
  gate_ = &gate;
  fields_ = {{"x-tenant", "made"}};
  EXPECT_EQ(AskWith({{By::kHeader, "X-Tenant", ""}}).Body(), "made");
  EXPECT_EQ(labelled_, "made");
  fields_ = {{"x-tenant", "nobody"}};
  EXPECT_EQ(AskWith({{By::kHeader, "X-Tenant", ""}}).status, 403);
  gate.told = false;
  const Answered early = AskWith({{By::kHeader, "X-Tenant", ""}});
  EXPECT_EQ(early.status, 503);
  EXPECT_EQ(early.Field("Retry-After"), "1");
  fields_ = {{"x-tenant", "acme"}};
  EXPECT_EQ(AskWith({{By::kHeader, "X-Tenant", ""}}).status, 200) << "the config's";
}

TEST_F(TenantIdentityTest, ARequestCountsWhileItIsServed) {
  CountingGate gate;
  gate_ = &gate;
  fields_ = {{"x-tenant", "acme"}};
  in_handler_ = [&] { EXPECT_EQ(gate.count, 1); };
  EXPECT_EQ(AskWith({{By::kHeader, "X-Tenant", ""}}).status, 200);
  EXPECT_EQ(gate.count, 0);
  EXPECT_EQ(gate.entered, std::vector<std::string>{"acme"});
  fields_ = {};
  in_handler_ = [&] { EXPECT_EQ(gate.count, 0); };
  EXPECT_EQ(AskWith({{By::kHeader, "X-Tenant", ""}}).status, 200);
  EXPECT_EQ(gate.entered.size(), 1) << "nobody's";
}

TEST_F(TenantIdentityTest, RefusesWhatTheGateDoesNotLetIn) {
  CountingGate gate;
  gate_ = &gate;
  gate.max = 0;
  fields_ = {{"x-tenant", "acme"}};
  in_handler_ = [] { ADD_FAILURE() << "served"; };
  const Answered refused = AskWith({{By::kHeader, "X-Tenant", ""}});
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.Field("Retry-After"), "2") << "rounded up";
  EXPECT_EQ(refused.Body(), "Too Many Requests: no more\r\n");
}

TEST_F(TenantIdentityTest, TwoThatFindTheSameTenantCountOnce) {
  CountingGate gate;
  gate_ = &gate;
  fields_ = {{"x-tenant", "acme"}};
  TenantIdentityOptions options{.rules = {{By::kHeader, "X-Tenant", ""}}, .tenants = {"acme"}};
  options.gate = &gate;
  const Middleware middleware = TenantIdentity(std::move(options));
  Answered answered;
  RunOn(*hub_, [&] {
    answered = Ask(middleware, [&](Request& request, Response& response) {
      return middleware(request, response, [](Request&, Response& inner) {
        return inner.Send(200, "text/plain", "ok");
      });
    });
  });
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(gate.entered.size(), 1);
  EXPECT_EQ(gate.count, 0);
}

TEST(CheckTenantRule, RefusesWhatNamesNobody) {
  for (const TenantRule& rule : std::vector<TenantRule>{{By::kHost, "a.org", ""},
                                                        {By::kHost, "A.org", "a"},
                                                        {By::kHost, "a.org:80", "a"},
                                                        {By::kPathPrefix, "t", "a"},
                                                        {By::kPathPrefix, "/%61", "a"},
                                                        {By::kPathPrefix, "/a/..", "a"},
                                                        {By::kHeader, "a b", "a"},
                                                        {By::kToken, "ci", ""},
                                                        {By::kCertificate, "acme", "a"},
                                                        {By::kCertificate, "CN:", "a"},
                                                        {By::kCertificate, "CN:acme", ""},
                                                        {By::kCertificate, "CN:*.*", ""},
                                                        {By::kCertificate, "SHA256:*", "a"},
                                                        {By::kCertificate, "SHA256:AA", "a"}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckTenantRule(rule))) << rule.value;
  }
  for (const TenantRule& rule : std::vector<TenantRule>{{By::kHost, "*.a.org", ""},
                                                        {By::kHost, "a.org", "a"},
                                                        {By::kPathPrefix, "/t", ""},
                                                        {By::kHeader, "X-Tenant", ""},
                                                        {By::kToken, "ci", "a"},
                                                        {By::kCertificate, "CN:*", ""},
                                                        {By::kCertificate, "URI:a", "a"}}) {
    EXPECT_TRUE(CheckTenantRule(rule).ok()) << rule.value;
  }
}

}  // namespace
}  // namespace grove::http
