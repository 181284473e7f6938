#include "server/link/green_list.h"

#include <algorithm>
#include <string>
#include <vector>

#include "runtime/green/green_report.h"

namespace grove::link {
namespace {

// A field of a message takes UTF-8 alone, and names are what a library's maker has chosen.
std::string Ascii(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c >= '\x7f') c = '?';
  }
  return text;
}

}  // namespace

internal::v1::ListGreenCallsReply ListGreenCalls(const internal::v1::ListGreenCalls& request,
                                                 OffloadPool& offload) {
  internal::v1::ListGreenCallsReply reply;
  reply.set_request(request.request());
  const std::vector<GreenSite> sites = GreenSites();
  std::vector<GreenCall> calls;
  offload.Run([&] { calls = DescribeGreenSites(sites); }).IgnoreError();
  const int limit = std::clamp(request.limit(), 1, kGreenCallsPerReplyMax);
  for (const GreenCall& call : calls) {
    if (reply.calls_size() == limit) {
      reply.set_more(true);
      break;
    }
    internal::v1::GreenCall& row = *reply.add_calls();
    row.set_function(std::string(call.function));
    row.set_library(Ascii(call.library));
    row.set_caller(Ascii(call.caller));
    row.set_ready(call.count(GreenOutcome::kReady));
    row.set_parked(call.count(GreenOutcome::kParked));
    row.set_offloaded(call.count(GreenOutcome::kOffloaded));
    row.set_escaped(call.count(GreenOutcome::kEscaped));
    row.set_refused(call.count(GreenOutcome::kRefused));
    row.set_blocked_us(absl::ToInt64Microseconds(call.blocked));
  }
  return reply;
}

}  // namespace grove::link
