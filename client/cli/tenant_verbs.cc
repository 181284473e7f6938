#include "client/cli/tenant_verbs.h"

#include <utility>

#include "client/cli/quota_flags.h"
#include "client/cli/verb_groups.h"

namespace grove::client::cli {
namespace {

FlagSpec OfTenantFlag() {
  return {"tenant", "TENANT",
          "Tenant whose they are; the token's, or the operators', if not given."};
}

FlagSpec ExpiresFlag(const char* help) {
  return {"expires", "WHEN", help};
}

std::vector<FlagSpec> SettingsFlags() {
  std::vector<FlagSpec> flags = {
      {"display_name", "TEXT", "What people call it."},
      {"weight", "W", "Of its share beside others, 0.01 to 1000."},
      {"label", "KEY=VALUE",
       "Label; may be repeated. All that are given take the old ones' place."},
  };
  for (FlagSpec& flag : QuotaFlags()) flags.push_back(std::move(flag));
  return flags;
}

Verb ListVerb(const char* name, const char* summary, std::vector<FlagSpec> flags,
              absl::Status (*run)(Command&)) {
  return {.name = name, .summary = summary, .flags = std::move(flags), .run = run};
}

Verb TenantsTopVerb() {
  return {
      .name = "tenants top",
      .summary = "Show again and again who has the workers; as \"fairness --watch\".",
      .description = "Until Ctrl-C. Those with the most worker time of the last 10 s come first.",
      .flags = {{"tenant", "TENANT", "Only this tenant's share."},
                {"interval", "SECONDS", "Between two looks; 2 if not given."},
                {"count", "N", "End after N looks."},
                {"limit", "N", "At most N tenants; 20 if not given."}},
      .waits = true,
      .run = RunTenantsTop,
  };
}

}  // namespace

std::vector<Verb> TenantVerbs() {
  const FlagSpec dry_run = {"dry_run", "", "Only say whether it could be done."};
  std::vector<FlagSpec> create = SettingsFlags();
  create.push_back(dry_run);
  std::vector<FlagSpec> update = SettingsFlags();
  update.push_back({"no_labels", "", "Take all labels away."});
  update.push_back(EtagFlag());
  return {
      ListVerb("tenants", "List tenants, by name; also \"tenants list\".", {}, RunTenants),
      ListVerb("tenants list", "List tenants, by name.", {}, RunTenants),
      OneVerb("tenants create", "NAME", "Make a tenant, with a queue and a pool \"default\".",
              "It is there on all workers at once, and after restarts. Its tokens: "
              "\"tokens create\".",
              create, RunTenantsCreate),
      OneVerb("tenants get", "TENANT", "Show a tenant.", "", {}, RunTenantsGet),
      TenantsTopVerb(),
      OneVerb("tenants update", "TENANT", "Change a tenant: what is given, and no more.",
              "Those of the daemon's config are changed there. A quota of 0 is none.", update,
              RunTenantsUpdate),
      OneVerb("tenants delete", "TENANT", "Delete a tenant, once its tasks have ended.",
              "It takes no tasks from now on. What waits or runs is finished, or cancelled with "
              "--cancel_tasks; then it is gone, with its tokens and what its tasks left. Asks "
              "first on a terminal. With --wait, --timeout bounds the wait.",
              {{"cancel_tasks", "", "Cancel what waits or runs."},
               {"wait", "", "Wait until it is gone."},
               {"yes", "", "Do not ask."},
               EtagFlag(),
               dry_run},
              RunTenantsDelete),
  };
}

std::vector<Verb> LimitVerbs() {
  const std::vector<FlagSpec> list = {TenantFlag(),
                                      {"key", "KEY", "Keys that begin so."},
                                      {"limit", "N", "At most N keys; 100 if not given."}};
  std::vector<FlagSpec> set = LimitFlags();
  set.push_back(TenantFlag());
  return {
      ListVerb("limits", "List what bounds limit keys, and the keys in use; also \"limits list\".",
               list, RunLimits),
      ListVerb("limits list", "List what bounds limit keys, and the keys in use.", list, RunLimits),
      OneVerb("limits set", "PATTERN", "Bound the tasks of each limit key that PATTERN matches.",
              "PATTERN is a key, or two as KEY/KEY; a \"*\" at the end of one stands for any end. "
              "For each key the most specific pattern holds. It takes the place of the limit with "
              "the same pattern, as a whole; a bound of 0 is none. Tasks that wait follow it at "
              "once.",
              set, RunLimitsSet),
      OneVerb("limits delete", "PATTERN", "Take the limit with this pattern away.", "",
              {TenantFlag()}, RunLimitsDelete),
  };
}

std::vector<Verb> TokenVerbs() {
  const std::vector<FlagSpec> list = {OfTenantFlag(),
                                      {"all", "", "Also those that were revoked or have expired."}};
  Verb create = OneVerb(
      "tokens create", "[NAME]", "Make a token, and print its secret.",
      "The secret is printed once, alone on standard output; the daemon keeps a digest of it. A "
      "name is made up where none is given. Nobody hands out a role that he lacks.",
      {{"role", "ROLE,ROLE", "viewer, writer, operator, admin or debug; required."},
       OfTenantFlag(),
       ExpiresFlag("Holds for this long, such as 90d or 12h, or until then, in RFC 3339; for good "
                   "if not given.")},
      RunTokensCreate);
  create.arguments_min = 0;
  return {
      ListVerb("tokens", "List tokens, by name; also \"tokens list\".", list, RunTokens),
      ListVerb("tokens list", "List tokens, by name.", list, RunTokens),
      create,
      OneVerb("tokens get", "TOKEN_NAME", "Show a token, without its secret.",
              "TOKEN_NAME is a resource name, TENANT/NAME, or NAME.", {OfTenantFlag()},
              RunTokensGet),
      OneVerb("tokens rotate", "TOKEN_NAME",
              "Put a new token in one's place, and print its secret.",
              "The new one has the old one's roles, and another name. The old one holds for "
              "--overlap more, so that whoever uses it can be given the new one meanwhile.",
              {{"overlap", "DURATION", "Both hold for this long, such as 1d; 0 if not given."},
               ExpiresFlag("Of the new one, as of \"tokens create\"; as long as the old one was to "
                           "if not given."),
               OfTenantFlag()},
              RunTokensRotate),
      OneVerb("tokens revoke", "TOKEN_NAME",
              "End a token at once, and the calls that came with it.",
              "Fails for the last one with which the operators' tokens can be cared for.",
              {{"reason", "TEXT", "For the audit log."}, OfTenantFlag()}, RunTokensRevoke),
  };
}

}  // namespace grove::client::cli
