#include "server/tasks/webhook_url.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

bool IsVisible(char c) {
  return c > ' ' && c <= '~';
}

// "http" or "https", and a host.
bool IsHttpUrl(std::string_view url) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!absl::StartsWithIgnoreCase(Abseil(url), Abseil(scheme))) continue;
    url.remove_prefix(scheme.size());
    const std::string_view host = url.substr(0, url.find_first_of("/?#"));
    return !host.empty() && host.front() != ':' && host.find('@') == host.npos;
  }
  return false;
}

}  // namespace

absl::Status CheckWebhook(const v1::TaskSpec& spec) {
  if (!spec.has_webhook()) return absl::OkStatus();
  const std::string& url = spec.webhook().url();
  const bool fits = url.size() <= kWebhookUrlMax && IsHttpUrl(url) &&
                    std::all_of(url.begin(), url.end(), IsVisible);
  if (fits) return absl::OkStatus();
  return BadField("spec.webhook.url", "WEBHOOK_URL_INVALID",
                  StrCat("\"", Cut(absl::CHexEscape(url)), "\" is no http or https URL of at most ",
                         kWebhookUrlMax, " bytes without a user"));
}

}  // namespace grove::tasks
